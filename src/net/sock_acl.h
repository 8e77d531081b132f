#ifndef NET_SOCK_ACL_H
#define NET_SOCK_ACL_H

/*
 * The access control list of a socket file, by listen_acl_users and
 * listen_acl_groups of lua-fpm.conf(5).  Only sock_acl.c uses libacl; built
 * without it, there are no lists.  Runs in the master.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/why.h"
#include "conf/conf.h"

/* True if this was built with libacl. */
bool sock_acl_known(void);

/*
 * Replace the file's list: owner, owning group and others get `mode`, each user
 * and group in the lists (names or numbers) may read and write, as connect(2)
 * requires.  Follows links, so path must be that of a descriptor
 * (/proc/self/fd/N).  0, or -1 and why.
 */
int sock_acl_set(const char *path, mode_t mode, const struct conf_list *users,
    const struct conf_list *groups, struct why *why);

/* Get the list of a file, to be freed with sock_acl_free; NULL if that fails or
 * libacl is missing.  Set it again: 0, or -1 with errno. */
void *sock_acl_get(const char *path);
int sock_acl_restore(const char *path, void *list);
void sock_acl_free(void *list);

#endif

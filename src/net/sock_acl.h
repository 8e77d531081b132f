#ifndef NET_SOCK_ACL_H
#define NET_SOCK_ACL_H

/*
 * The access control list of a socket file, as listen_acl_users and
 * listen_acl_groups of lua-fpm.conf(5) say it; the only includer of libacl,
 * without which there are none.  Runs in the master.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/why.h"
#include "conf/conf.h"

/* Was this built with libacl? */
bool sock_acl_known(void);

/*
 * Owner, owning group and others of the file get what `mode` says, each user
 * and group in the lists (names or numbers) may read and write, which is what
 * connecting takes, and nobody else is left in its list.  Follows links:
 * path is that of a descriptor.  0,
 * or -1 and why.
 */
int sock_acl_set(const char *path, mode_t mode, const struct conf_list *users,
    const struct conf_list *groups, struct why *why);

/* The list of a file, to be set again; NULL if it cannot be had, or has none
 * of its own.  sock_acl_restore: 0, or -1 with errno. */
void *sock_acl_get(const char *path);
int sock_acl_restore(const char *path, void *list);
void sock_acl_free(void *list);

#endif

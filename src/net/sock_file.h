#ifndef NET_SOCK_FILE_H
#define NET_SOCK_FILE_H

/*
 * The file of a listening unix socket.  Whoever may write to its directory
 * could put something else in its place at any time: so it is known by its
 * device and inode, which are noted in the address, its rights are set by a
 * descriptor and never by the path, nothing else is removed, and links on the
 * way are those of base/path.h.  Runs in the master.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/why.h"
#include "net/sock_acl.h"
#include "net/sock_address.h"

struct sock_options {
	int backlog;
	uid_t owner; /* (uid_t)-1: not changed */
	gid_t group;
	mode_t mode;
	bool acl; /* set the file's access control list (sock_acl.h) */
	const struct conf_list *acl_users;
	const struct conf_list *acl_groups;
};

/* What would bind(2) find?  0: nothing, or a socket that nobody serves; 1:
 * one that is served, by somebody who does not notice the question; -1 and
 * why: what cannot make room for a socket.  Nothing is changed. */
int sock_file_look(const struct sock_address *address, struct why *why);

/* Make room for bind(2): remove a socket that nobody serves.  0, or -1 and
 * why: one that is served is there, or no socket at all. */
int sock_file_clear(const struct sock_address *address, struct why *why);

/* Note in the address which file bind(2) has made just now, and set its
 * rights.  0, or -1 and why. */
int sock_file_adopt(struct sock_address *address,
    const struct sock_options *options, struct why *why);

/* Set the rights of the file that was noted, with `acl` its list too.  0, even
 * if it is no longer there; or -1 and why. */
int sock_file_adjust(const struct sock_address *address,
    const struct sock_options *options, bool acl, struct why *why);

/* What a file's rights are, and as they were.  sock_file_restore frees what
 * sock_file_rights noted, unless it is only dropped. */
struct sock_rights {
	bool known; /* the file was there */
	uid_t owner;
	gid_t group;
	mode_t mode;
	void *list; /* sock_acl.h */
};
void sock_file_rights(const struct sock_address *address,
    struct sock_rights *rights);
void sock_file_restore(const struct sock_address *address,
    struct sock_rights *rights);
void sock_rights_drop(struct sock_rights *rights);

/* Remove the file that was noted, if it is still there. */
void sock_file_remove(const struct sock_address *address);

#endif

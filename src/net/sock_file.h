#ifndef NET_SOCK_FILE_H
#define NET_SOCK_FILE_H

/*
 * The file of a listening unix socket.  A user who may write to its directory
 * can put another file in its place at any time.  So the file is identified by
 * device and inode, which are noted in the address; its rights are set through
 * a descriptor, never by path; no other file is removed; and links on the way
 * are followed by the rules of base/path.h.  Runs in the master.
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

/* Check the path without changing anything.  0: a socket can be made there, in
 * the place of a stale one if need be; 1: a process listens there, which does
 * not notice the check; -1 and why: no socket can be made there. */
int sock_file_look(const struct sock_address *address, struct why *why);

/* Make room for bind(2): remove a stale socket, on which no process listens.
 * 0, or -1 and why: a process listens there, or it is not a socket. */
int sock_file_clear(const struct sock_address *address, struct why *why);

/* Right after bind(2): note the new file in the address and set its rights.
 * 0, or -1 and why. */
int sock_file_adopt(struct sock_address *address,
    const struct sock_options *options, struct why *why);

/* Set the rights of the noted file, and its list if `acl` is true.  0, even if
 * the file is no longer there; or -1 and why. */
int sock_file_adjust(const struct sock_address *address,
    const struct sock_options *options, bool acl, struct why *why);

/* The rights of the noted file: save them; set the file back to them and free
 * them; or only free them. */
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

/* Remove the noted file, if it is still there. */
void sock_file_remove(const struct sock_address *address);

#endif

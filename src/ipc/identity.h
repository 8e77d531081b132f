#ifndef IPC_IDENTITY_H
#define IPC_IDENTITY_H

/*
 * The user and groups of a pool's processes, with the user's name and home for
 * their environment.  Looked up once for a generation, in the master or in -t,
 * because the look-up would take most of the time that a worker needs to
 * start.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"
#include "conf/conf.h"
#include "ipc/record.h"

struct identity { /* all zero: not known yet */
	bool changes; /* the process must take these ids: it starts as root */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary, with gid; empty unless it changes */
	size_t ngroups;
	char *name; /* NULL: uid has no entry, so no home either */
	char *home;
};

/* Look up the keys `user` and `group` of a pool.  0, or -1 and why; the caller
 * calls identity_free in either case. */
int identity_find(struct identity *identity, const struct conf_pool *pool,
    struct why *why);
void identity_free(struct identity *identity);

/* Append it as the fields of a record; set it from such a record: 0, or -1
 * (memory), and identity_free in either case. */
void identity_put(const struct identity *identity, struct buf *out);
int identity_get(struct identity *identity, const struct record *record);

#endif

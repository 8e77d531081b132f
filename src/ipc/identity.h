#ifndef IPC_IDENTITY_H
#define IPC_IDENTITY_H

/*
 * Who the processes of a pool are: user, groups, and what the environment
 * says of the user.  Looked up once for a generation, in the master or in -t,
 * since a worker that had to look itself would spend more time on that than
 * on anything else.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"
#include "conf/conf.h"
#include "ipc/record.h"

struct identity { /* all zero: of nobody yet */
	bool changes; /* it is not what the master is */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary, the gid among them; where it changes */
	size_t ngroups;
	char *name; /* NULL: the number has none, and no home */
	char *home;
};

/* The pool's, by its keys `user` and `group`.  0, or -1 and why; to be given
 * back in either case. */
int identity_find(struct identity *identity, const struct conf_pool *pool,
    struct why *why);
void identity_free(struct identity *identity);

/* Append it as the fields of a record; take it out again: 0, or -1
 * (memory). */
void identity_put(const struct identity *identity, struct buf *out);
int identity_get(struct identity *identity, const struct record *record);

#endif

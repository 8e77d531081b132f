#ifndef MASTER_SHARE_SET_H
#define MASTER_SHARE_SET_H

/*
 * The memory of a generation's dictionaries (the key `shared`), one memfd with
 * its size sealed for each.  Generations of a pool hold the same one as long as
 * name, size and user stay.  The master makes it, hands it to workers, and
 * never looks into it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/why.h"
#include "conf/conf.h"
#include "ipc/record.h"

struct share_set {
	struct conf_list declared; /* as conf_pool.shared */
	int *fds;		   /* one for each of these */
};

/* Get memory for each dictionary of the pool: that of `before` (NULL: none) if
 * it has one of the same name and size, or new memory.  0, or -1 and why;
 * share_set_close has to follow in either case, and may be called on a set that
 * is all zero. */
int share_set_open(struct share_set *set, const struct conf_pool *conf,
    const struct share_set *before, struct why *why);
void share_set_close(struct share_set *set);

/* Over an upgrade in place: append the records of a generation's; make the same
 * set of these, with new memory, and a line, for what a build with another
 * layout has left. */
void share_set_hand_over(const struct share_set *set, struct buf *out);
int share_set_take_over(struct share_set *set, const struct conf_pool *conf,
    const struct record *record, struct why *why);

#endif

#ifndef MASTER_QUOTA_H
#define MASTER_QUOTA_H

/*
 * How many workers there are over all pools, and process_max, the most there
 * may be.  Pure but for the clock and the log line; runs in the master.
 */

#include <stdbool.h>
#include <stdint.h>

struct quota {
	int64_t max; /* 0: no limit */
	int64_t now; /* processes, those that leave included */
	bool wanted; /* a fork was refused since quota_freed() was last true */
	int64_t refused; /* clock_ms() of the last refusal, 0: none */
};

/* True if one more worker may be forked.  A refusal is logged, unless there was
 * another less than a minute before. */
bool quota_room(struct quota *quota);

/* A worker was forked; a worker is gone. */
void quota_add(struct quota *quota);
void quota_remove(struct quota *quota);

/* True if a fork was refused and there is room now; then false until another is
 * refused.  The caller has all pools try again. */
bool quota_freed(struct quota *quota);

#endif

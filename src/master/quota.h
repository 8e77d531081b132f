#ifndef MASTER_QUOTA_H
#define MASTER_QUOTA_H

/*
 * How many workers there are over all pools, and process_max, how many there
 * may be.  Pure but for the log line; runs in the master.
 */

#include <stdbool.h>
#include <stdint.h>

struct quota {
	int64_t max; /* 0: no limit */
	int64_t now; /* processes, those that leave included */
	bool wanted; /* somebody was refused, and has not been told of room */
	int64_t refused; /* clock_ms() of the last refusal, 0: none */
};

/* May one more be forked?  If not, that is logged, once until nobody has been
 * refused for a while. */
bool quota_room(struct quota *quota);

/* One was forked; one is gone. */
void quota_add(struct quota *quota);
void quota_remove(struct quota *quota);

/* Is there room now for who was refused?  True once: let all try again. */
bool quota_freed(struct quota *quota);

#endif

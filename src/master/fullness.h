#ifndef MASTER_FULLNESS_H
#define MASTER_FULLNESS_H

/*
 * Tells when a pool begins to be full, which is that each of its workers is
 * busy and clients wait, and when that is over, so that each has one line in
 * the log.  A burst that the workers have soon served is neither.  A policy
 * without effects: values in, values out.
 */

#include <stdbool.h>
#include <stdint.h>

struct fullness { /* all zero: not full */
	bool full;	  /* it has begun, and is not over */
	int64_t first;	  /* when it was seen first, as clock_ms() */
	int64_t seen;	  /* when it was seen last */
	unsigned longest; /* queue since then */
};

enum fullness_change { FULLNESS_SAME, FULLNESS_BEGINS, FULLNESS_ENDS };

/* Look at the pool: each worker is busy, or not, and so many clients wait.  It
 * is full once it was seen so for tuning.full, and no more once it was not for
 * tuning.room. */
enum fullness_change fullness_look(struct fullness *f, bool busy,
    unsigned waiting, int64_t now);

/* clock_ms() at which to look again if nothing happens; -1: no need. */
int64_t fullness_due(const struct fullness *f);

#endif

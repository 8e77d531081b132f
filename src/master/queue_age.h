#ifndef MASTER_QUEUE_AGE_H
#define MASTER_QUEUE_AGE_H

/*
 * How long the connections of a listen queue have been waiting.  The kernel
 * does not tell, but its queue is first in, first out: with the number of those
 * that were accepted, its length at one time tells how many of those that wait
 * now were there already.  A policy without effects: values in, values out.
 */

#include <stdint.h>

#define QUEUE_AGE_PARTS 16 /* of the limit, between two samples */

struct queue_age { /* all zero: no sample yet */
	struct queue_sample {
		int64_t at;    /* clock_ms() */
		uint64_t come; /* connections until then, accepted or waiting */
	} sample[QUEUE_AGE_PARTS + 2]; /* oldest first */
	unsigned n;
	uint64_t accepted; /* at the last look */
};

/*
 * Look at a queue: so many connections wait, so many were accepted before.
 * Returns how many of them, from the head of the queue on, have been waiting
 * for limit ms or longer, as far as samples show, and stores the clock_ms() at
 * which they were there already.  Never too many; those that came between two
 * samples count from the second one on.
 */
unsigned queue_age_look(struct queue_age *age, int64_t now, int64_t limit,
    unsigned waiting, uint64_t accepted, int64_t *since);

#endif

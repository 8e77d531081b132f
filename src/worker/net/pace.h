#ifndef WORKER_NET_PACE_H
#define WORKER_NET_PACE_H

/*
 * How fast a body comes: limits.min_rate in each stretch of tuning.rate ms that
 * was waited for it; time that the application took does not count.  Runs in
 * the worker.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/net/conn.h"

struct pace {
	int64_t min_rate; /* bytes a second, 0: no limit */
	int64_t waited;	  /* ms for the peer, since the rate was looked at */
	uint64_t marked;  /* how many bytes had come then */
	int64_t idle;	  /* ms that pace_is_late has been told, since the last
			     byte */
};

#define PACE_NEVER INT64_MIN /* a deadline: the caller does not wait */

void pace_begin(struct pace *pace, int64_t min_rate);

/*
 * After a recv(2) on c that returned n <= 0 with errno, when `taken` bytes of
 * the body have come: wait for more until clock_ms() `deadline`.  True if it is
 * to be tried again, else errno is that of request_ops.read: ECONNRESET,
 * ETIMEDOUT, or EAGAIN with PACE_NEVER.
 */
bool pace_comes_more(struct pace *pace, const struct conn *c, ssize_t n,
    uint64_t taken, int64_t deadline);

/* True if the caller, who has waited elsewhere for `waited` ms more, has waited
 * for too long: for timeout ms since the last byte, or below the rate. */
bool pace_is_late(struct pace *pace, const struct conn *c, uint64_t taken,
    int64_t timeout, int64_t waited);

#endif

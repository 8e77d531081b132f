#ifndef WORKER_NET_OUTPUT_H
#define WORKER_NET_OUTPUT_H

/*
 * Output that need not wait for its peer: what the socket does not take at once
 * is kept in conn.out, up to a bound, and leaves while the connection is parked
 * in CONN_FLUSH.  Runs in the worker.
 */

#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

#include "worker/net/conn.h"

struct output_limits {
	size_t room;	  /* bytes of conn.out, at most */
	int64_t timeout;  /* ms in which the peer must take something */
	int64_t min_rate; /* bytes a second that it must take, over tuning.rate
			     ms and more of waiting; 0: no limit */
};

/* Once, before the others; limits are copied. */
void output_init(const struct output_limits *limits);

/*
 * Send the pieces, in order, or keep what the peer does not take yet; only for
 * what exceeds the room is the peer waited for.  The array may be changed; the
 * bytes are the caller's again.  0, or -1 with errno EPIPE or ETIMEDOUT; then
 * the connection is of no more use.
 */
int output_send(struct conn *c, struct iovec *piece, int n);

/* Send of conn.out what the peer takes, without waiting.  1: it is empty now;
 * 0: park c in CONN_FLUSH; -1: the peer has left, or takes too little,
 * which has been logged. */
int output_flush(struct conn *c);

#endif

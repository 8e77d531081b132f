#ifndef WORKER_PROTO_FCGI_FCGI_PEER_H
#define WORKER_PROTO_FCGI_FCGI_PEER_H

/*
 * What every FastCGI peer gets, in a request or between two: its bytes are
 * judged, management records are answered, writes to it have a limit.  Knows connections, not requests.  Runs in the worker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/net/conn.h"
#include "worker/proto/fcgi/fcgi_scan.h"

struct fcgi_conn { /* conn.proto */
	struct scan scan; /* first: fcgi_state */
	bool known;	  /* whether the peer is nginx, */
	unsigned nginx;	  /* and the id of its requests then, else 0 */
};

/* The FastCGI state of a connection. */
static inline struct scan *
fcgi_state(const struct conn *c)
{
	return c->proto;
}

/* Once; limits are copied, write_timeout is in ms. */
void fcgi_peer_init(const struct scan_limits *limits, int64_t write_timeout);

/* The roles that are served from now on (scan_limits.roles). */
void fcgi_peer_roles(unsigned roles);

/*
 * Judge the bytes of `in`, which came on c, and send the reply that is due at
 * once, if any.  Returns the verdict of scan_next, or SCAN_ABORT if the reply
 * could not be sent.  wait: the reply may block, within the write limit;
 * otherwise one that does not fit into the socket counts as not sent.
 */
enum scan_verdict fcgi_peer_judge(struct conn *c, struct buf *in, bool wait);

/* Call this before n bytes are written to c: it sets the write limit on the
 * socket before the first write that may block. */
void fcgi_peer_limit(struct conn *c, size_t n);

#endif

#ifndef WORKER_PROTO_FCGI_FCGI_PEER_H
#define WORKER_PROTO_FCGI_FCGI_PEER_H

/*
 * What is owed to any peer that speaks FastCGI, in a request or between two:
 * judgement, the answers that are due at once, limits, complaints.  Knows
 * connections, not requests.  Runs in the worker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/net/conn.h"
#include "worker/proto/fcgi/fcgi_scan.h"

/* What FastCGI knows of a connection. */
static inline struct scan *
fcgi_state(const struct conn *c)
{
	return c->proto;
}

/* Once; write_timeout in ms. */
void fcgi_peer_init(const struct scan_limits *limits, int64_t write_timeout);

/*
 * Judge the bytes of `in`, which came on c (scan_next), and send what is to
 * be answered at once.  wait: the answer may wait for the peer, within the
 * write limit; else one that does not fit into the socket ends the
 * connection.  SCAN_ABORT if the answer could not be sent.
 */
enum scan_verdict fcgi_peer_judge(struct conn *c, struct buf *in, bool wait);

/* n more bytes are about to be written to c, which may block: see to it that
 * it has its limit. */
void fcgi_peer_limit(struct conn *c, size_t n);

/* Log what a peer did wrong, once a second at most. */
void fcgi_peer_blame(const struct conn *c, const char *fault);

#endif

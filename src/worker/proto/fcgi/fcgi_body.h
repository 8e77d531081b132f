#ifndef WORKER_PROTO_FCGI_FCGI_BODY_H
#define WORKER_PROTO_FCGI_FCGI_BODY_H

/*
 * The body of a request as it arrives: every record is judged, its bytes are
 * handed on, and nothing is received before it is asked for.  Runs in the
 * worker.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/net/conn.h"
#include "worker/net/pace.h"
#include "worker/proto/fcgi/fcgi_scan.h"

struct fcgi_body {
	struct conn *conn;
	enum scan_state stream; /* that is read: SCAN_STDIN, or SCAN_DATA */
	size_t head;   /* bytes of conn->in in front of the body */
	int error;     /* errno of the first failure, 0: none */
	uint64_t taken; /* body bytes that were read or drained */
	size_t record;  /* bytes of content of the longest record so far */
	struct pace pace;
};

/* Begin the body whose first bytes follow the head in conn->in.  Until
 * fcgi_body_end the head does not move in memory.  0, or -1 with errno
 * ENOMEM. */
int fcgi_body_begin(struct fcgi_body *body, struct conn *conn,
    int64_t min_rate);

/* As request_ops.read; waits up to timeout ms for bytes to arrive.  ETIMEDOUT
 * too if fewer than min_rate have come in each second of waiting, over
 * tuning.rate ms of it; time that the application took does not count. */
ssize_t fcgi_body_read(struct fcgi_body *body, void *data, size_t n,
    int64_t timeout);

/* Of a filter: read and drop the rest of FCGI_STDIN, unless that has been done;
 * from then on FCGI_DATA is read.  0, or -1 with errno as fcgi_body_read. */
int fcgi_body_turn(struct fcgi_body *body, int64_t timeout);

/* As request_ops.take, with the same limits as fcgi_body_read. */
ssize_t fcgi_body_take(struct fcgi_body *body, void *data, size_t n,
    int64_t timeout, int64_t waited);

/* True if the web server has aborted the request.  Judges what has come, which
 * is received first if `more` (the socket is readable); never waits. */
bool fcgi_body_aborted(struct fcgi_body *body, bool more);

/* Read and drop the rest of the body as far as it has come, but no long one.
 * True if the body has been read to its end, padding included. */
bool fcgi_body_drain(struct fcgi_body *body);

/* The request is over: conn->in begins with what came after it, and the scan is
 * ready for the next one. */
void fcgi_body_end(struct fcgi_body *body);

#endif

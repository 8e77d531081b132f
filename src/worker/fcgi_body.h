#ifndef WORKER_FCGI_BODY_H
#define WORKER_FCGI_BODY_H

/*
 * The body of a request, as it comes: every record is judged, its bytes are
 * handed on, nothing is read before it is asked for.  Runs in the worker.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "worker/conn.h"

struct fcgi_body {
	struct conn *conn;
	struct buf in; /* bytes after the head, from conn->scan.at on unjudged */
	int error;     /* errno of the first failure */
	uint64_t taken; /* bytes of it, read or drained */
};

/* What follows the head in conn->in is the body's beginning; the head stays
 * where it is until fcgi_body_end. */
void fcgi_body_begin(struct fcgi_body *body, struct conn *conn);

/* As request_ops.read; each arrival is waited for up to timeout ms. */
ssize_t fcgi_body_read(struct fcgi_body *body, void *data, size_t n,
    int64_t timeout);

/* Has the web server given the request up?  Looks at what has come after the
 * body, never waits. */
bool fcgi_body_aborted(struct fcgi_body *body);

/* Read the rest as far as it is here already and not long.  True: it has been
 * read to its end, the padding included. */
bool fcgi_body_drain(struct fcgi_body *body);

/* The request is over: what came after it is in conn->in again, the scan is
 * ready for the next.  0, or -1 (no memory): some of that is lost, and with it
 * where the next request begins. */
int fcgi_body_end(struct fcgi_body *body);

#endif

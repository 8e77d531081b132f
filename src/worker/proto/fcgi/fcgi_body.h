#ifndef WORKER_PROTO_FCGI_FCGI_BODY_H
#define WORKER_PROTO_FCGI_FCGI_BODY_H

/*
 * The body of a request, as it comes: every record is judged, its bytes are
 * handed on, nothing is read before it is asked for.  Runs in the worker.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/net/conn.h"

struct fcgi_body {
	struct conn *conn;
	size_t head;   /* bytes of conn->in in front of the body */
	int error;     /* errno of the first failure */
	uint64_t taken; /* bytes of it, read or drained */
	size_t record;  /* content of the largest record so far */
};

/* What follows the head in conn->in is the body's beginning; from here to
 * fcgi_body_end the head stays where it is.  0, or -1 with errno ENOMEM. */
int fcgi_body_begin(struct fcgi_body *body, struct conn *conn);

/* As request_ops.read; each arrival is waited for up to timeout ms. */
ssize_t fcgi_body_read(struct fcgi_body *body, void *data, size_t n,
    int64_t timeout);

/* Has the web server given the request up?  Looks at what has come after the
 * body (more: and is still to be received), never waits. */
bool fcgi_body_aborted(struct fcgi_body *body, bool more);

/* Read the rest as far as it is here already and not long.  True: it has been
 * read to its end, the padding included. */
bool fcgi_body_drain(struct fcgi_body *body);

/* The request is over: conn->in holds what came after it, the scan is ready
 * for the next. */
void fcgi_body_end(struct fcgi_body *body);

#endif

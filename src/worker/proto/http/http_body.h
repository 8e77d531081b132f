#ifndef WORKER_PROTO_HTTP_HTTP_BODY_H
#define WORKER_PROTO_HTTP_HTTP_BODY_H

/*
 * The body of a request: what has come with its head, and what is received when
 * it is asked for.  Runs in the worker, for one request at a time.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/net/conn.h"
#include "worker/net/pace.h"
#include "worker/proto/http/http_chunk.h"

struct http_body {
	struct conn *conn;
	size_t at;	    /* bytes of conn->in that are judged and taken */
	bool chunked;
	bool ended;	    /* it has been read to its end */
	struct http_chunk chunk;
	int64_t left;	    /* without chunks: bytes not yet taken */
	struct buf more;    /* received beyond conn->in, which never moves
			       during a request; kept between requests */
	size_t more_at;	    /* as `at` */
	uint64_t taken;	    /* bytes that were read or drained */
	uint64_t most;	    /* bytes that it may have, 0: any number */
	int error;	    /* errno of the first failure, 0: none */
	struct pace pace;
	struct http_limits limits; /* of trailers */
};

/* Begin the body that follows the first `head` bytes of conn->in; length: of
 * the body, with `chunked` it does not count.  limits, most and `more` are the
 * caller's and stay. */
void http_body_begin(struct http_body *body, struct conn *conn, size_t head,
    int64_t length, bool chunked, int64_t min_rate);

/* As request_ops.read; waits up to timeout ms for bytes to arrive.  EFBIG: it
 * has more than `most` bytes; EBADMSG: its chunks are malformed. */
ssize_t http_body_read(struct http_body *body, void *data, size_t n,
    int64_t timeout);

/* As request_ops.take. */
ssize_t http_body_take(struct http_body *body, void *data, size_t n,
    int64_t timeout, int64_t waited);

/* True if the rest is known to be too long to be drained. */
bool http_body_is_long(const struct http_body *body);

/* Read and drop the rest as far as it has come, but no long one.  True if it
 * has been read to its end. */
bool http_body_drain(struct http_body *body);

/* The request is over: conn->in begins with what came after it. */
void http_body_end(struct http_body *body);

#endif

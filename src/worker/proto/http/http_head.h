#ifndef WORKER_PROTO_HTTP_HTTP_HEAD_H
#define WORKER_PROTO_HTTP_HTTP_HEAD_H

/*
 * The head of a response as HTTP/1.1 has it (RFC 9112, 4), and how the body
 * behind it is framed (RFC 9112, 6.3).  Runs in the worker.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "worker/serve/response.h"

enum http_framing {
	FRAMED_NOT,	  /* there is no body */
	FRAMED_BY_LENGTH, /* Content-Length tells it */
	FRAMED_IN_CHUNKS, /* Transfer-Encoding: chunked */
	FRAMED_BY_CLOSE	  /* up to the end of the connection (HTTP/1.0) */
};

struct http_head_facts { /* of the request that is answered */
	bool old;  /* HTTP/1.0 */
	bool head; /* HEAD */
	bool keep; /* the connection is to be kept */
};

/*
 * Append the head of a response whose body has body_len bytes (-1: not known).
 * Returns the framing of its body.  facts->keep is cleared if the connection
 * cannot be kept: the application said so, or its end is that of the body.
 * out->failed is set if memory ran out.
 */
enum http_framing http_head_print(const struct response *r, int64_t body_len,
    struct http_head_facts *facts, struct buf *out);

/* Append a whole response with that status, its reason as the body, and
 * "Connection: close"; without the body if `head`. */
void http_head_print_error(int status, bool head, struct buf *out);

#endif

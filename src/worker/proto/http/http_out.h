#ifndef WORKER_PROTO_HTTP_HTTP_OUT_H
#define WORKER_PROTO_HTTP_HTTP_OUT_H

/*
 * Writes a response: short data is collected, so that a short response leaves
 * with one send(2); long data leaves from the caller's memory.  A body of
 * unknown length goes out in chunks (RFC 9112, 7.1).  Runs in the worker, for
 * one request at a time.
 */

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/net/conn.h"
#include "worker/net/gather.h"
#include "worker/proto/http/http_head.h"

struct http_out {
	struct conn *conn;
	enum http_framing framing;
	uint64_t written; /* bytes of the body */
	uint64_t length;  /* of the body, with FRAMED_BY_LENGTH */
	bool ended;	  /* all that belongs to the response was written */
	struct gather gather;
	volatile bool sent; /* some may be sent (http_out_replace) */
};

void http_out_begin(struct http_out *out, struct conn *conn);

/* Add the head, which must stay as it is until the response is sent.  length
 * counts with FRAMED_BY_LENGTH.  0, or -1 with errno EPIPE or ETIMEDOUT (as
 * output_send). */
int http_out_head(struct http_out *out, const struct buf *head,
    enum http_framing framing, uint64_t length);

/* Add n pieces of the body; last: no more follows, and all is sent.  Afterwards
 * they have been sent or copied.  Returns as http_out_head. */
int http_out_write(struct http_out *out, const struct iovec *piece, int n,
    bool last);

/* Send what has been collected.  Returns as http_out_head. */
int http_out_send(struct http_out *out);

/* Write and send what ends the body.  Returns as http_out_head. */
int http_out_end(struct http_out *out);

/* True if the response is whole: what it announced has been written. */
bool http_out_is_whole(const struct http_out *out);

/* Send the rest of a response that is not whole, so that the client can tell:
 * the caller closes the connection.  If its end would look like that of the
 * body, it is going to be reset.  Returns as http_out_head. */
int http_out_cut(struct http_out *out);

/* For the guard of watchdog.h, just before the process ends: send data (n
 * bytes) as the whole response if nothing of one has been sent.  False if
 * something has: then the response is left visibly incomplete.  Never waits. */
bool http_out_replace(struct http_out *out, const void *data, size_t n);

#endif

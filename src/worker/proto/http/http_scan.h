#ifndef WORKER_PROTO_HTTP_HTTP_SCAN_H
#define WORKER_PROTO_HTTP_HTTP_SCAN_H

/*
 * The judge of the head of a request: every byte of it passes here before
 * anything else looks at it.  Pure: bytes in, verdict out.  Only what RFC 9112
 * calls well-formed is accepted, and no byte is looked at twice however small
 * the pieces are in which it comes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/proto/http/http_field.h"

#define HTTP_EMPTY_LINES 4  /* skipped before a request line (RFC 9112, 2.2) */
#define HTTP_METHOD_MAX	 32 /* bytes; longer: 501 (RFC 9112, 3) */

struct http_limits {
	size_t head;	 /* bytes of request line and fields; more: 431 */
	size_t target;	 /* bytes; more: 414 */
	unsigned fields; /* more: 431 */
};

enum http_verdict {
	HTTP_MORE, /* judged all there is; more bytes are needed */
	HTTP_HEAD, /* a whole head */
	HTTP_BAD   /* refused, see status and fault: answer and close */
};

/* Between the bytes of a head; all zero before the first. */
struct http_scan {
	size_t at;    /* bytes of the buffer that are judged; with HTTP_HEAD:
			 the length of the head and of what is before it */
	size_t start; /* where the request line begins, behind empty lines */
	size_t mark;  /* where what is being judged begins */
	/* With HTTP_HEAD: the length of the body, -1 if none is said. */
	int64_t length;
	const char *fault; /* with HTTP_BAD: what is wrong, a constant */
	unsigned fields;   /* how many there are */
	unsigned short status; /* with HTTP_BAD: of the answer */
	unsigned char state, field, seen; /* of the judge */
	unsigned char minor; /* of the version: 0, or 1 if it is 1.1 or later */
	/* With HTTP_HEAD: */
	bool chunked; /* the body is, and has no other coding */
	bool keep;    /* the connection persists (RFC 9112, 9.3) */
	bool expects; /* 100-continue, if there is a body to wait for */
	bool upgrade; /* to websocket is asked for; there is no body */
};

/*
 * Judge the n bytes of data from scan->at on; data is the same beginning each
 * time, where the request or an empty line before it begins.  What is wrong is
 * refused once its byte has come: a field's value at the end of its line, what
 * is missing or contradicts at the end of the head.  After HTTP_HEAD and
 * HTTP_BAD the verdict stays.
 *
 * Answers: 400 malformed, or framed in a way of which others might think
 * otherwise; 414, 431 a limit; 417 an expectation but 100-continue; 501 CONNECT,
 * too long a method, a transfer coding but chunked; 505 not HTTP/1.x.
 */
enum http_verdict http_scan_next(struct http_scan *scan, const char *data,
    size_t n, const struct http_limits *limits);

/* Make it ready for the next request, which begins at the front of a buffer. */
void http_scan_reset(struct http_scan *scan);

/*
 * After HTTP_HEAD, with the same data: the method, the target, and up to `most`
 * of the fields, in their order.  Returns how many are in `out`.
 */
size_t http_scan_fields(const char *data, const struct http_scan *scan,
    struct http_span *method, struct http_span *target, struct http_field *out,
    size_t most);

#endif

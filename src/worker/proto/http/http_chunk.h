#ifndef WORKER_PROTO_HTTP_HTTP_CHUNK_H
#define WORKER_PROTO_HTTP_HTTP_CHUNK_H

/*
 * The judge of a chunked body (RFC 9112, 7.1).  Pure: bytes in, verdict out,
 * no byte looked at twice.  Extensions are judged and mean nothing; trailer
 * fields are judged and dropped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/proto/http/http_scan.h"

#define HTTP_CHUNK_MAX	      (UINT64_C(1) << 62) /* bytes of a chunk */
#define HTTP_CHUNK_DIGITS     16   /* of its size */
#define HTTP_CHUNK_EXTENSIONS 4096 /* bytes of a body's extensions in total */

enum http_chunk_verdict {
	CHUNK_MORE,    /* judged all there is; more bytes are needed */
	CHUNK_CONTENT, /* at least a byte of content follows, see left */
	CHUNK_END,     /* the body has ended */
	CHUNK_BAD      /* refused with 400, see fault: answer and close */
};

/* Between the bytes of a body; all zero before the first. */
struct http_chunk {
	uint64_t left;	   /* bytes of the present chunk that are not taken */
	size_t trailer;	   /* bytes of trailer fields */
	const char *fault; /* with CHUNK_BAD: what is wrong, a constant */
	unsigned fields;   /* how many are in the trailer */
	unsigned short extensions; /* bytes of them */
	unsigned char state, digits; /* of the judge */
};

/*
 * Judge framing in the n bytes of data, the first of which has not been judged.
 * *used: how many the caller passes over; with CHUNK_CONTENT content follows
 * them, of which the caller takes what there is, and says so.  Of a trailer
 * limits->head bytes and limits->fields fields are allowed.  After CHUNK_END and
 * CHUNK_BAD the verdict stays, and nothing is used.
 */
enum http_chunk_verdict http_chunk_next(struct http_chunk *chunk,
    const char *data, size_t n, const struct http_limits *limits,
    size_t *used);

/* n bytes of content are taken, at most chunk->left. */
void http_chunk_take(struct http_chunk *chunk, size_t n);

/*
 * Is the body whole in n bytes of data?  Judges them from *at on, which it
 * moves behind what is judged, and adds to *content how many bytes of content
 * were there.  CHUNK_MORE, CHUNK_END or CHUNK_BAD.  To read the body then, begin
 * with another judge at its front.
 */
enum http_chunk_verdict http_chunk_measure(struct http_chunk *chunk,
    const char *data, size_t n, const struct http_limits *limits, size_t *at,
    uint64_t *content);

#endif

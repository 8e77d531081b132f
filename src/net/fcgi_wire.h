#ifndef NET_FCGI_WIRE_H
#define NET_FCGI_WIRE_H

/*
 * FastCGI records and name-value pairs as bytes (FastCGI specification 1.0,
 * sections 3.3, 3.4, 5 and 8): types, flags and statuses are libfcgi's.  Pure:
 * the codec of the client (lua-fcgi), of the worker's judgement of what a peer
 * sends (fcgi_scan) and of its responses (fcgi_out).
 */

#include <fastcgi.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct fcgi_record {
	unsigned version;
	unsigned type;
	unsigned id;
	unsigned content; /* bytes that follow the header */
	unsigned padding; /* bytes that follow the content */
};

struct fcgi_pair { /* points into the bytes it was read from */
	const unsigned char *name;
	const unsigned char *value;
	size_t name_len;
	size_t value_len;
};

void fcgi_get_header(const unsigned char in[FCGI_HEADER_LEN],
    struct fcgi_record *record);
void fcgi_put_header(unsigned char out[FCGI_HEADER_LEN], unsigned type,
    unsigned id, unsigned content, unsigned padding);

/* The record that ends a request. */
void fcgi_put_end(unsigned char out[sizeof(FCGI_EndRequestRecord)],
    unsigned id, uint32_t app_status, unsigned protocol_status);

/*
 * The next pair of the n bytes at *p, which moves past it.  1: a pair.
 * 0: the bytes end before the pair does; *p stays.  A length never leads
 * outside [*p, *p + n), whatever it says.
 */
int fcgi_get_pair(const unsigned char **p, size_t n, struct fcgi_pair *pair);

/* Whole records, appended.  0 or -1 (memory). */
int fcgi_add_begin(struct buf *out, unsigned id, unsigned role,
    unsigned flags);
int fcgi_add_end(struct buf *out, unsigned id, uint32_t app_status,
    unsigned protocol_status);
/* A stream of n bytes as records of at most 65528 bytes, padded to 8; n == 0
 * appends the empty record that ends a stream. */
int fcgi_add_stream(struct buf *out, unsigned type, unsigned id,
    const void *data, size_t n);
/* One pair, as content of a PARAMS or GET_VALUES stream. */
int fcgi_add_pair(struct buf *out, const void *name, size_t name_len,
    const void *value, size_t value_len);

#endif

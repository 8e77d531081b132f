#ifndef NET_FCGI_WIRE_H
#define NET_FCGI_WIRE_H

/*
 * FastCGI records and name-value pairs as bytes (FastCGI specification 1.0,
 * sections 3.3, 3.4, 5 and 8); types, flags and statuses are in libfcgi's
 * header.  For the client (lua-fcgi), and in the worker for what it receives
 * (fcgi_scan) and sends (fcgi_out).  Pure.
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

struct fcgi_pair { /* points into the bytes that were parsed */
	const unsigned char *name;
	const unsigned char *value;
	size_t name_len;
	size_t value_len;
};

/* Parse a record's header, whatever its values; write one. */
void fcgi_get_header(const unsigned char in[FCGI_HEADER_LEN],
    struct fcgi_record *record);
void fcgi_put_header(unsigned char out[FCGI_HEADER_LEN], unsigned type,
    unsigned id, unsigned content, unsigned padding);

/* Write the record that ends a request. */
void fcgi_put_end(unsigned char out[sizeof(FCGI_EndRequestRecord)],
    unsigned id, uint32_t app_status, unsigned protocol_status);

/*
 * Parse the pair at the start of the n bytes at *p.  1: *p moves behind the
 * pair.  0: the bytes end before the pair does, and *p stays.  No length in the
 * bytes can lead outside [*p, *p + n).
 */
int fcgi_get_pair(const unsigned char **p, size_t n, struct fcgi_pair *pair);

/* Append whole records.  0, or -1 (ENOMEM); out->failed is set then. */
int fcgi_add_begin(struct buf *out, unsigned id, unsigned role,
    unsigned flags);
int fcgi_add_end(struct buf *out, unsigned id, uint32_t app_status,
    unsigned protocol_status);
/* Append n bytes of a stream as records of at most 65528 bytes, padded to 8; if
 * n is 0, the empty record that ends a stream. */
int fcgi_add_stream(struct buf *out, unsigned type, unsigned id,
    const void *data, size_t n);
/* Append one pair, as content for a PARAMS or GET_VALUES record. */
int fcgi_add_pair(struct buf *out, const void *name, size_t name_len,
    const void *value, size_t value_len);

#endif

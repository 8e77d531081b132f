#ifndef WORKER_PROTO_HTTP_HTTP_PROXY_H
#define WORKER_PROTO_HTTP_HTTP_PROXY_H

/*
 * The header of the PROXY protocol, which a proxy sends in front of the first
 * request of a connection: whose connection it hands on ("The PROXY protocol,
 * versions 1 & 2", of HAProxy's documentation; the sections are its).  Pure:
 * bytes in, verdict out.  Whether there is one is never guessed: the caller
 * knows that it has to come.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "worker/proto/http/http_address.h"

#define HTTP_PROXY_MOST 4096 /* bytes of a header, with what is added to the
			      * addresses; more is refused */

enum http_proxy_verdict {
	HTTP_PROXY_MORE, /* more bytes are needed */
	HTTP_PROXY_DONE, /* a whole header, `len` bytes of it */
	HTTP_PROXY_BAD	 /* none, see fault: close, without an answer (2) */
};

struct http_proxy {
	size_t len;
	/* Of the client and of the address to which it connected.  Both of
	 * kind HTTP_ADDRESS_NONE if the header tells none (LOCAL, UNKNOWN,
	 * AF_UNSPEC): those of the connection itself count. */
	struct http_address source, destination;
	const char *fault; /* what is wrong, a constant */
};

/*
 * Judge the n bytes that have come first on a connection.  Version 1 (2.1) in
 * the form that is written there, of at most 107 bytes; version 2 (2.2) with
 * stream addresses; what it adds to them is skipped.  Refused as soon as its
 * byte has come.
 */
enum http_proxy_verdict http_proxy_judge(const char *data, size_t n,
    struct http_proxy *out);

/* Append a header of version 2 from which http_proxy_judge takes these
 * addresses.  If one is of kind HTTP_ADDRESS_NONE, or the kinds differ, it
 * tells none.  Failure is out->failed. */
void http_proxy_add(const struct http_address *source,
    const struct http_address *destination, struct buf *out);

#endif

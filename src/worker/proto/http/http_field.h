#ifndef WORKER_PROTO_HTTP_HTTP_FIELD_H
#define WORKER_PROTO_HTTP_HTTP_FIELD_H

/*
 * Values of fields that say how a request is framed and where it goes.  Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "net/http_span.h"

struct http_field {
	struct http_span name, value; /* the value without blanks around it */
};

/* What a field has to do with framing; 0: nothing. */
enum http_known {
	HTTP_OTHER,
	HTTP_HOST,
	HTTP_LENGTH,  /* Content-Length */
	HTTP_CODING,  /* Transfer-Encoding */
	HTTP_CONNECTION,
	HTTP_EXPECT,
	HTTP_UPGRADE,
	HTTP_POSER    /* one of these with an underscore: in a CGI environment
			 it would be the one with a hyphen */
};

/* Which one is this name, a token of any letters? */
enum http_known http_field_known(const char *name, size_t len);

/* Host (RFC 9110, 7.2) that is not empty: a registered name or an address, and
 * perhaps a port, which may be empty. */
bool http_is_host(struct http_span value);

/* Transfer-Encoding (RFC 9112, 6.1): 0 if it is chunked and nothing else; else
 * the status of the answer, and why. */
unsigned http_coding(struct http_span value, const char **fault);

#endif

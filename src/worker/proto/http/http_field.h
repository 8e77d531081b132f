#ifndef WORKER_PROTO_HTTP_HTTP_FIELD_H
#define WORKER_PROTO_HTTP_HTTP_FIELD_H

/*
 * Values of fields that say how a request is framed and where it goes.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Not terminated, and part of what was received. */
struct http_span {
	const char *data;
	size_t len;
};

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

/* The next element of a comma-separated list (RFC 9110, 5.6.1) is taken off its
 * front, without the blanks around it; it may be empty.  False: none is left;
 * a list that was empty had none. */
bool http_list_next(struct http_span *list, struct http_span *element);

/* Is it this text, which is in lower case?  In a span case means nothing. */
bool http_span_is(struct http_span span, const char *lower);

/* A token (RFC 9110, 5.6.2), or tokens with one of `also` among them. */
bool http_is_token(struct http_span span, const char *also);

/* Host (RFC 9110, 7.2) that is not empty: a registered name or an address, and
 * perhaps a port, which may be empty. */
bool http_is_host(struct http_span value);

/* Transfer-Encoding (RFC 9112, 6.1): 0 if it is chunked and nothing else; else
 * the status of the answer, and why. */
unsigned http_coding(struct http_span value, const char **fault);

#endif

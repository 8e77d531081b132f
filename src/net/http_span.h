#ifndef NET_HTTP_SPAN_H
#define NET_HTTP_SPAN_H

/*
 * A part of what was received, and what it may be in HTTP: a token, or a list.
 * Pure.
 */

#include <stdbool.h>
#include <stddef.h>

struct http_span { /* not terminated; data is NULL: it is missing */
	const char *data;
	size_t len;
};

/* The next element of a comma-separated list (RFC 9110, 5.6.1) is taken off its
 * front, without the blanks around it; it may be empty.  False: none is left;
 * a list that was empty had none. */
bool http_list_next(struct http_span *list, struct http_span *element);

/* True if the list has that element, letter by letter; none is empty. */
bool http_list_has(struct http_span list, const char *element, size_t len);

/* Is it this text, which is in lower case?  In a span case means nothing. */
bool http_span_is(struct http_span span, const char *lower);

/* Without the blanks around it. */
struct http_span http_span_trim(struct http_span span);

/* A token (RFC 9110, 5.6.2), or tokens with one of `also` among them. */
bool http_is_token(struct http_span span, const char *also);

#endif

#ifndef NET_HTTP_CLASS_H
#define NET_HTTP_CLASS_H

/*
 * What a byte of HTTP/1.1 may be part of: a table that every judge looks at.
 */

#include <stdbool.h>

enum {
	HTTP_TOKEN = 1,	 /* tchar (RFC 9110, 5.6.2) */
	HTTP_TEXT = 2,	 /* field-vchar, blank (RFC 9110, 5.5), without CR, LF */
	HTTP_TARGET = 4, /* of a request: what RFC 3986 allows but "#", and
			    \ ^ ` { | }, which browsers send in a query */
	HTTP_NAME = 8,	 /* reg-name without percent (RFC 3986, 3.2.2) */
	HTTP_DIGIT = 16,
	HTTP_HEX = 32
};

extern const unsigned char http_class[256];

/* Is the byte one of these? */
static inline bool
http_is(char c, unsigned classes)
{
	return (http_class[(unsigned char)c] & classes) != 0;
}

static inline bool
http_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

#endif

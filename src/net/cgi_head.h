#ifndef NET_CGI_HEAD_H
#define NET_CGI_HEAD_H

/*
 * The headers at the beginning of a CGI response (RFC 3875, section 6.3), as
 * a web server reads them: their end, the status, the promised length.  For
 * clients: lua-fcgi, and fpm.client in a worker.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct cgi_head {
	unsigned status; /* without Status: 302 with Location, else 200 */
	bool has_status; /* there is a Status line */
	int64_t content_length; /* -1: none, or not a number */
};

/* The offset of the body in n > 0 bytes; 0 if they do not have the empty line
 * that ends the head.  The first `from` bytes have been searched before. */
size_t cgi_head_end(const char *start, size_t n, size_t from);

/* Parse a head of n bytes, including its empty line.  0, or -1 and why. */
int cgi_head_parse(const char *line, size_t n, struct cgi_head *head,
    struct why *why);

#endif

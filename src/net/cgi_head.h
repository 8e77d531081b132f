#ifndef NET_CGI_HEAD_H
#define NET_CGI_HEAD_H

/*
 * The headers at the beginning of a CGI response (RFC 3875, section 6.3), as
 * a web server reads them: their end, their lines, the status, the promised
 * length.  For clients (lua-fcgi, fpm.client in a worker) and for a worker that
 * runs CGI programs.  Pure.
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

/* A header: neither text is terminated, and the value has no blanks around
 * it. */
struct cgi_header {
	const char *name, *value;
	size_t name_len, value_len;
};

/*
 * Take the next header off a head: *line points into it, at the beginning of a
 * line, and moves on; `stop` is the end of the head, behind its empty line.
 * 1: there is one; 0: there is none any more; -1 and why: the line is none.
 */
int cgi_head_next(const char **line, const char *stop,
    struct cgi_header *header, struct why *why);

/* Parse a head of n bytes, including its empty line.  0, or -1 and why. */
int cgi_head_parse(const char *line, size_t n, struct cgi_head *head,
    struct why *why);

#endif

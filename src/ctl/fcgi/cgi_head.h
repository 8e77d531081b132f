#ifndef CTL_FCGI_CGI_HEAD_H
#define CTL_FCGI_CGI_HEAD_H

/*
 * The headers at the beginning of a CGI response (RFC 3875, section 6.3), as
 * a web server reads them: where they end, the status, the promised length.
 * Pure; runs in the control tool.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct cgi_head {
	unsigned status; /* 302 with Location and no Status, else 200 */
	bool has_status; /* there is a Status line */
	int64_t content_length; /* -1: none */
};

/* Where the body begins in the n > 0 bytes, or 0: the empty line that ends
 * the head is not among them.  The first `from` have been searched before. */
size_t cgi_head_end(const char *start, size_t n, size_t from);

/* Read a head of n bytes, its empty line included.  0, or -1 and why. */
int cgi_head_parse(const char *line, size_t n, struct cgi_head *head,
    struct why *why);

#endif

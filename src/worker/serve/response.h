#ifndef WORKER_SERVE_RESPONSE_H
#define WORKER_SERVE_RESPONSE_H

/*
 * The head of a response as data: collects status and headers, and refuses what
 * would be malformed or would split the response.  The protocol prints it
 * (request_ops.head).  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct response {
	struct buf headers; /* whole lines, each with CRLF */
	int status;	    /* 200 unless set; 302 with a Location (RFC 3875,
			       6.2.3) */
	char reason[128];
	int64_t length;	    /* Content-Length the application gave, or -1 */
	bool has_status;    /* Status given */
	bool has_type;	    /* Content-Type given */
	bool has_location;  /* Location given */
	bool has_date;	    /* Date given */
	bool close;	    /* "Connection: close" given, which is no line */
};

/* Begin a response: status 200, no headers.  The memory of the one before is
 * used again; r is all zero the first time. */
void response_init(struct response *r);
void response_free(struct response *r);

/* Set the status, 100 to 999, and a reason phrase; reason_len 0: the registered
 * one.  Or both from a text, "404 Not Found" or "404".  0, or -1 and why. */
int response_status(struct response *r, int64_t status, const char *reason,
    size_t reason_len, struct why *why);
int response_status_text(struct response *r, const char *text, size_t len,
    struct why *why);

/*
 * Add one header.  The name must be a token (RFC 9110, 5.6.2), the value must
 * have no control byte but the tab (CR, LF and NUL split responses, and Apache
 * refuses the others); blanks around it are dropped.  Content-Length must be a
 * number.  Content-Length, Content-Type and Location may be given once.
 * "Status" is refused, as it is not a header, and so are those that are between
 * a server and its peer alone (RFC 9110, 7.6.1; RFC 3875, 6.3.4), but for
 * "Connection: close" and "Connection: keep-alive".  0, or -1 and why.
 */
int response_header(struct response *r, const char *name, size_t name_len,
    const char *value, size_t value_len, struct why *why);

/* True if a response with this status may have a body (not 1xx, 204,
 * 205, 304). */
bool response_has_body(const struct response *r);

/* The Content-Type that is to be added to the headers; NULL: none.  One is, if
 * a body is possible and neither Content-Type nor Location was given. */
const char *response_type(const struct response *r);

/* The Content-Length that is to be sent; -1: none.  It is that of the
 * application, or else body_len, the length of the body (-1: not known), but
 * not for 304; 0 for 205 (RFC 9110, 15.3.6).  1xx and 204 have none (8.6). */
int64_t response_length(const struct response *r, int64_t body_len);

/* The reason phrase that is to be sent, perhaps "". */
const char *response_phrase(const struct response *r);

/* The registered reason phrase of a status, "" if there is none. */
const char *response_reason(int status);

#endif

#ifndef CTL_FCGI_FCGI_REPLY_H
#define CTL_FCGI_FCGI_REPLY_H

/*
 * A FastCGI response as it arrives: bytes in, head, body and error text out.
 * Trusts nothing: what a broken or hostile server sends ends in a verdict and
 * costs no more memory than REPLY_HEAD_MAX.  Pure; runs in the control tool,
 * knows neither sockets nor time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "ctl/fcgi/cgi_head.h"
#include "net/fcgi_wire.h"

#define REPLY_HEAD_MAX 65536 /* bytes of all CGI headers */

enum fcgi_verdict {
	REPLY_MORE,	/* so far so good, not complete */
	REPLY_DONE,	/* complete: END_REQUEST has arrived */
	REPLY_CUT,	/* it ended too early */
	REPLY_PROTOCOL, /* it is no FastCGI or no CGI response */
	REPLY_CONNECT,	/* for those who fetch: no connection, */
	REPLY_TIMEOUT	/* too slow */
};

struct fcgi_sink { /* each function may be NULL */
	/* The head as it came, its empty line included. */
	void (*head)(void *arg, const char *head, size_t n);
	void (*body)(void *arg, const void *data, size_t n);
	void (*errors)(void *arg, const void *data, size_t n);
	/* Something odd that does no harm; once for each kind. */
	void (*warning)(void *arg, const char *text);
	void *arg;
};

struct fcgi_reply {
	struct cgi_head cgi;	/* cgi.status is 0 until the head is whole */
	bool bodiless;		/* Content-Length promises no body */
	uint32_t app_status;	/* of END_REQUEST */
	uint64_t body;		/* bytes of it so far */
	uint64_t bytes;		/* everything that came, framing included */
	/* The rest is this file's own. */
	const struct fcgi_sink *sink;
	struct buf head;
	unsigned char header[FCGI_HEADER_LEN];
	unsigned have; /* bytes of header; FCGI_HEADER_LEN: record is valid */
	struct fcgi_record record; /* content, padding: what is to come */
	unsigned char end[8];
	unsigned end_have;
	bool odd_type, odd_id;
};

/* Prepare for the next response; the memory of the last is used again.  A
 * struct that was never used must be all zero.  `head` answers HEAD. */
void fcgi_reply_init(struct fcgi_reply *r, const struct fcgi_sink *sink,
    bool head);
void fcgi_reply_free(struct fcgi_reply *r);

/*
 * Take n bytes, or fewer: *used says how many; what follows a complete
 * response is left.  why is filled with REPLY_CUT and REPLY_PROTOCOL.
 */
enum fcgi_verdict fcgi_reply_feed(struct fcgi_reply *r, const void *data,
    size_t n, size_t *used, struct why *why);

#endif

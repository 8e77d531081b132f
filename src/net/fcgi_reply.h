#ifndef NET_FCGI_REPLY_H
#define NET_FCGI_REPLY_H

/*
 * Parse a FastCGI response as it arrives: bytes in; head, body and error text
 * out.  A broken or hostile server causes no more than a verdict: of all that
 * it sends only the head is stored, up to its limit and the bytes of one call.
 * For clients: lua-fcgi, and fpm.client in a worker.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "net/cgi_head.h"
#include "net/fcgi_wire.h"

#define REPLY_ID       1     /* of the only request on a connection */
#define REPLY_HEAD_MAX 65536 /* bytes of all CGI headers, by default */

enum fcgi_verdict {
	REPLY_MORE,	/* no fault so far, but not complete */
	REPLY_DONE,	/* complete: END_REQUEST has arrived */
	REPLY_CUT,	/* it ended too early */
	REPLY_PROTOCOL, /* not FastCGI, not a CGI response, or refused */
	REPLY_CONNECT,	/* not from here: no connection */
	REPLY_TIMEOUT	/* not from here: not in time */
};

struct fcgi_sink { /* each function may be NULL */
	/* The head as it arrived, including its empty line. */
	void (*head)(void *arg, const char *head, size_t n);
	void (*body)(void *arg, const void *data, size_t n);
	void (*errors)(void *arg, const void *data, size_t n);
	/* A harmless oddity; once for each kind. */
	void (*warning)(void *arg, const char *text);
	void *arg;
};

struct fcgi_reply {
	struct cgi_head cgi;	/* cgi.status is 0 until the head is complete */
	bool bodiless;		/* Content-Length does not announce a body */
	uint32_t app_status;	/* of END_REQUEST */
	unsigned protocol_status; /* of END_REQUEST */
	size_t head_most;	/* bytes of all CGI headers */
	uint64_t body;		/* bytes of the body so far */
	uint64_t bytes;		/* all bytes so far, with record headers */
	/* The rest is private to fcgi_reply.c. */
	const struct fcgi_sink *sink;
	struct buf head;
	unsigned char header[FCGI_HEADER_LEN];
	unsigned have; /* bytes of header; FCGI_HEADER_LEN: record is valid */
	struct fcgi_record record; /* its content and padding: bytes to come */
	unsigned char end[8];
	unsigned end_have;
	bool odd_type, odd_id;
};

/* Prepare for the next response; memory of the last one is used again.  A
 * struct that was never used must be all zero.  head: the request is a HEAD.
 * head_most may be changed afterwards. */
void fcgi_reply_init(struct fcgi_reply *r, const struct fcgi_sink *sink,
    bool head);
void fcgi_reply_free(struct fcgi_reply *r);

/*
 * Take *used of n bytes: all, or those up to the end of the response.  why is
 * filled if the result is REPLY_CUT or REPLY_PROTOCOL.
 */
enum fcgi_verdict fcgi_reply_feed(struct fcgi_reply *r, const void *data,
    size_t n, size_t *used, struct why *why);

#endif

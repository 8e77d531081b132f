#ifndef WORKER_CGI_CGI_REPLY_H
#define WORKER_CGI_CGI_REPLY_H

/*
 * The response that a CGI program writes, as it comes: its head is judged as
 * that of an application is (response.h), its body is passed on.  Runs in the
 * worker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "worker/serve/request.h"
#include "worker/serve/response.h"

enum cgi_reply_end {
	CGI_REPLY_DONE, /* so far */
	CGI_REPLY_BAD,	/* what it wrote is no response, or the body is too
			   short; why says so */
	CGI_REPLY_CUT,	/* the body is longer than its Content-Length: the rest
			   was cut off, which why says */
	CGI_REPLY_GONE	/* the client takes no more */
};

struct cgi_reply { /* all zero the first time */
	struct request *request;
	struct response response;
	struct buf head; /* what has come of it */
	bool begun;	 /* the head has been sent */
	bool mute;	 /* a response without a body */
	bool cut;	 /* the body was too long */
	int64_t left;	 /* bytes that Content-Length leaves, -1: not given */
};

/* Begin the response to a request.  Memory of the one before is used again. */
void cgi_reply_begin(struct cgi_reply *reply, struct request *request);

/* The program has written n bytes.  CGI_REPLY_CUT comes once. */
enum cgi_reply_end cgi_reply_take(struct cgi_reply *reply, const char *data,
    size_t n, struct why *why);

/* Its output has ended: CGI_REPLY_BAD if that was too early. */
enum cgi_reply_end cgi_reply_finish(const struct cgi_reply *reply,
    struct why *why);

#endif

#ifndef WORKER_CGI_CGI_BODY_H
#define WORKER_CGI_CGI_BODY_H

/*
 * The body of a request on its way into a program: as it comes and as the
 * program reads it.  Neither waits for the other further than a buffer goes, or
 * a file without a name, if that is wanted.  Runs in the worker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/serve/request.h"

#define CGI_BODY_ROOM (64 * 1024) /* bytes of the buffer */

enum cgi_body_end {
	CGI_BODY_MORE,	 /* nothing has ended it */
	CGI_BODY_FAILED, /* it could not be read from the client; error */
	CGI_BODY_LOST	 /* the file could not be written, or read; errno */
};

struct cgi_body {
	struct request *request;
	char *data;	/* data[at..len) is to be written to the program; */
	size_t at, len;
	int file;	/* then what is in file[from..to); -1: no file; */
	off_t from, to;
	char *room;	/* what is on its way to the file */
	bool whole;	/* and its end has come */
	int error;	/* errno of request_ops.read, with CGI_BODY_FAILED */
	bool more;	/* the last move has stopped where it could go on: more
			   may have been received already */
};

/* Once, before the first request: 0, or -1 (ENOMEM). */
int cgi_body_init(struct cgi_body *body);

/* Begin the body of a request, with what is here of it. */
enum cgi_body_end cgi_body_begin(struct cgi_body *body,
    struct request *request);

/*
 * Move what can be moved without waiting into *in, the program's input, which is
 * closed (-1) when all has been written, or when nobody reads it.  `waited`: as
 * for request_ops.take.
 */
enum cgi_body_end cgi_body_move(struct cgi_body *body, int *in,
    int64_t waited);

/* Keep in a file what the program does not read yet: false if there can be
 * none. */
bool cgi_body_keep(struct cgi_body *body);

/* True if it is the client's turn, or the program's; perhaps both. */
bool cgi_body_awaits_client(const struct cgi_body *body);
bool cgi_body_awaits_program(const struct cgi_body *body);

/* The request is over. */
void cgi_body_end(struct cgi_body *body);

#endif

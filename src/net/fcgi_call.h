#ifndef NET_FCGI_CALL_H
#define NET_FCGI_CALL_H

/*
 * Requests to a FastCGI server, one after the other over a connection that is
 * kept if it can be.  Output and input go on at the same time, a step at a
 * time, and each wait ends with the request's deadline.  Whatever the server
 * sends, no more of it is held than a head, some error text and the bytes of a
 * step, and none of it is taken for a part of another response.  For
 * fpm.client; runs in the worker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "net/fcgi_address.h"
#include "net/fcgi_reply.h"

struct fcgi_call {
	struct fcgi_address address;
	/* True if a wait is to end before its time; asked when a signal has
	 * interrupted it. */
	bool (*interrupted)(void);
	struct buf errors; /* received on FCGI_STDERR */
	struct buf head;   /* as it came, with its empty line; empty before */
	struct fcgi_reply reply;
	struct why why;	   /* the last failure */
	bool flooded;	   /* FCGI_STDERR had more bytes than it may */
	bool stale;	   /* the server has closed a kept connection and not
			      answered a byte: it can be tried again */
	/* The rest is private to fcgi_call.c. */
	struct buf body; /* received */
	size_t taken;	 /* bytes of it that have been taken */
	int fd;
	bool keep;   /* the server is asked to keep the connection */
	bool reused; /* the connection has carried a request before */
	bool busy;   /* a request has begun and not ended */
	unsigned open;	 /* streams of the request that have not ended */
	struct buf out;	 /* to be sent */
	size_t sent;	 /* bytes of it that have been */
	bool deaf;	 /* the server takes no more */
	int64_t deadline;
	size_t errors_most;
	struct fcgi_sink sink;
};

struct fcgi_call_plan {
	unsigned role;	     /* FCGI_RESPONDER, and so on */
	bool keep;
	bool head;	     /* REQUEST_METHOD is HEAD */
	int64_t timeout;     /* ms for all of it, connecting included */
	size_t head_most;    /* bytes of the response's head */
	size_t errors_most;  /* bytes on FCGI_STDERR */
};

/* Prepare a call to that address; nothing is connected yet.  The struct does
 * not move from here on. */
void fcgi_call_init(struct fcgi_call *call, const struct fcgi_address *address,
    bool (*interrupted)(void));

/* Close the connection, free the memory.  Another request may begin. */
void fcgi_call_close(struct fcgi_call *call);

/* Connect, unless that has been done.  REPLY_MORE; REPLY_CONNECT or
 * REPLY_TIMEOUT and call->why. */
enum fcgi_verdict fcgi_call_connect(struct fcgi_call *call, int64_t timeout);

/*
 * Begin a request with these parameters (pairs of fcgi_wire.h).  A connection
 * that is kept is used again unless the last response is not complete or
 * something has come since; else it connects.  REPLY_MORE; or as
 * fcgi_call_connect.
 */
enum fcgi_verdict fcgi_call_begin(struct fcgi_call *call,
    const struct fcgi_call_plan *plan, const struct buf *params);

/* Add n bytes to a stream of the request, FCGI_STDIN or FCGI_DATA; 0: it ends.
 * They are sent by the steps that follow.  0, or -1 (ENOMEM). */
int fcgi_call_put(struct fcgi_call *call, unsigned type, const void *data,
    size_t n);

/* True if the server has not taken all that was added. */
bool fcgi_call_sends(const struct fcgi_call *call);

/*
 * Wait until something can be sent or has come, and do that.  REPLY_MORE; or
 * REPLY_DONE: the response is complete, though not all of its body may have
 * been taken; or a failure and call->why, and the connection is closed.
 */
enum fcgi_verdict fcgi_call_step(struct fcgi_call *call);

/* The *n bytes that have come of the body and not been taken, until the next
 * step; take n of them. */
const char *fcgi_call_body(const struct fcgi_call *call, size_t *n);
void fcgi_call_take(struct fcgi_call *call, size_t n);

#endif

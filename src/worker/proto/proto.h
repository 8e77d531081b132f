#ifndef WORKER_PROTO_PROTO_H
#define WORKER_PROTO_PROTO_H

/*
 * What a protocol is to a worker: it turns the bytes of connections into
 * requests, and tells what is to become of a connection.  It never owns a
 * descriptor.  serve.c knows protocols by this alone.
 */

#include <stddef.h>

#include "base/buf.h"
#include "worker/net/conn.h"
#include "worker/serve/request.h"

enum proto_verdict {
	PROTO_MORE,    /* wait for more bytes */
	PROTO_REQUEST, /* the head of a request is whole: begin */
	PROTO_LINGER,  /* all is said: let the peer finish */
	PROTO_CLOSE    /* nothing is left to be said or heard */
};

enum proto_end {
	PROTO_END_KEEP, /* the connection may carry another request */
	PROTO_END_LINGER, /* the peer is still sending */
	PROTO_END_CLOSE
};

struct proto {
	const char *name;  /* handoff.h */
	size_t state_size; /* bytes of conn->proto, zero at first */

	/* Judge conn->in between two requests; answers of the protocol itself
	 * are sent, without waiting.  Why it is to be ended has been logged. */
	enum proto_verdict (*judge)(struct conn *c);

	/* The request whose head is whole; it lives until release.  NULL:
	 * close the connection (logged). */
	struct request *(*begin)(struct conn *c);

	/* Finish the response, with request->app_status, and drain what is
	 * left of the body if that is cheap.  The request tells for the last
	 * time what has become of it. */
	enum proto_end (*end)(struct request *request);

	/* conn->in has what came after it.  NULL: it has by then. */
	void (*release)(struct request *request);

	/* No head has come in time: log it, the connection is closed.  NULL:
	 * that is no fault. */
	void (*late)(const struct conn *c);

	/* For a worker that is to take it over: append bytes that lead to what
	 * is known of it.  0, or -1: it cannot be handed over. */
	int (*pack)(const struct conn *c, struct buf *out);
};

#endif

#ifndef WORKER_PROTO_PROTO_H
#define WORKER_PROTO_PROTO_H

/*
 * The interface of a protocol: it turns the bytes of connections into requests
 * and decides what becomes of a connection.  It never owns a descriptor.
 * serve.c knows a protocol only by this.
 */

#include <stddef.h>

#include "base/buf.h"
#include "worker/net/conn.h"
#include "worker/serve/request.h"

enum proto_verdict {
	PROTO_MORE,    /* wait for more bytes of a head */
	PROTO_BODY,    /* wait for more bytes of a body */
	PROTO_REQUEST, /* the head of a request is complete: begin */
	PROTO_LINGER,  /* all is sent: let the peer finish (CONN_LINGER) */
	PROTO_CLOSE    /* close the connection */
};

struct proto {
	const char *name;  /* in messages of handoff.h */
	size_t state_size; /* bytes of conn->proto, zero at first */

	/* Serve requests of these roles from now on, ROLE_BIT of each; until then
	 * only a responder's.  NULL: the protocol has no others. */
	void (*roles)(unsigned roles);

	/* Judge c->in between two requests.  Answers of the protocol itself
	 * are sent, without waiting.  A fault of the peer is logged. */
	enum proto_verdict (*judge)(struct conn *c);

	/* After PROTO_REQUEST: the request, which is the protocol's and lives
	 * until release.  NULL: close the connection; the reason has been
	 * logged. */
	struct request *(*begin)(struct conn *c);

	/* Of a request with `upgrade`: the descriptor, to be passed on; what
	 * came behind the request is *len bytes at *rest, until release.  NULL
	 * if the protocol has no upgrades. */
	int (*pass)(const struct request *request, const char **rest,
	    size_t *len);

	/* Finish the response, unless the request was passed on; or, if request->app_status is not 0, cut it so
	 * that the client can notice it; and drain the rest of the body if that
	 * is cheap.  After it the counts and the state of the request
	 * (bytes_in, bytes_out, aborted) are final. */
	enum conn_then (*end)(struct request *request);

	/* After end: the request is not used any more.  Afterwards conn->in has
	 * what came after it.  NULL if that is so after end. */
	void (*release)(struct request *request);

	/* What a parked connection awaits, in CONN_HEAD or CONN_BODY, has not
	 * come in time: answer or log that, and close it or let it linger. */
	void (*late)(struct conn *c);

	/* The worker leaves, and nobody takes over this idle connection: let
	 * the peer close it, if it can be told to.  NULL: it cannot. */
	void (*part)(const struct conn *c);

	/* As conn_kind.pack. */
	int (*pack)(const struct conn *c, struct buf *out);
};

#endif

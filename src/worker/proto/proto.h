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
	PROTO_MORE,    /* wait for more bytes */
	PROTO_REQUEST, /* the head of a request is complete: begin */
	PROTO_LINGER,  /* all is sent: let the peer finish (CONN_LINGER) */
	PROTO_CLOSE    /* close the connection */
};

enum proto_end {
	PROTO_END_KEEP, /* the connection may carry another request */
	PROTO_END_LINGER, /* the peer is still sending */
	PROTO_END_CLOSE
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

	/* Finish the response, or, if request->app_status is not 0, cut it so
	 * that the client can notice it; and drain the rest of the body if that
	 * is cheap.  After it the counts and the state of the request
	 * (bytes_in, bytes_out, aborted) are final. */
	enum proto_end (*end)(struct request *request);

	/* After end: the request is not used any more.  Afterwards conn->in has
	 * what came after it.  NULL if that is so after end. */
	void (*release)(struct request *request);

	/* No complete head has come in time: log that; the caller closes the
	 * connection.  NULL if that is no fault. */
	void (*late)(const struct conn *c);

	/* As handoff_pack: append the bytes that lead to the protocol's state
	 * of c.  0, or -1 if it cannot be handed over. */
	int (*pack)(const struct conn *c, struct buf *out);
};

#endif

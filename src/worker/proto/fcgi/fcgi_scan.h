#ifndef WORKER_PROTO_FCGI_FCGI_SCAN_H
#define WORKER_PROTO_FCGI_FCGI_SCAN_H

/*
 * The judge of what a peer sends: every record of a connection passes here,
 * in head and body, before anything else looks at it.  Pure: bytes in, verdict
 * out; what is to be answered at once is appended to a buffer for the caller
 * to send.  Rules: FastCGI specification 1.0, sections 3, 4, 5.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum scan_state {
	SCAN_IDLE,   /* between requests: BEGIN_REQUEST may come */
	SCAN_PARAMS, /* in a head */
	SCAN_STDIN,  /* in a body */
	SCAN_DATA,   /* of a filter: in the second body, FCGI_DATA (6.4) */
	SCAN_DONE    /* all has come; only an abort may follow */
};

enum scan_verdict {
	SCAN_MORE,    /* judged all there is; more bytes are needed */
	SCAN_HEAD,    /* a whole head: params and params_len are set */
	SCAN_CONTENT, /* body bytes: take up to `content` from `at` */
	SCAN_END,     /* a body has ended: see state, which may be SCAN_DATA */
	SCAN_ABORT,   /* the web server gave the request up */
	SCAN_REFUSE,  /* a reply says why; then close (unknown role) */
	SCAN_LARGE,   /* the head exceeds its limit */
	SCAN_BAD      /* malformed, see fault: close */
};

struct scan {
	enum scan_state state;
	unsigned id; /* of the request, once it has begun */
	unsigned role; /* FCGI_RESPONDER, and so on, likewise */
	bool keep;   /* FCGI_KEEP_CONN */
	size_t at;   /* bytes of the buffer that are judged */
	size_t params; /* where the parameters lie in the buffer, joined */
	size_t params_len;
	size_t content; /* body bytes of the present record, not yet taken */
	size_t skip;	/* bytes that follow and are ignored */
	const char *fault; /* what is malformed, a constant (SCAN_BAD) */
};

struct scan_limits {
	size_t head;	   /* bytes of parameters, with their lengths */
	unsigned capacity; /* requests the pool serves at once (GET_VALUES) */
	unsigned roles;	   /* that are served, SCAN_ROLE of each */
};

#define SCAN_ROLE(role) (1u << (role)) /* role: FCGI_RESPONDER, and so on */

/* Make it ready for the next request of the connection; at and skip stay. */
void scan_reset(struct scan *scan);

/*
 * Judge the bytes of `in` from scan->at on, and append to `reply` what is to be
 * answered at once.  In a head (IDLE, PARAMS) records are judged once they are
 * complete, and parameters are moved together in place.  In a body a record's
 * content may be taken piece by piece: the caller takes n <= content bytes at
 * `at`, then adds n to at and subtracts it from content.  The caller may drop
 * the first `at` bytes of the buffer (and set at to 0) except from the first
 * record of a head until the head is no longer used.
 */
enum scan_verdict scan_next(struct scan *scan, struct buf *in,
    const struct scan_limits *limits, struct buf *reply);

/*
 * In SCAN_DONE, once the request has been answered: pass over what belongs to
 * it and means nothing.  That is padding, and what an authorizer is sent on
 * FCGI_STDIN: the specification gives it no body (6.3) and Apache and lighttpd
 * send none, but a server may send the empty record that ends one.  False if
 * more of that is yet to come.
 */
bool scan_settle(struct scan *scan, const struct buf *in);

/*
 * Between requests or in a head (IDLE, PARAMS): append to `out` the shortest
 * bytes that lead a fresh scan to the state of this one, and after them the
 * bytes of `in` that are not judged.  0; -1 in another state, or if memory ran
 * out.
 */
int scan_pack(const struct scan *scan, const struct buf *in, struct buf *out);

#endif

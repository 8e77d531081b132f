#ifndef WORKER_PROTO_FCGI_FCGI_H
#define WORKER_PROTO_FCGI_FCGI_H

/*
 * FastCGI behind struct request.  What a peer sends is judged by fcgi_scan and
 * handed to the application from our own buffers; what it is sent is framed by
 * fcgi_out.  libfcgi's part in this is its fastcgi.h, the numbers of the wire:
 * its reader trusts and waits for the peer, and its writer copies everything.
 * One request at a time.
 */

#include <stdint.h>

#include "worker/net/conn.h"
#include "worker/proto/fcgi/fcgi_scan.h"
#include "worker/serve/request.h"

struct fcgi_options {
	struct scan_limits scan;
	int64_t read_timeout;  /* ms between two arrivals of body bytes */
	int64_t write_timeout; /* ms for the peer to take any output */
	const char *request_id; /* parameter that has it, NULL: none has */
};

enum fcgi_end {
	FCGI_END_KEEP,	/* whole, and the connection may carry another */
	FCGI_END_CLOSE, /* nothing is left to be said or heard */
	FCGI_END_LINGER /* the peer is still sending: let it finish */
};

/* Once in a worker. */
void fcgi_init(const struct fcgi_options *options);

/*
 * Judge what has been received on a connection between requests; answers due
 * at once are sent.  SCAN_MORE: wait; SCAN_HEAD: fcgi_begin; anything else:
 * the connection is to be ended (the reason has been logged), by lingering if
 * SCAN_REFUSE, else by closing.
 */
enum scan_verdict fcgi_judge(struct conn *c);

/* For a worker that is to take c over (handoff_pack of handoff.h). */
int fcgi_pack(const struct conn *c, struct buf *out);

/* The request whose head is complete on c; it lives until fcgi_release.
 * NULL: its parameters are malformed, close the connection (logged). */
struct request *fcgi_begin(struct conn *c);

/* Finish the response, with request->app_status, and drain what is left of
 * the body if that is cheap.  The request tells for the last time what has
 * become of it. */
enum fcgi_end fcgi_end(struct request *request);

/* It is not needed any more.  c->in then holds what came after it. */
void fcgi_release(struct request *request);

#endif

#ifndef WORKER_PROTO_FCGI_FCGI_OUT_H
#define WORKER_PROTO_FCGI_FCGI_OUT_H

/*
 * The records of a response on their way to the peer.  What is short is
 * collected, so that a short response leaves with one send(2); what is long
 * leaves with one sendmsg(2) from where the caller has it, between the
 * headers of its records.  Runs in the worker, for one request at a time: its
 * buffer is the worker's.
 */

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/net/conn.h"

#define FCGI_OUT_BUFFER 16384 /* a response up to this leaves in one piece */
#define FCGI_OUT_PIECES 128   /* of one sendmsg(2), far below IOV_MAX */

struct fcgi_out {
	struct conn *conn;
	unsigned id;
	unsigned char *record; /* header of the last one, which may yet grow */
	unsigned type;	       /* of that */
	size_t content;	       /* bytes in that */
	struct iovec piece[FCGI_OUT_PIECES]; /* to be sent, in order */
	int n;
	size_t used;   /* bytes of the buffer */
	bool borrowed; /* some pieces are the caller's */
	bool output, errors; /* of which streams records have been made */
	/* What the guard's thread looks at: */
	volatile bool output_sent, errors_sent; /* some of those, or all */
	volatile bool sending; /* a record may be half sent */
	unsigned char buffer[FCGI_OUT_BUFFER];
};

/* A response to the request of that id begins. */
void fcgi_out_begin(struct fcgi_out *out, struct conn *conn, unsigned id);

/*
 * More bytes of a stream, FCGI_STDOUT or FCGI_STDERR, in n pieces.  What is
 * not sent at once has been copied.  0, or -1 with errno EPIPE or ETIMEDOUT
 * (the peer took nothing in time): then the connection is of no use any more.
 */
int fcgi_out_write(struct fcgi_out *out, unsigned type,
    const struct iovec *piece, int n);

/* Send what has been collected.  As above. */
int fcgi_out_send(struct fcgi_out *out);

/* Send the rest, and the records that end the streams and the request.  As
 * above. */
int fcgi_out_end(struct fcgi_out *out, uint32_t app_status);

/*
 * From another thread, at the end of the process: a whole response, if none of
 * the present one has been sent; else, a stream of errors that was begun is
 * ended, and the response is seen as cut.  Never waits.  False: it was cut.
 */
bool fcgi_out_replace(struct fcgi_out *out, const void *data, size_t n);

#endif

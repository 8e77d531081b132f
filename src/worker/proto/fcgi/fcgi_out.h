#ifndef WORKER_PROTO_FCGI_FCGI_OUT_H
#define WORKER_PROTO_FCGI_FCGI_OUT_H

/*
 * Writes the records of a response.  Short data is collected in a buffer, so
 * that a short response leaves with one send(2).  Long data is not copied: it
 * leaves from the caller's memory, between the headers of its records, with one
 * sendmsg(2).  Runs in the worker, for one request at a time.
 */

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/net/conn.h"
#include "worker/net/gather.h"

struct fcgi_out {
	struct conn *conn;
	unsigned id;
	unsigned char *record; /* header of the last record, which can still
				  grow; NULL: none can */
	unsigned type;	       /* of that record */
	size_t content;	       /* bytes in that record */
	struct gather gather;  /* to be sent */
	bool output, errors; /* records of STDOUT, of STDERR were made */
	bool ended;	     /* the last record has been made */
	bool parts;	     /* nginx is to close the connection: see
				fcgi_out_end */
	uint32_t status;     /* the application's, for END_REQUEST */
	/* Read by the guard of watchdog.h (fcgi_out_replace): */
	volatile bool output_sent, errors_sent; /* and some may be sent */
	volatile bool sending; /* a record may be sent in part */
};

/* Begin the response to the request of that id. */
void fcgi_out_begin(struct fcgi_out *out, struct conn *conn, unsigned id);

/*
 * Add n pieces to a stream, FCGI_STDOUT or FCGI_STDERR.  Afterwards they have
 * been sent or copied.  0, or -1 with errno EPIPE or ETIMEDOUT (the peer took
 * nothing within the write limit); then the connection is of no more use.
 */
int fcgi_out_write(struct fcgi_out *out, unsigned type,
    const struct iovec *piece, int n);

/* Send what has been collected.  Returns as fcgi_out_write. */
int fcgi_out_send(struct fcgi_out *out);

/* As fcgi_out_write, and the end of the request goes along. */
int fcgi_out_finish(struct fcgi_out *out, unsigned type,
    const struct iovec *piece, int n);

/*
 * Send the rest, and the records that end the streams and the request, if that
 * has not been done.  out.parts: an empty record of STDERR follows, for nginx,
 * which closes a connection that has bytes behind the end of a response, and
 * takes no notice of them if it has sent another request meanwhile.  Apache would
 * take them for a sign of life for ever.  Returns as fcgi_out_write.
 */
int fcgi_out_end(struct fcgi_out *out);

/*
 * Send the rest, and show that more should follow; the caller then closes the
 * connection.  A STDERR stream that was begun is ended first, or HAProxy 2.6
 * dies.  No web server looks at appStatus: each takes END_REQUEST for the end
 * of a whole response, and nginx, in most of its modes, the end of the
 * connection as well.  FCGI_ABORT_REQUEST is an error for nginx; the others
 * ignore it, and miss END_REQUEST.  Returns as fcgi_out_write.
 */
int fcgi_out_cut(struct fcgi_out *out);

/*
 * For the guard of watchdog.h, just before the process ends.  If nothing of the
 * response has been sent, send data (n bytes, head and body) as the whole
 * response.  If something has, cut it as fcgi_out_cut does, but without what was
 * collected.  Never waits.  False if the response is cut.
 */
bool fcgi_out_replace(struct fcgi_out *out, const void *data, size_t n);

#endif

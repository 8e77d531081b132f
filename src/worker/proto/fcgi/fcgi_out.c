#include "worker/proto/fcgi/fcgi_out.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "net/fcgi_wire.h"
#include "worker/proto/fcgi/fcgi_peer.h"

#define RECORD_MAX 65528 /* bytes: the most that needs no padding */
#define END_SIZE   (4 * FCGI_HEADER_LEN + sizeof(FCGI_EndRequestBody))

void
fcgi_out_begin(struct fcgi_out *out, struct conn *conn, unsigned id)
{
	out->conn = conn;
	out->id = id;
	out->record = NULL;
	gather_clear(&out->gather);
	out->status = 0;
	out->output = out->errors = out->ended = out->parts = false;
	out->output_sent = out->errors_sent = out->sending = false;
}

/* ---- sending ------------------------------------------------------------- */

/* EINTR is a failure: the only signals that are not blocked say that the time
 * of the request is over or that the worker is to end. */
int
fcgi_out_send(struct fcgi_out *out)
{
	struct gather *g = &out->gather;
	ssize_t sent;
	int at = 0;

	if (g->n == 0)
		return 0;
	fcgi_peer_limit(out->conn, gather_length(g));
	out->sending = true;
	out->output_sent = out->output;
	out->errors_sent = out->errors;
	while (at < g->n) {
		sent = gather_send(out->conn->fd, g->piece + at, g->n - at,
		    0);
		if (sent == -1) {
			errno = errno == EAGAIN ? ETIMEDOUT : EPIPE;
			return -1;
		}
		at += gather_skip(g->piece + at, (size_t)sent);
	}
	out->sending = false;
	out->record = NULL;
	gather_clear(g);
	return 0;
}

/* ---- making records ------------------------------------------------------ */

/* Send, if there is no room for n bytes in the buffer and a borrowed piece. */
static int
make_room(struct fcgi_out *out, size_t n)
{
	return gather_has_room(&out->gather, n) ? 0 : fcgi_out_send(out);
}

/* Make sure that the last record is of that type and can grow.  Its header is
 * always valid. */
static void
open_record(struct fcgi_out *out, unsigned type)
{
	if (out->record != NULL && out->type == type &&
	    out->content < RECORD_MAX)
		return;
	out->record = gather_take(&out->gather, FCGI_HEADER_LEN);
	out->type = type;
	out->content = 0;
	fcgi_put_header(out->record, type, out->id, 0, 0);
	if (type == FCGI_STDERR)
		out->errors = true;
	else
		out->output = true;
}

static size_t
grow_record(struct fcgi_out *out, size_t n)
{
	size_t room = RECORD_MAX - out->content;

	if (n > room)
		n = room;
	out->content += n;
	fcgi_put_header(out->record, out->type, out->id,
	    (unsigned)out->content, 0);
	return n;
}

/* Short data, and what fits into the buffer and leaves room for the records
 * that end the response. */
static bool
to_be_copied(const struct fcgi_out *out, size_t n)
{
	return n <= GATHER_SHORT || n + FCGI_HEADER_LEN + END_SIZE <=
	    GATHER_BUFFER - out->gather.used;
}

static int
add(struct fcgi_out *out, unsigned type, const char *from, size_t n)
{
	bool copied = to_be_copied(out, n);
	size_t part;

	for (; n > 0; from += part, n -= part) {
		if (make_room(out, FCGI_HEADER_LEN + (copied ? n : 0)) == -1)
			return -1;
		open_record(out, type);
		part = grow_record(out, n);
		if (copied)
			memcpy(gather_take(&out->gather, part), from, part);
		else
			gather_borrow(&out->gather, from, part);
	}
	return 0;
}

static int
add_all(struct fcgi_out *out, unsigned type, const struct iovec *piece, int n)
{
	for (int i = 0; i < n; i++)
		if (add(out, type, piece[i].iov_base, piece[i].iov_len) == -1)
			return -1;
	return 0;
}

/* Borrowed memory is the caller's again after this, so it is sent at once. */
int
fcgi_out_write(struct fcgi_out *out, unsigned type, const struct iovec *piece,
    int n)
{
	if (add_all(out, type, piece, n) == -1)
		return -1;
	return out->gather.borrowed ? fcgi_out_send(out) : 0;
}

int
fcgi_out_finish(struct fcgi_out *out, unsigned type, const struct iovec *piece,
    int n)
{
	if (add_all(out, type, piece, n) == -1)
		return -1;
	return fcgi_out_end(out);
}

static void
put_empty(struct fcgi_out *out, unsigned type)
{
	fcgi_put_header(gather_take(&out->gather, FCGI_HEADER_LEN), type, out->id, 0, 0);
}

/* Make room for the last records, and end STDERR. */
static int
begin_end(struct fcgi_out *out)
{
	out->ended = true;
	if (make_room(out, END_SIZE) == -1)
		return -1;
	out->record = NULL;
	if (out->errors)
		put_empty(out, FCGI_STDERR);
	return 0;
}

int
fcgi_out_end(struct fcgi_out *out)
{
	if (out->ended)
		return 0;
	if (begin_end(out) == -1)
		return -1;
	put_empty(out, FCGI_STDOUT);
	fcgi_put_end(gather_take(&out->gather, sizeof(FCGI_EndRequestRecord)), out->id,
	    out->status, FCGI_REQUEST_COMPLETE);
	if (out->parts)
		put_empty(out, FCGI_STDERR);
	return fcgi_out_send(out);
}

int
fcgi_out_cut(struct fcgi_out *out)
{
	if (out->ended)
		return 0;
	if (begin_end(out) == -1)
		return -1;
	put_empty(out, FCGI_ABORT_REQUEST);
	return fcgi_out_send(out);
}

bool
fcgi_out_replace(struct fcgi_out *out, const void *data, size_t n)
{
	struct buf bytes = { 0 };
	bool whole = !out->output_sent;

	if (out->sending || out->ended)
		return false;
	if (out->errors_sent)
		fcgi_add_stream(&bytes, FCGI_STDERR, out->id, NULL, 0);
	if (whole) {
		fcgi_add_stream(&bytes, FCGI_STDOUT, out->id, data, n);
		fcgi_add_stream(&bytes, FCGI_STDOUT, out->id, NULL, 0);
		fcgi_add_end(&bytes, out->id, 1, FCGI_REQUEST_COMPLETE);
		if (out->parts)
			fcgi_add_stream(&bytes, FCGI_STDERR, out->id, NULL, 0);
	} else {
		fcgi_add_stream(&bytes, FCGI_ABORT_REQUEST, out->id, NULL, 0);
	}
	if (bytes.len > 0 && !bytes.failed)
		send(out->conn->fd, bytes.data, bytes.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_free(&bytes);
	return whole;
}

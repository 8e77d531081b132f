#include "worker/proto/fcgi/fcgi_body.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "net/fcgi_wire.h"
#include "worker/net/peer.h"
#include "worker/net/poller.h"
#include "worker/proto/fcgi/fcgi_peer.h"

#define ROOM	  (CONN_RECEIVE / 2) /* bytes behind the head, at least */
#define RECORDS	     8 /* that are received with one call */
#define PADDING_MOST 255 /* bytes behind a record's content */
#define DIRECT_LEAST (16 * 1024) /* bytes that are worth a call of their own */
#define DRAIN_MAX (256 * 1024) /* bytes of unread body that are cheaper to read
				  than a new connection is to make */

/* Reserve all memory that the request needs, so that pointers into the head
 * stay valid. */
int
fcgi_body_begin(struct fcgi_body *b, struct conn *c, int64_t min_rate)
{
	b->conn = c;
	b->stream = SCAN_STDIN;
	b->head = fcgi_state(c)->at;
	b->error = 0;
	b->taken = 0;
	b->record = 0;
	pace_begin(&b->pace, min_rate);
	if (c->in.cap < b->head + ROOM &&
	    buf_reserve(&c->in, b->head + ROOM - c->in.len) == NULL)
		return -1;
	return 0;
}

/* The bytes up to `at` are judged and taken: drop those behind the head. */
static void
make_room(struct fcgi_body *b)
{
	struct scan *scan = fcgi_state(b->conn);
	struct buf *in = &b->conn->in;

	memmove(in->data + b->head, in->data + scan->at, in->len - scan->at);
	in->len -= scan->at - b->head;
	scan->at = b->head;
}

/* After a recv(2) that returned n <= 0. */
static bool
comes_more(struct fcgi_body *b, ssize_t n, int64_t deadline)
{
	return pace_comes_more(&b->pace, b->conn, n, b->taken, deadline);
}

/* More bytes for the body.  0, or -1 with errno as request_ops.read. */
static int
body_receive(struct fcgi_body *b, int64_t deadline)
{
	ssize_t n;

	make_room(b);
	do
		n = conn_receive(b->conn, SIZE_MAX);
	while (n <= 0 && comes_more(b, n, deadline));
	return n > 0 ? 0 : -1;
}

static enum scan_verdict
judge(struct fcgi_body *b)
{
	return fcgi_peer_judge(b->conn, &b->conn->in, true);
}

static void
note_record(struct fcgi_body *b)
{
	if (fcgi_state(b->conn)->content > b->record)
		b->record = fcgi_state(b->conn)->content;
}

/* Find the next body bytes; receive if none are here.  Returns how many they
 * are, and *from points to them.  0 at the end of the body, -1 with errno as
 * request_ops.read. */
static ssize_t
body_next(struct fcgi_body *b, int64_t deadline, const char **from)
{
	struct scan *scan = fcgi_state(b->conn);
	struct buf *in = &b->conn->in;
	size_t n;

	while (scan->state == b->stream) {
		switch (judge(b)) {
		case SCAN_CONTENT:
			note_record(b);
			*from = in->data + scan->at;
			n = in->len - scan->at;
			return (ssize_t)(n < scan->content ? n : scan->content);
		case SCAN_END:
			return 0;
		case SCAN_MORE:
			if (body_receive(b, deadline) == -1)
				return -1;
			break;
		case SCAN_ABORT:
			errno = ECONNRESET;
			return -1;
		default:
			peer_blame(b->conn, scan->fault);
			errno = EPROTO;
			return -1;
		}
	}
	return 0;
}

static void
body_taken(struct fcgi_body *b, size_t n)
{
	fcgi_state(b->conn)->at += n;
	fcgi_state(b->conn)->content -= n;
	b->taken += n;
}

/* ---- without a copy ------------------------------------------------------ */

/*
 * Long records are received into the caller's memory.  Their headers lie
 * between them, so recvmsg(2) gets a place for the content that is awaited, one
 * for the header behind it, one for a record as long as the longest so far,
 * and so on.  Where a record turns out to be another, the bytes that have come
 * since go into the connection's buffer, as if they had been received there.
 */
struct plan {
	struct iovec piece[2 * RECORDS]; /* content and header in turns */
	int n;
	unsigned char header[RECORDS][FCGI_HEADER_LEN + PADDING_MOST];
};

static bool
is_direct(const struct fcgi_body *b, size_t n)
{
	const struct scan *scan = fcgi_state(b->conn);

	return n >= DIRECT_LEAST && scan->content >= DIRECT_LEAST &&
	    b->conn->in.len == scan->at;
}

/* So many of n bytes that the connection's buffer can hold them, with their
 * headers, where it is. */
static size_t
bounded(const struct fcgi_body *b, size_t n)
{
	size_t room = b->conn->in.cap - b->head -
	    RECORDS * (FCGI_HEADER_LEN + PADDING_MOST);

	return n < room ? n : room;
}

static void
make_plan(const struct fcgi_body *b, struct plan *plan, char *data, size_t n)
{
	const struct scan *scan = fcgi_state(b->conn);
	size_t content = scan->content, part;

	plan->n = 0;
	for (int i = 0; i < RECORDS; i++, content = b->record) {
		part = n < content ? n : content;
		plan->piece[plan->n++] = (struct iovec){ data, part };
		data += part;
		n -= part;
		if (part < content)
			return;
		plan->piece[plan->n++] = (struct iovec){ plan->header[i],
			FCGI_HEADER_LEN + scan->skip };
	}
}

/* `got` bytes lie in the pieces from i on: to the connection's buffer. */
static void
put_back(struct fcgi_body *b, const struct plan *plan, int i, size_t got)
{
	size_t part;

	for (; got > 0; got -= part) {
		part = plan->piece[i].iov_len;
		part = part < got ? part : got;
		buf_add(&b->conn->in, plan->piece[i++].iov_base, part);
	}
}

/* Piece i has been planned for the content of a record whose header has been
 * judged, and `got` bytes lie in it and in those behind. */
static bool
is_as_planned(const struct fcgi_body *b, const struct plan *plan, int i,
    size_t got)
{
	const struct scan *scan = fcgi_state(b->conn);
	size_t planned = plan->piece[i].iov_len;

	return scan->state == b->stream && b->conn->in.len == scan->at &&
	    (got > planned ? scan->content == planned : scan->content >= got);
}

/* `got` > 0 bytes lie in the pieces: what they are.  Returns how many of them
 * are content, in the caller's memory. */
static size_t
carry_out(struct fcgi_body *b, const struct plan *plan, size_t got)
{
	size_t sum = 0, part;
	int i = 0;

	for (;;) {
		part = plan->piece[i].iov_len;
		part = part < got ? part : got;
		fcgi_state(b->conn)->content -= part;
		sum += part;
		if ((got -= part) == 0)
			return sum;
		part = plan->piece[++i].iov_len;
		part = part < got ? part : got;
		buf_add(&b->conn->in, plan->piece[i++].iov_base, part);
		got -= part;
		if (judge(b) == SCAN_ABORT)
			b->error = ECONNRESET;
		if (got == 0)
			return sum;
		if (i == plan->n || !is_as_planned(b, plan, i, got)) {
			put_back(b, plan, i, got);
			return sum;
		}
	}
}

static ssize_t
direct_receive(struct fcgi_body *b, char *data, size_t n, int64_t deadline)
{
	struct plan plan;
	ssize_t got;

	make_room(b);
	make_plan(b, &plan, data, bounded(b, n));
	do
		got = conn_read(b->conn, plan.piece, plan.n);
	while (got <= 0 && comes_more(b, got, deadline));
	if (got <= 0)
		return -1;
	got = (ssize_t)carry_out(b, &plan, (size_t)got);
	b->taken += (size_t)got;
	return got;
}

/* ---- reading ------------------------------------------------------------- */

static ssize_t
buffered_receive(struct fcgi_body *b, void *data, size_t n, int64_t deadline)
{
	const char *from;
	ssize_t got = body_next(b, deadline, &from);

	if (got <= 0)
		return got;
	if ((size_t)got > n)
		got = (ssize_t)n;
	memcpy(data, from, (size_t)got);
	body_taken(b, (size_t)got);
	return got;
}

ssize_t
fcgi_body_read(struct fcgi_body *b, void *data, size_t n, int64_t timeout)
{
	int64_t deadline = clock_ms() + timeout;
	ssize_t got;

	if (b->error != 0) {
		errno = b->error;
		return -1;
	}
	got = is_direct(b, n) ? direct_receive(b, data, n, deadline) :
				buffered_receive(b, data, n, deadline);
	if (got == -1)
		b->error = errno;
	return got;
}

int
fcgi_body_turn(struct fcgi_body *b, int64_t timeout)
{
	const char *from;
	ssize_t n;

	while (b->error == 0 && b->stream != SCAN_DATA) {
		n = body_next(b, clock_ms() + timeout, &from);
		if (n > 0)
			body_taken(b, (size_t)n);
		else if (n == 0)
			b->stream = SCAN_DATA;
		else
			b->error = errno;
	}
	errno = b->error;
	return b->error == 0 ? 0 : -1;
}

/* What is here is taken first: the time is over only if nothing is. */
ssize_t
fcgi_body_take(struct fcgi_body *b, void *data, size_t n, int64_t timeout,
    int64_t waited)
{
	const char *from;
	ssize_t got;

	if (b->error != 0) {
		errno = b->error;
		return -1;
	}
	got = body_next(b, PACE_NEVER, &from);
	if (got == -1 && errno == EAGAIN &&
	    pace_is_late(&b->pace, b->conn, b->taken, timeout, waited))
		errno = ETIMEDOUT;
	if (got == -1 && errno != EAGAIN)
		b->error = errno;
	if (got <= 0)
		return got;
	b->pace.idle = 0;
	if ((size_t)got > n)
		got = (ssize_t)n;
	memcpy(data, from, (size_t)got);
	body_taken(b, (size_t)got);
	return got;
}

/* After the end of the body a peer may send nothing but an abort for this
 * request; other bytes are kept for the next one.  The end itself may not have
 * been judged yet, so there may be several verdicts. */
bool
fcgi_body_aborted(struct fcgi_body *b, bool more)
{
	enum scan_verdict verdict;

	if (more && b->conn->in.cap - b->conn->in.len >= CONN_ROOM)
		conn_receive(b->conn, SIZE_MAX);
	verdict = judge(b);
	while (verdict == SCAN_END)
		verdict = judge(b);
	if (verdict == SCAN_ABORT)
		b->error = ECONNRESET;
	return verdict == SCAN_ABORT;
}

/* As body_next, without waiting, and at the end of FCGI_STDIN goes on with
 * FCGI_DATA. */
static ssize_t
next_of_any(struct fcgi_body *b, const char **from)
{
	ssize_t n = body_next(b, 0, from);

	if (n != 0 || fcgi_state(b->conn)->state != SCAN_DATA)
		return n;
	b->stream = SCAN_DATA;
	return body_next(b, 0, from);
}

bool
fcgi_body_drain(struct fcgi_body *b)
{
	struct scan *scan = fcgi_state(b->conn);
	size_t drained = 0;
	const char *from;
	ssize_t n;

	while (b->error == 0 && drained < DRAIN_MAX &&
	    (n = next_of_any(b, &from)) > 0) {
		body_taken(b, (size_t)n);
		drained += (size_t)n;
	}
	if (scan->state != SCAN_DONE)
		return false;
	return (scan->skip == 0 && scan->role == FCGI_RESPONDER) ||
	    scan_settle(scan, &b->conn->in);
}

void
fcgi_body_end(struct fcgi_body *b)
{
	struct conn *c = b->conn;

	buf_consume(&c->in, fcgi_state(c)->at);
	fcgi_state(c)->at = 0;
	scan_reset(fcgi_state(c));
}

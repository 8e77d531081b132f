#include "worker/proto/fcgi/fcgi_body.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "worker/net/poller.h"
#include "worker/proto/fcgi/fcgi_peer.h"

#define ROOM	  (CONN_RECEIVE / 2) /* behind the head, at least */
#define DRAIN_MAX (256 * 1024) /* unread body that is cheaper to read than a
				  new connection is to make */

/* All the memory that the request needs: what points into it stays right. */
int
fcgi_body_begin(struct fcgi_body *b, struct conn *c)
{
	b->conn = c;
	b->head = fcgi_state(c)->at;
	b->error = 0;
	b->taken = 0;
	if (c->in.cap < b->head + ROOM &&
	    buf_reserve(&c->in, b->head + ROOM - c->in.len) == NULL)
		return -1;
	return 0;
}

/* What is judged is taken as well: it makes room behind the head. */
static void
make_room(struct fcgi_body *b)
{
	struct scan *scan = fcgi_state(b->conn);
	struct buf *in = &b->conn->in;

	memmove(in->data + b->head, in->data + scan->at, in->len - scan->at);
	in->len -= scan->at - b->head;
	scan->at = b->head;
}

/* More bytes for the body.  0, or -1 with errno as request_ops.read. */
static int
body_receive(struct fcgi_body *b, int64_t deadline)
{
	ssize_t n;

	make_room(b);
	for (;;) {
		n = conn_receive(b->conn);
		if (n > 0)
			return 0;
		if (n == 0 || errno != EAGAIN) {
			errno = ECONNRESET;
			return -1;
		}
		if (poller_readable(b->conn->fd, deadline) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

static enum scan_verdict
judge(struct fcgi_body *b)
{
	return fcgi_peer_judge(b->conn, &b->conn->in, true);
}

/* Body bytes that are here: how many, and *from where.  0 at the end of the
 * body, -1 with errno as request_ops.read. */
static ssize_t
body_next(struct fcgi_body *b, int64_t deadline, const char **from)
{
	struct scan *scan = fcgi_state(b->conn);
	struct buf *in = &b->conn->in;
	size_t n;

	while (scan->state == SCAN_STDIN) {
		switch (judge(b)) {
		case SCAN_CONTENT:
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
			fcgi_peer_blame(b->conn, scan->fault);
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

ssize_t
fcgi_body_read(struct fcgi_body *b, const char **data, int64_t timeout)
{
	ssize_t got;

	if (b->error != 0) {
		errno = b->error;
		return -1;
	}
	got = body_next(b, clock_ms() + timeout, data);
	if (got == -1)
		b->error = errno;
	if (got > 0)
		body_taken(b, (size_t)got);
	return got;
}

/* Behind the end of the body, which the application may not have read, an
 * abort is all a peer may send for this request; what else comes is kept for
 * after it. */
bool
fcgi_body_aborted(struct fcgi_body *b, bool more)
{
	enum scan_verdict verdict;

	if (more && b->conn->in.cap - b->conn->in.len >= CONN_ROOM)
		conn_receive(b->conn);
	verdict = judge(b);
	if (verdict == SCAN_END)
		verdict = judge(b);
	if (verdict == SCAN_ABORT)
		b->error = ECONNRESET;
	return verdict == SCAN_ABORT;
}

bool
fcgi_body_drain(struct fcgi_body *b)
{
	const struct scan *scan = fcgi_state(b->conn);
	size_t drained = 0;
	const char *from;
	ssize_t n;

	while (b->error == 0 && drained < DRAIN_MAX &&
	    (n = body_next(b, 0, &from)) > 0) {
		body_taken(b, (size_t)n);
		drained += (size_t)n;
	}
	if (scan->state != SCAN_DONE)
		return false;
	if (scan->skip > 0)
		judge(b);
	return scan->skip == 0;
}

void
fcgi_body_end(struct fcgi_body *b)
{
	struct conn *c = b->conn;

	buf_consume(&c->in, fcgi_state(c)->at);
	fcgi_state(c)->at = 0;
	scan_reset(fcgi_state(c));
}

#include "worker/fcgi_body.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "worker/fcgi_peer.h"
#include "worker/wait.h"

#define READ_CHUNK (32 * 1024)	/* per recv */
#define DRAIN_MAX  (256 * 1024) /* unread body that is cheaper to read than a
				   new connection is to make */

void
fcgi_body_begin(struct fcgi_body *b, struct conn *c)
{
	b->conn = c;
	b->error = 0;
	b->taken = 0;
	buf_clear(&b->in);
	if (buf_add(&b->in, c->in.data + c->scan.at,
		c->in.len - c->scan.at) == -1)
		b->error = ENOMEM;
	c->scan.at = 0;
}

/* More bytes for the body.  0, or -1 with errno as request_ops.read. */
static int
body_receive(struct fcgi_body *b, int64_t deadline)
{
	struct scan *scan = &b->conn->scan;
	ssize_t n;

	buf_consume(&b->in, scan->at);
	scan->at = 0;
	for (;;) {
		n = conn_receive(b->conn, &b->in, READ_CHUNK);
		if (n > 0)
			return 0;
		if (n == 0 || errno != EAGAIN) {
			errno = ECONNRESET;
			return -1;
		}
		if (wait_readable(b->conn->fd, deadline) <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
}

/* Body bytes that are here: how many, and *from where.  0 at the end of the
 * body, -1 with errno as request_ops.read. */
static ssize_t
body_next(struct fcgi_body *b, int64_t deadline, const char **from)
{
	struct scan *scan = &b->conn->scan;
	size_t n;

	while (scan->state == SCAN_STDIN) {
		switch (fcgi_peer_judge(b->conn, &b->in, true)) {
		case SCAN_CONTENT:
			*from = b->in.data + scan->at;
			n = b->in.len - scan->at;
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
	b->conn->scan.at += n;
	b->conn->scan.content -= n;
	b->taken += n;
}

ssize_t
fcgi_body_read(struct fcgi_body *b, void *data, size_t n, int64_t timeout)
{
	const char *from;
	ssize_t got;

	if (b->error != 0) {
		errno = b->error;
		return -1;
	}
	got = body_next(b, clock_ms() + timeout, &from);
	if (got == -1)
		b->error = errno;
	if (got <= 0)
		return got;
	if ((size_t)got > n)
		got = (ssize_t)n;
	memcpy(data, from, (size_t)got);
	body_taken(b, (size_t)got);
	return got;
}

/* Behind the end of the body, which the application may not have read, an
 * abort is all a peer may send for this request; what else comes is kept for
 * after it. */
bool
fcgi_body_aborted(struct fcgi_body *b)
{
	enum scan_verdict verdict;

	if (b->in.len < READ_CHUNK)
		conn_receive(b->conn, &b->in, READ_CHUNK);
	verdict = fcgi_peer_judge(b->conn, &b->in, true);
	if (verdict == SCAN_END)
		verdict = fcgi_peer_judge(b->conn, &b->in, true);
	if (verdict == SCAN_ABORT)
		b->error = ECONNRESET;
	return verdict == SCAN_ABORT;
}

bool
fcgi_body_drain(struct fcgi_body *b)
{
	const struct scan *scan = &b->conn->scan;
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
		fcgi_peer_judge(b->conn, &b->in, true);
	return scan->skip == 0;
}

int
fcgi_body_end(struct fcgi_body *b)
{
	struct conn *c = b->conn;
	int result;

	buf_clear(&c->in);
	result = buf_add(&c->in, b->in.data + c->scan.at,
	    b->in.len - c->scan.at);
	c->scan.at = 0;
	scan_reset(&c->scan);
	if (b->in.cap > 4 * READ_CHUNK)
		buf_free(&b->in);
	return result;
}

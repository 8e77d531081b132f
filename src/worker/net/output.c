#include "worker/net/output.h"

#include <sys/socket.h>

#include <errno.h>

#include "base/clock.h"
#include "base/tuning.h"
#include "worker/net/gather.h"
#include "worker/net/peer.h"
#include "worker/net/poller.h"

static struct output_limits limits;

void
output_init(const struct output_limits *given)
{
	limits = *given;
}

static size_t
length(const struct iovec *piece, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += piece[i].iov_len;
	return sum;
}

/* What is kept, as far as it goes.  0, or -1 with errno. */
static int
send_kept(struct conn *c)
{
	ssize_t sent = send(c->fd, c->out.data, c->out.len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent > 0) {
		c->flushed += (uint64_t)sent;
		buf_consume(&c->out, (size_t)sent);
	}
	return sent == -1 && errno != EAGAIN ? -1 : 0;
}

/* What of the pieces goes at once: the index of the first of the rest, which is
 * cut to what is left of it; -1 with errno. */
static int
send_now(struct conn *c, struct iovec *piece, int n)
{
	int at = 0;
	ssize_t sent;

	while (at < n) {
		sent = gather_send(c->fd, piece + at, n - at, MSG_DONTWAIT);
		if (sent == -1)
			return errno == EAGAIN ? at : -1;
		if (c->pending != 0)
			c->flushed += (uint64_t)sent;
		at += gather_skip(piece + at, (size_t)sent);
	}
	return at;
}

/* True if the peer has taken enough since it was first waited for. */
static bool
keeps_rate(const struct conn *c)
{
	int64_t waited = clock_ms() - c->pending;

	return waited < tuning.rate || (int64_t)c->flushed >=
	    limits.min_rate * waited / 1000;
}

static void
note_wait(struct conn *c)
{
	if (c->pending != 0)
		return;
	c->pending = clock_ms();
	c->flushed = 0;
}

/* EINTR is a failure: the only signals that are not blocked say that the time
 * of the request is over or that the worker is to end. */
static int
wait_for_room(struct conn *c)
{
	int64_t until = clock_ms() + limits.timeout, look;
	int ready;

	note_wait(c);
	do {
		look = clock_ms() + tuning.rate;
		ready = poller_writable(c->fd, look < until ? look : until);
	} while (ready == 0 && look < until && keeps_rate(c));
	if (ready == 1 && keeps_rate(c))
		return 0;
	errno = ready == -1 ? EPIPE : ETIMEDOUT;
	return -1;
}

static int
keep(struct conn *c, const struct iovec *piece, int n)
{
	note_wait(c);
	for (int i = 0; i < n; i++)
		buf_add(&c->out, piece[i].iov_base, piece[i].iov_len);
	errno = EPIPE;
	return c->out.failed ? -1 : 0;
}

int
output_send(struct conn *c, struct iovec *piece, int n)
{
	int at = 0, more;

	for (;;) {
		if (c->out.len > 0 && send_kept(c) == -1)
			break;
		if (c->out.len == 0) {
			more = send_now(c, piece + at, n - at);
			if (more == -1)
				break;
			at += more;
		}
		if (at == n)
			return 0;
		if (c->out.len + length(piece + at, n - at) <= limits.room)
			return keep(c, piece + at, n - at);
		if (wait_for_room(c) == -1)
			return -1;
	}
	errno = EPIPE;
	return -1;
}

int
output_flush(struct conn *c)
{
	if (send_kept(c) == -1)
		return -1;
	if (c->out.len == 0) {
		c->pending = 0;
		return 1;
	}
	if (keeps_rate(c))
		return 0;
	peer_blame(c, "response taken slower than limits.min_rate");
	return -1;
}

#include "worker/proto/http/http_body.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "worker/net/peer.h"

#define ROOM	     (64 * 1024)  /* bytes that a receive has room for */
#define KEEP	     (256 * 1024) /* a larger buffer is not kept */
#define DIRECT_LEAST (16 * 1024)  /* bytes that are worth a call of their own */
#define DRAIN_MAX    (256 * 1024) /* bytes of unread body that are cheaper to
				     read than a new connection is to make */

void
http_body_begin(struct http_body *b, struct conn *c, size_t head,
    int64_t length, bool chunked, int64_t min_rate)
{
	b->conn = c;
	b->at = head;
	b->chunked = chunked;
	b->left = length > 0 ? length : 0;
	b->ended = !chunked && b->left == 0;
	memset(&b->chunk, 0, sizeof(b->chunk));
	buf_clear(&b->more);
	b->more_at = 0;
	b->taken = 0;
	b->error = 0;
	pace_begin(&b->pace, min_rate);
}

static bool
comes_more(struct http_body *b, ssize_t n, int64_t deadline)
{
	return pace_comes_more(&b->pace, b->conn, n, b->taken, deadline);
}

/* The bytes that have come and are not judged. */
static size_t
available(const struct http_body *b, const char **from)
{
	const struct buf *in = &b->conn->in;

	if (b->at < in->len) {
		*from = in->data + b->at;
		return in->len - b->at;
	}
	*from = b->more.data + b->more_at;
	return b->more.len - b->more_at;
}

static void
pass(struct http_body *b, size_t n)
{
	if (b->at < b->conn->in.len)
		b->at += n;
	else
		b->more_at += n;
}

/* Of a body without chunks no more is received than belongs to it. */
static int
receive(struct http_body *b, int64_t deadline)
{
	size_t most = ROOM;
	char *room;
	ssize_t n;

	if (b->more_at == b->more.len) {
		buf_clear(&b->more);
		b->more_at = 0;
	}
	room = buf_reserve(&b->more, ROOM);
	if (room == NULL)
		return -1;
	if (!b->chunked && (int64_t)most > b->left)
		most = (size_t)b->left;
	do
		n = conn_read(b->conn, &(struct iovec){ room, most }, 1);
	while (n <= 0 && comes_more(b, n, deadline));
	if (n <= 0)
		return -1;
	b->more.len += (size_t)n;
	return 0;
}

/* What is known of `n` bytes that have come: how many of them are content; 0:
 * none, and then `ended` may be set; -1 with errno. */
static ssize_t
judge(struct http_body *b, const char *from, size_t n)
{
	size_t used = 0;

	if (!b->chunked)
		return (int64_t)n < b->left ? (ssize_t)n : (ssize_t)b->left;
	switch (http_chunk_next(&b->chunk, from, n, &b->limits, &used)) {
	case CHUNK_CONTENT:
		pass(b, used);
		return n - used < b->chunk.left ? (ssize_t)(n - used) :
						  (ssize_t)b->chunk.left;
	case CHUNK_END:
		pass(b, used);
		b->ended = true;
		return 0;
	case CHUNK_MORE:
		pass(b, used);
		return 0;
	default:
		peer_blame(b->conn, b->chunk.fault);
		errno = EBADMSG;
		return -1;
	}
}

/* Find the next content; receive if none is here.  Returns how many bytes it
 * has, and *from points to them; 0 at the end; -1 with errno. */
static ssize_t
next(struct http_body *b, int64_t deadline, const char **from)
{
	size_t n;
	ssize_t content;

	while (!b->ended) {
		n = available(b, from);
		content = n > 0 ? judge(b, *from, n) : 0;
		if (content < 0)
			return -1;
		if (content > 0) {
			available(b, from);
			return content;
		}
		if (!b->ended && available(b, from) == 0 &&
		    receive(b, deadline) == -1)
			return -1;
	}
	return 0;
}

static void
note_taken(struct http_body *b, size_t n)
{
	b->taken += n;
	b->pace.idle = 0;
	if (b->chunked)
		http_chunk_take(&b->chunk, n);
	else
		b->ended = (b->left -= (int64_t)n) == 0;
}

/* A long piece of a body without chunks is received where it is wanted. */
static bool
is_direct(const struct http_body *b, size_t n)
{
	const char *from;

	return !b->chunked && n >= DIRECT_LEAST &&
	    b->left >= DIRECT_LEAST && available(b, &from) == 0;
}

static ssize_t
receive_direct(struct http_body *b, void *data, size_t n, int64_t deadline)
{
	ssize_t got;

	if ((int64_t)n > b->left)
		n = (size_t)b->left;
	do
		got = conn_read(b->conn, &(struct iovec){ data, n }, 1);
	while (got <= 0 && comes_more(b, got, deadline));
	if (got <= 0)
		return -1;
	note_taken(b, (size_t)got);
	return got;
}

static ssize_t
copy(struct http_body *b, void *data, size_t n, int64_t deadline)
{
	const char *from;
	ssize_t got = next(b, deadline, &from);

	if (got <= 0)
		return got;
	if ((size_t)got > n)
		got = (ssize_t)n;
	memcpy(data, from, (size_t)got);
	pass(b, (size_t)got);
	note_taken(b, (size_t)got);
	return got;
}

static ssize_t
read_until(struct http_body *b, void *data, size_t n, int64_t deadline)
{
	ssize_t got;

	if (b->error != 0) {
		errno = b->error;
		return -1;
	}
	if (b->ended)
		return 0;
	got = is_direct(b, n) ? receive_direct(b, data, n, deadline) :
				copy(b, data, n, deadline);
	if (got > 0 && b->most > 0 && b->taken > b->most) {
		errno = EFBIG;
		got = -1;
	}
	if (got == -1 && errno != EAGAIN)
		b->error = errno;
	return got;
}

ssize_t
http_body_read(struct http_body *b, void *data, size_t n, int64_t timeout)
{
	return read_until(b, data, n, clock_ms() + timeout);
}

/* What is here is taken first: the time is over only if nothing is. */
ssize_t
http_body_take(struct http_body *b, void *data, size_t n, int64_t timeout,
    int64_t waited)
{
	ssize_t got = read_until(b, data, n, PACE_NEVER);

	if (got == -1 && errno == EAGAIN &&
	    pace_is_late(&b->pace, b->conn, b->taken, timeout, waited))
		errno = b->error = ETIMEDOUT;
	return got;
}

bool
http_body_is_long(const struct http_body *b)
{
	return !b->chunked && b->left > DRAIN_MAX;
}

bool
http_body_drain(struct http_body *b)
{
	uint64_t most = b->taken + DRAIN_MAX;
	const char *from;
	ssize_t n;

	while (b->error == 0 && !b->ended && b->taken < most &&
	    (n = next(b, PACE_NEVER, &from)) > 0) {
		pass(b, (size_t)n);
		note_taken(b, (size_t)n);
	}
	return b->ended;
}

void
http_body_end(struct http_body *b)
{
	buf_consume(&b->conn->in, b->at);
	if (b->more.len > b->more_at)
		buf_add(&b->conn->in, b->more.data + b->more_at,
		    b->more.len - b->more_at);
	if (b->more.cap > KEEP)
		buf_free(&b->more);
}

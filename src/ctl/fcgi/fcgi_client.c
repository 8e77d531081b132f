#include "ctl/fcgi/fcgi_client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define RECEIVE 65536

struct exchange {
	int fd;
	const struct buf *request;
	size_t sent;
	struct fcgi_reply *reply;
	int64_t deadline;
	struct why *why;
};

static enum fcgi_verdict
failed(const struct exchange *x, enum fcgi_verdict verdict, const char *what)
{
	why_set(x->why, "%s: %s", what, strerror(errno));
	return verdict;
}

static enum fcgi_verdict
timed_out(const struct exchange *x)
{
	why_set(x->why, "no complete response within the time limit");
	return REPLY_TIMEOUT;
}

static int64_t
remaining(const struct exchange *x)
{
	int64_t ms = x->deadline - clock_ms();

	return ms < 0 ? 0 : ms < INT_MAX ? ms : INT_MAX;
}

/* The socket blocks, with a time limit, so that connect(2) also waits for room
 * in a full listen queue. */
static enum fcgi_verdict
open_connection(struct exchange *x, const struct fcgi_address *address)
{
	int64_t ms = remaining(x);
	struct timeval limit = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	if (ms == 0)
		return timed_out(x);
	x->fd = socket(address->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (x->fd == -1)
		return failed(x, REPLY_CONNECT, "socket");
	setsockopt(x->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(x->fd, (const struct sockaddr *)&address->sa,
	    address->len) == 0)
		return REPLY_MORE;
	if (errno == EAGAIN || errno == EINPROGRESS)
		return timed_out(x);
	return failed(x, REPLY_CONNECT, "cannot connect");
}

/* An error does not fail the request: the server may have answered before it
 * closed. */
static void
send_some(struct exchange *x)
{
	const struct buf *request = x->request;
	ssize_t n;

	n = send(x->fd, request->data + x->sent, request->len - x->sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		x->sent += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		x->sent = request->len;
}

static enum fcgi_verdict
receive_some(struct exchange *x)
{
	static char bytes[RECEIVE];
	size_t used;
	ssize_t n;

	n = recv(x->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return REPLY_MORE;
	if (n == -1)
		return failed(x, REPLY_CUT, "the connection broke");
	if (n == 0) {
		why_set(x->why, "the server closed the connection before the "
		    "end of the response");
		return REPLY_CUT;
	}
	return fcgi_reply_feed(x->reply, bytes, (size_t)n, &used, x->why);
}

static enum fcgi_verdict
turn(struct exchange *x)
{
	struct pollfd p = { .fd = x->fd, .events = POLLIN };
	int64_t ms = remaining(x);
	int n;

	if (x->sent < x->request->len)
		p.events |= POLLOUT;
	/* Tested here too, because poll never waits if the server never
	 * pauses. */
	if (ms == 0 || (n = poll(&p, 1, (int)ms)) == 0)
		return timed_out(x);
	if (n == -1)
		return errno == EINTR ? REPLY_MORE :
		    failed(x, REPLY_CONNECT, "poll");
	if (p.revents & POLLOUT)
		send_some(x);
	return p.revents & (POLLIN | POLLERR | POLLHUP) ? receive_some(x) :
	    REPLY_MORE;
}

enum fcgi_verdict
fcgi_fetch(const struct fcgi_address *address, const struct buf *request,
    struct fcgi_reply *reply, int64_t deadline, struct why *why)
{
	struct exchange x = { .fd = -1, .request = request, .reply = reply,
		.deadline = deadline, .why = why };
	enum fcgi_verdict verdict;

	verdict = open_connection(&x, address);
	while (verdict == REPLY_MORE)
		verdict = turn(&x);
	fd_close(&x.fd);
	return verdict;
}

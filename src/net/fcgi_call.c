#include "net/fcgi_call.h"

#include <sys/time.h>

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/fcgi_wire.h"

#define RECEIVE (64 * 1024) /* bytes of a step */
#define KEEP	(64 * 1024) /* bytes of memory kept for the next request */

static void
take_head(void *arg, const char *head, size_t n)
{
	struct fcgi_call *c = arg;

	buf_add(&c->head, head, n);
}

static void
take_body(void *arg, const void *data, size_t n)
{
	struct fcgi_call *c = arg;

	if (c->taken > 0)
		buf_consume(&c->body, c->taken);
	c->taken = 0;
	buf_add(&c->body, data, n);
}

static void
take_errors(void *arg, const void *data, size_t n)
{
	struct fcgi_call *c = arg;
	size_t room = c->errors_most - c->errors.len;

	c->flooded |= n > room;
	buf_add(&c->errors, data, n < room ? n : room);
}

void
fcgi_call_init(struct fcgi_call *c, const struct fcgi_address *address,
    bool (*interrupted)(void))
{
	memset(c, 0, sizeof(*c));
	c->address = *address;
	c->interrupted = interrupted;
	c->fd = -1;
	c->sink = (struct fcgi_sink){ take_head, take_body, take_errors, NULL,
		c };
	fcgi_reply_init(&c->reply, &c->sink, false);
}

static void
hang_up(struct fcgi_call *c)
{
	fd_close(&c->fd);
	c->reused = c->busy = false;
}

void
fcgi_call_close(struct fcgi_call *c)
{
	hang_up(c);
	fcgi_reply_free(&c->reply);
	buf_free(&c->body);
	buf_free(&c->errors);
	buf_free(&c->head);
	buf_free(&c->out);
	c->sent = c->taken = 0;
}

/* ---- failures and waits -------------------------------------------------- */

static enum fcgi_verdict
failed(struct fcgi_call *c, enum fcgi_verdict verdict, const char *what)
{
	why_set(&c->why, "%s: %s", what, strerror(errno));
	hang_up(c);
	return verdict;
}

static enum fcgi_verdict
timed_out(struct fcgi_call *c, const char *what)
{
	why_set(&c->why, "%s in time", what);
	hang_up(c);
	return REPLY_TIMEOUT;
}

/* Wait for events.  1: there are some, which are in *p; 0: the time is over;
 * -1 with errno. */
static int
await(const struct fcgi_call *c, struct pollfd *p)
{
	int64_t left;
	int n = -1;

	errno = EINTR;
	while (n == -1 && errno == EINTR) {
		left = c->deadline - clock_ms();
		if (left <= 0 || c->interrupted())
			return 0;
		n = poll(p, 1, left < INT_MAX ? (int)left : INT_MAX);
	}
	return n;
}

/* ---- connecting ---------------------------------------------------------- */

static enum fcgi_verdict
await_connection(struct fcgi_call *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	int n = await(c, &p), error = 0;
	socklen_t len = sizeof(error);

	if (n == 0)
		return timed_out(c, "no connection");
	if (n == 1 &&
	    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0) {
		if (error == 0)
			return REPLY_MORE;
		errno = error;
	}
	return failed(c, REPLY_CONNECT, "cannot connect");
}

/* Connect a unix socket, which has to block: then connect(2) also waits for
 * room in a full listen queue. */
static enum fcgi_verdict
connect_unix(struct fcgi_call *c)
{
	struct timeval limit;
	int64_t left;

	do {
		left = c->deadline - clock_ms();
		if (left <= 0 || c->interrupted())
			return timed_out(c, "no connection");
		limit = (struct timeval){ left / 1000, left % 1000 * 1000 };
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
		    sizeof(limit));
		if (connect(c->fd, (const struct sockaddr *)&c->address.sa,
		    c->address.len) == 0)
			return REPLY_MORE;
	} while (errno == EINTR);
	return errno == EAGAIN ? timed_out(c, "no connection") :
	    failed(c, REPLY_CONNECT, "cannot connect");
}

static enum fcgi_verdict
connect_inet(struct fcgi_call *c)
{
	int on = 1;

	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, (const struct sockaddr *)&c->address.sa,
	    c->address.len) == 0)
		return REPLY_MORE;
	if (errno == EINPROGRESS)
		return await_connection(c);
	return failed(c, REPLY_CONNECT, "cannot connect");
}

static enum fcgi_verdict
open_connection(struct fcgi_call *c)
{
	bool local = c->address.sa.ss_family == AF_UNIX;

	if (c->fd != -1)
		return REPLY_MORE;
	c->reused = false;
	c->fd = socket(c->address.sa.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | (local ? 0 : SOCK_NONBLOCK), 0);
	if (c->fd == -1)
		return failed(c, REPLY_CONNECT, "socket");
	return local ? connect_unix(c) : connect_inet(c);
}

enum fcgi_verdict
fcgi_call_connect(struct fcgi_call *c, int64_t timeout)
{
	c->deadline = clock_ms() + timeout;
	return open_connection(c);
}

/* ---- a request ----------------------------------------------------------- */

/* Nothing may have come since the last response: not even its server's end of
 * the connection. */
static bool
is_quiet(const struct fcgi_call *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == -1 &&
	    errno == EAGAIN;
}

static void
forget(struct buf *b)
{
	buf_clear(b);
	if (b->cap > KEEP)
		buf_free(b);
}

static unsigned
streams(unsigned role)
{
	return role == FCGI_AUTHORIZER ? 0 : role == FCGI_FILTER ? 2 : 1;
}

static void
clear(struct fcgi_call *c, const struct fcgi_call_plan *plan)
{
	forget(&c->body);
	forget(&c->errors);
	forget(&c->head);
	forget(&c->out);
	fcgi_reply_init(&c->reply, &c->sink, plan->head);
	c->reply.head_most = plan->head_most;
	c->errors_most = plan->errors_most;
	c->keep = plan->keep;
	c->open = streams(plan->role);
	c->sent = c->taken = 0;
	c->deaf = c->flooded = c->stale = false;
	why_set(&c->why, "%s", "");
}

enum fcgi_verdict
fcgi_call_begin(struct fcgi_call *c, const struct fcgi_call_plan *plan,
    const struct buf *params)
{
	enum fcgi_verdict verdict;

	c->deadline = clock_ms() + plan->timeout;
	if (c->fd != -1 && (c->busy || !is_quiet(c)))
		hang_up(c);
	clear(c, plan);
	verdict = open_connection(c);
	if (verdict != REPLY_MORE)
		return verdict;
	fcgi_add_begin(&c->out, REPLY_ID, plan->role,
	    plan->keep ? FCGI_KEEP_CONN : 0);
	if (params->len > 0)
		fcgi_add_stream(&c->out, FCGI_PARAMS, REPLY_ID, params->data,
		    params->len);
	fcgi_add_stream(&c->out, FCGI_PARAMS, REPLY_ID, NULL, 0);
	c->busy = true;
	if (!c->out.failed)
		return REPLY_MORE;
	errno = ENOMEM;
	return failed(c, REPLY_CONNECT, "request");
}

int
fcgi_call_put(struct fcgi_call *c, unsigned type, const void *data, size_t n)
{
	if (n == 0 && c->open > 0)
		c->open--;
	if (c->deaf || c->fd == -1)
		return 0;
	return fcgi_add_stream(&c->out, type, REPLY_ID, data, n);
}

bool
fcgi_call_sends(const struct fcgi_call *c)
{
	return !c->deaf && c->sent < c->out.len;
}

/* An error does not fail the request: the server may have answered before it
 * closed. */
static void
send_some(struct fcgi_call *c)
{
	ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
	    MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0)
		c->sent += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		c->deaf = true;
	if (fcgi_call_sends(c))
		return;
	buf_clear(&c->out);
	c->sent = 0;
}

/* The response is complete.  The connection is closed unless it can carry
 * another request: all of this one has been sent, and nothing has come behind
 * the response. */
static enum fcgi_verdict
finish(struct fcgi_call *c, bool excess)
{
	if (c->keep && !excess && !c->deaf && c->open == 0 &&
	    !fcgi_call_sends(c)) {
		c->busy = false;
		c->reused = true;
	} else {
		hang_up(c);
	}
	return REPLY_DONE;
}

static enum fcgi_verdict
take(struct fcgi_call *c, const char *bytes, size_t n)
{
	enum fcgi_verdict verdict;
	size_t used;

	verdict = fcgi_reply_feed(&c->reply, bytes, n, &used, &c->why);
	if (c->flooded) {
		why_set(&c->why, "more than %zu bytes of error text",
		    c->errors_most);
		verdict = REPLY_PROTOCOL;
	} else if (c->body.failed || c->errors.failed || c->head.failed) {
		why_set(&c->why, "out of memory");
		verdict = REPLY_PROTOCOL;
	}
	if (verdict == REPLY_DONE)
		return finish(c, used < n);
	if (verdict != REPLY_MORE)
		hang_up(c);
	return verdict;
}

static enum fcgi_verdict
receive_some(struct fcgi_call *c)
{
	static char bytes[RECEIVE];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return REPLY_MORE;
	if (n > 0)
		return take(c, bytes, (size_t)n);
	c->stale = c->reused && c->reply.bytes == 0;
	if (n == -1)
		return failed(c, REPLY_CUT, "the connection broke");
	why_set(&c->why, "the server closed the connection before the end of "
	    "the response");
	hang_up(c);
	return REPLY_CUT;
}

enum fcgi_verdict
fcgi_call_step(struct fcgi_call *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int n;

	if (c->fd == -1) {
		why_set(&c->why, "the connection is closed");
		return REPLY_CUT;
	}
	if (fcgi_call_sends(c))
		p.events |= POLLOUT;
	n = await(c, &p);
	if (n == 0)
		return timed_out(c, "no complete response");
	if (n == -1)
		return failed(c, REPLY_CUT, "poll");
	if (p.revents & POLLOUT)
		send_some(c);
	return p.revents & ~POLLOUT ? receive_some(c) : REPLY_MORE;
}

const char *
fcgi_call_body(const struct fcgi_call *c, size_t *n)
{
	*n = c->body.len - c->taken;
	return *n > 0 ? c->body.data + c->taken : "";
}

void
fcgi_call_take(struct fcgi_call *c, size_t n)
{
	c->taken += n;
}

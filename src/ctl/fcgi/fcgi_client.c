#include "ctl/fcgi/fcgi_client.h"

#include <sys/un.h>

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
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

static int
parse_unix(const char *path, struct fcgi_address *address, struct why *why)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->sa;

	if (strlen(path) >= sizeof(un->sun_path)) {
		why_set(why, "%s: longer than %zu bytes", path,
		    sizeof(un->sun_path) - 1);
		return -1;
	}
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	address->len = sizeof(*un);
	return 0;
}

static const struct addrinfo *
preferred(const struct addrinfo *list)
{
	const struct addrinfo *ai;

	for (ai = list; ai != NULL; ai = ai->ai_next)
		if (ai->ai_family == AF_INET)
			return ai;
	return list;
}

static int
resolve(const char *host, const char *port, struct fcgi_address *address,
    struct why *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	const struct addrinfo *ai;
	int rc;

	if ((rc = getaddrinfo(host, port, &hints, &list)) != 0) {
		why_set(why, "%s, port %s: %s", host, port, gai_strerror(rc));
		return -1;
	}
	ai = preferred(list);
	memcpy(&address->sa, ai->ai_addr, ai->ai_addrlen);
	address->len = ai->ai_addrlen;
	freeaddrinfo(list);
	return 0;
}

int
fcgi_address_parse(const char *text, struct fcgi_address *address,
    struct why *why)
{
	const char *colon = strrchr(text, ':'), *from = text;
	char host[256];
	size_t n;

	memset(address, 0, sizeof(*address));
	if (colon == NULL || strchr(text, '/') != NULL)
		return parse_unix(text, address, why);
	n = (size_t)(colon - text);
	if (n >= 2 && text[0] == '[' && colon[-1] == ']') {
		from++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof(host) || colon[1] == '\0') {
		why_set(why, "%s: neither a path nor HOST:PORT", text);
		return -1;
	}
	memcpy(host, from, n);
	host[n] = '\0';
	return resolve(host, colon + 1, address, why);
}

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

#include "ctl/fcgi/fcgi_load.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

#define RECEIVE	  65536
#define EVENTS	  256
#define PAUSE_US  1000 /* before the next attempt to connect */

enum client_state {
	CLIENT_DONE,	/* no more requests */
	CLIENT_PAUSED,	/* begins a request at pause_end */
	CLIENT_QUEUED,	/* has begun one; connects again at pause_end, because
			   the listen queue was full */
	CLIENT_CONNECTING,
	CLIENT_TALKING
};

/* `began` is valid while a request is in progress.  fd is -1, or registered
 * with epoll for `events`; 0: not registered yet. */
struct client {
	enum client_state state;
	int fd;
	uint32_t events;
	bool reused; /* the connection has carried a request before */
	size_t sent;
	int64_t began;
	int64_t pause_end;
	struct fcgi_reply reply;
};

struct load {
	const struct load_plan *plan;
	struct fcgi_tally *tally;
	struct client *clients;
	char *bytes;
	int epoll;
	int64_t now;
	int64_t stop;	    /* from then on no request begins */
	int64_t next_check; /* before then no request times out */
	uint64_t left;	    /* requests not begun */
	unsigned live;	    /* clients that are not CLIENT_DONE */
	unsigned pausing;   /* clients PAUSED or QUEUED */
};

static const struct fcgi_sink nowhere;

static void
set_state(struct load *l, struct client *c, enum client_state state)
{
	l->pausing -= c->state == CLIENT_PAUSED || c->state == CLIENT_QUEUED;
	l->pausing += state == CLIENT_PAUSED || state == CLIENT_QUEUED;
	l->live -= c->state != CLIENT_DONE;
	l->live += state != CLIENT_DONE;
	c->state = state;
}

static void
pause_client(struct load *l, struct client *c, enum client_state state)
{
	c->pause_end = l->now + PAUSE_US;
	set_state(l, c, state);
}

static void
close_client(struct client *c)
{
	fd_close(&c->fd); /* which also removes it from epoll */
	c->events = 0;
	c->reused = false;
}

static void
watch(struct load *l, struct client *c, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	if (c->events == events)
		return;
	epoll_ctl(l->epoll, c->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
	    c->fd, &e);
	c->events = events;
}

/* As in fcgi_fetch, a failed send does not fail the request. */
static void
send_request(struct load *l, struct client *c)
{
	const struct buf *request = l->plan->request;
	ssize_t n;

	n = send(c->fd, request->data + c->sent, request->len - c->sent,
	    MSG_NOSIGNAL);
	if (n >= 0)
		c->sent += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		c->sent = request->len;
	watch(l, c, c->sent < request->len ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void
talk(struct load *l, struct client *c)
{
	set_state(l, c, CLIENT_TALKING);
	c->sent = 0;
	send_request(l, c);
}

static void
count_failure(struct load *l, struct client *c, enum tally_failure kind,
    const char *reason)
{
	l->tally->bytes += c->reply.bytes;
	tally_failure(l->tally, kind, reason);
	close_client(c);
}

/* The pause keeps a missing server from causing a tight loop. */
static void
cannot_connect(struct load *l, struct client *c, int error)
{
	count_failure(l, c, FAIL_CONNECT, strerror(error));
	pause_client(l, c, CLIENT_PAUSED);
}

static void
connect_client(struct load *l, struct client *c)
{
	const struct fcgi_address *a = l->plan->address;

	c->fd = socket(a->sa.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd == -1) {
		cannot_connect(l, c, errno);
	} else if (connect(c->fd, (const struct sockaddr *)&a->sa, a->len) ==
	    0) {
		talk(l, c);
	} else if (errno == EINPROGRESS) {
		set_state(l, c, CLIENT_CONNECTING);
		watch(l, c, EPOLLOUT);
	} else if (errno == EAGAIN && a->sa.ss_family == AF_UNIX) {
		close_client(c);
		pause_client(l, c, CLIENT_QUEUED);
	} else {
		cannot_connect(l, c, errno);
	}
}

static void
begin(struct load *l, struct client *c)
{
	if (l->left == 0 || l->now >= l->stop) {
		close_client(c);
		set_state(l, c, CLIENT_DONE);
		return;
	}
	l->left--;
	c->began = l->now;
	fcgi_reply_init(&c->reply, &nowhere, l->plan->head);
	if (c->fd == -1) {
		connect_client(l, c);
	} else {
		c->reused = true;
		talk(l, c);
	}
}

static void
fail(struct load *l, struct client *c, enum tally_failure kind,
    const char *reason)
{
	if (kind == FAIL_CUT && c->reused && c->reply.bytes == 0) {
		l->tally->reconnects++;
		close_client(c);
		connect_client(l, c);
		return;
	}
	count_failure(l, c, kind, reason);
	begin(l, c);
}

static void
answered(struct load *l, struct client *c)
{
	const struct fcgi_reply *r = &c->reply;
	char reason[60];

	tally_answer(l->tally, r->cgi.status, (uint64_t)(l->now - c->began));
	l->tally->bytes += r->bytes;
	if (r->cgi.status >= 400) {
		snprintf(reason, sizeof(reason), "%u", r->cgi.status);
		tally_failure(l->tally, FAIL_STATUS, reason);
	} else if (r->app_status != 0) {
		snprintf(reason, sizeof(reason), "%u", r->app_status);
		tally_failure(l->tally, FAIL_APPLICATION, reason);
	}
	if (!l->plan->keep)
		close_client(c);
	begin(l, c);
}

static void
receive(struct load *l, struct client *c)
{
	enum fcgi_verdict verdict;
	struct why why;
	size_t used;
	ssize_t n;

	n = recv(c->fd, l->bytes, RECEIVE, 0);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	l->now = clock_us();
	if (n <= 0) {
		fail(l, c, FAIL_CUT, n == 0 ? "closed by the server" :
		    strerror(errno));
		return;
	}
	verdict = fcgi_reply_feed(&c->reply, l->bytes, (size_t)n, &used, &why);
	if (verdict == REPLY_DONE && used < (size_t)n)
		fail(l, c, FAIL_PROTOCOL, "bytes after the response");
	else if (verdict == REPLY_DONE)
		answered(l, c);
	else if (verdict != REPLY_MORE)
		fail(l, c, verdict == REPLY_CUT ? FAIL_CUT : FAIL_PROTOCOL,
		    why.text);
}

static void
connected(struct load *l, struct client *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0)
		cannot_connect(l, c, error);
	else
		talk(l, c);
}

static void
handle(struct load *l, struct client *c, uint32_t events)
{
	if (c->state == CLIENT_CONNECTING) {
		connected(l, c);
		return;
	}
	if (events & EPOLLOUT)
		send_request(l, c);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(l, c);
}

static void
wake_paused(struct load *l)
{
	struct client *c, *end = l->clients + l->plan->clients;

	for (c = l->clients; c < end && l->pausing > 0; c++) {
		if (c->pause_end > l->now)
			continue;
		if (c->state == CLIENT_PAUSED)
			begin(l, c);
		else if (c->state == CLIENT_QUEUED)
			connect_client(l, c);
	}
}

/* All requests have the same limit, so one that begins later never times out
 * before those that are checked here. */
static void
check_time(struct load *l)
{
	int64_t limit = l->plan->timeout_ms * 1000;
	struct client *c, *end = l->clients + l->plan->clients;

	if (l->now < l->next_check)
		return;
	l->next_check = l->now + limit;
	for (c = l->clients; c < end; c++) {
		if (c->state == CLIENT_DONE || c->state == CLIENT_PAUSED)
			continue;
		if (c->began + limit <= l->now)
			fail(l, c, FAIL_TIMEOUT, "no answer in time");
		else if (c->began + limit < l->next_check)
			l->next_check = c->began + limit;
	}
}

static int
turn(struct load *l, struct why *why)
{
	struct epoll_event events[EVENTS];
	int64_t wait = l->pausing > 0 ? 1 :
	    (l->next_check - l->now) / 1000 + 1;
	int i, n;

	n = epoll_wait(l->epoll, events, EVENTS,
	    wait < 60000 ? (int)wait : 60000);
	if (n == -1 && errno != EINTR) {
		why_set(why, "epoll_wait: %s", strerror(errno));
		return -1;
	}
	l->now = clock_us();
	for (i = 0; i < n; i++)
		handle(l, events[i].data.ptr, events[i].events);
	if (l->pausing > 0)
		wake_paused(l);
	check_time(l);
	return 0;
}

static void
raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
prepare(struct load *l, struct why *why)
{
	unsigned i;

	raise_descriptor_limit();
	l->clients = calloc(l->plan->clients, sizeof(*l->clients));
	l->bytes = malloc(RECEIVE);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->clients == NULL || l->bytes == NULL || l->epoll == -1) {
		why_set(why, "%s", strerror(errno));
		return -1;
	}
	for (i = 0; i < l->plan->clients; i++)
		l->clients[i].fd = -1;
	return 0;
}

static int
run(struct load *l, struct why *why)
{
	int64_t start = clock_us();
	unsigned i;
	int rc = 0;

	l->now = start;
	l->next_check = start + l->plan->timeout_ms * 1000;
	l->stop = l->plan->run_ms > 0 ? start + l->plan->run_ms * 1000 :
	    INT64_MAX;
	for (i = 0; i < l->plan->clients; i++)
		begin(l, &l->clients[i]);
	while (rc == 0 && l->live > 0)
		rc = turn(l, why);
	l->tally->elapsed_us = clock_us() - start;
	return rc;
}

int
fcgi_load(const struct load_plan *plan, struct fcgi_tally *tally,
    struct why *why)
{
	struct load l = { .plan = plan, .tally = tally };
	unsigned i;
	int rc;

	l.left = plan->requests > 0 ? plan->requests : UINT64_MAX;
	if ((rc = prepare(&l, why)) == 0)
		rc = run(&l, why);
	for (i = 0; l.clients != NULL && i < plan->clients; i++) {
		close_client(&l.clients[i]);
		fcgi_reply_free(&l.clients[i].reply);
	}
	fd_close(&l.epoll);
	free(l.clients);
	free(l.bytes);
	return rc;
}

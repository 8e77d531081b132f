#include "worker/worker.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/conn.h"
#include "worker/fcgi.h"
#include "worker/lua_app.h"
#include "worker/privs.h"
#include "worker/wait.h"

#define RECEIVE_CHUNK	4096 /* holds most request heads */
#define RECEIVE_MAX	(128 * 1024) /* from one peer before others */
#define LINGER_PATIENCE 5000 /* ms for a peer to close after its response */
#define LEAVE_PATIENCE	1000 /* ms for a begun head to come when leaving */
#define CONNS_MAX	4096
#define FILES_RESERVED	64 /* descriptors left to the application */
#define BURST_MAX	32 /* requests taken from a listener in one go, */
#define BURST_MS	20 /* or so long, before others are looked at */

/* Keys of the wait set.  Connections have a serial number above 2^32. */
enum { KEY_CHANNEL = 0, KEY_SIGNALS, KEY_EXCHANGE, KEY_LISTENER };
#define KEY_CONN ((uint64_t)1 << 32)

static struct {
	const struct birth *birth;
	struct lua_app *app;
	int wait_set;
	int signals;
	bool told;     /* TERM or QUIT has come */
	bool orphaned; /* the master is gone */
} self;

static void
say(enum birth_word word)
{
	char byte = (char)word;

	if (self.birth->channel != -1)
		send(self.birth->channel, &byte, 1,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- serving ------------------------------------------------------------- */

static void
note_busy(const struct request *request)
{
	char method[16], uri[128];
	const char *value;
	size_t len;

	value = request_param(request, "REQUEST_METHOD", &len);
	snprintf(method, sizeof(method), "%.*s", value != NULL ? (int)len : 0,
	    value != NULL ? value : "");
	value = request_param(request, "REQUEST_URI", &len);
	if (value == NULL)
		len = 0;
	snprintf(uri, sizeof(uri), "%.*s", len < sizeof(uri) ? (int)len : 127,
	    value != NULL ? value : "");
	if (score_busy(self.birth->score, self.birth->slot, method, uri))
		say(WORD_CROWDED);
}

/* One request, whose head is complete.  True: the connection goes on and may
 * hold more; false: it has been ended. */
static bool
serve(struct conn *c)
{
	struct request *request;
	enum fcgi_end end;

	conn_take(c);
	request = fcgi_begin(c);
	if (request == NULL) {
		conn_close(c);
		return false;
	}
	note_busy(request);
	lua_app_serve(self.app, request);
	end = fcgi_end(request);
	score_idle(self.birth->score, self.birth->slot);
	if (end == FCGI_END_KEEP)
		return true;
	if (end == FCGI_END_LINGER)
		conn_linger(c);
	else
		conn_close(c);
	return false;
}

/* Judge what has come, serve what is complete.  Requests that a peer sent
 * ahead are served in turn, so no event is needed for bytes already here. */
static void
advance(struct conn *c)
{
	for (;;) {
		switch (fcgi_judge(c)) {
		case SCAN_HEAD:
			if (!serve(c))
				return;
			if (c->in.len > 0)
				continue;
			conn_park(c, CONN_IDLE);
			return;
		case SCAN_MORE:
			conn_park(c, CONN_HEAD);
			return;
		case SCAN_REFUSE:
			conn_linger(c);
			return;
		default:
			conn_close(c);
			return;
		}
	}
}

static void
receive(struct conn *c)
{
	size_t before = c->in.len;
	ssize_t n;

	if (c->state == CONN_LINGER) {
		if (!conn_discard(c))
			conn_close(c);
		return;
	}
	do
		n = conn_receive(c, &c->in, RECEIVE_CHUNK);
	while (n == RECEIVE_CHUNK && c->in.len - before < RECEIVE_MAX);
	if (c->in.len > before)
		advance(c);
	else if (n == -1 && errno == EAGAIN)
		conn_park(c, c->state);
	else
		conn_close(c);
}

/* ---- accepting ----------------------------------------------------------- */

/* Out of descriptors: an idle connection is worth less than a new one. */
static bool
make_room(void)
{
	struct conn *c = conn_oldest(CONN_IDLE);

	if (c == NULL)
		c = conn_oldest(CONN_LINGER);
	if (c == NULL)
		c = conn_oldest(CONN_HEAD);
	if (c == NULL)
		return false;
	conn_close(c);
	return true;
}

/* -1: nobody waits (or nothing can be done about it now). */
static int
accept_one(int listener)
{
	int fd;

	do
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (fd == -1 && (errno == ECONNABORTED || errno == EINTR ||
	    ((errno == EMFILE || errno == ENFILE) && make_room())));
	return fd;
}

/*
 * Under load a listener is taken from until it is empty, and the wait costs
 * nothing; but not for ever: signals and kept connections have their turn.
 */
static void
accept_burst(int listener)
{
	int64_t until = clock_ms() + BURST_MS;
	int fd;

	for (int i = 0; i < BURST_MAX; i++) {
		fd = accept_one(listener);
		if (fd == -1)
			return;
		receive(conn_add(fd));
		if (clock_ms() >= until)
			return;
	}
}

/* ---- the master's wishes ------------------------------------------------- */

static void
obey_signals(void)
{
	int signo;

	while ((signo = wait_signal_next(self.signals)) != 0) {
		if (signo != SIGHUP)
			self.told = true;
		else if (lua_app_restart(self.app) == 1)
			say(WORD_REPLACE);
	}
}

/* The master never talks on the channel; it only goes away. */
static void
hear_channel(void)
{
	char byte;
	ssize_t n = recv(self.birth->channel, &byte, 1, MSG_DONTWAIT);

	if (n == 0 || (n == -1 && errno != EAGAIN)) {
		wait_remove(self.wait_set, self.birth->channel);
		self.told = self.orphaned = true;
	}
}

static void
handle(uint64_t key)
{
	struct conn *c;

	if (key >= KEY_CONN) {
		c = conn_find(key);
		if (c != NULL)
			receive(c);
	} else if (key == KEY_SIGNALS) {
		obey_signals();
	} else if (key == KEY_CHANNEL) {
		hear_channel();
	} else if (key == KEY_EXCHANGE) {
		c = conn_adopt(self.birth->exchange[0]);
		if (c != NULL)
			receive(c);
	} else {
		accept_burst(self.birth->listeners[key - KEY_LISTENER]);
	}
}

static void
too_late(struct conn *c)
{
	fcgi_complain(c, c->in.len > 0 ? "request head not complete in time" :
					 "no request in time");
}

/* Sleep until something happens, at the latest at `until` (-1: no limit),
 * and deal with it. */
static void
turn(int64_t until)
{
	uint64_t keys[WAIT_BATCH];
	int64_t now = clock_ms(), due = conn_next_due();
	int timeout = -1, n;

	if (due == -1 || (until != -1 && until < due))
		due = until;
	if (due != -1)
		timeout = due > now ? (int)(due - now) : 0;
	n = wait_turn(self.wait_set, keys, timeout);
	for (int i = 0; i < n; i++)
		handle(keys[i]);
	conn_expire(clock_ms(), too_late);
}

/* ---- leaving ------------------------------------------------------------- */

static void
listen_again(bool on)
{
	const struct birth *b = self.birth;

	for (size_t i = 0; i < b->nlisteners; i++) {
		if (on)
			wait_add(self.wait_set, b->listeners[i],
			    KEY_LISTENER + i, true);
		else
			wait_remove(self.wait_set, b->listeners[i]);
	}
	if (b->exchange[0] == -1)
		return;
	if (on)
		wait_add(self.wait_set, b->exchange[0], KEY_EXCHANGE, true);
	else
		wait_remove(self.wait_set, b->exchange[0]);
}

/* Nobody else will: serve all that waits in the listen queues. */
static void
empty_queues(void)
{
	int fd;

	for (size_t i = 0; i < self.birth->nlisteners; i++)
		while ((fd = accept_one(self.birth->listeners[i])) != -1)
			receive(conn_add(fd));
}

/* Connections between requests or with a head not yet complete go to the
 * workers that stay. */
static void
hand_over(enum conn_state state)
{
	struct conn *c, *next;

	for (c = conn_oldest(state); c != NULL; c = next) {
		next = c->next;
		conn_give(c, self.birth->exchange[1]);
	}
}

/* Take no more, finish what has begun, ask the application.  Returns only if
 * it declines. */
static void
leave(void)
{
	int64_t until;

	self.told = false;
	score_leaving(self.birth->score, self.birth->slot);
	listen_again(false);
	if (score_heirs(self.birth->score) && !self.orphaned) {
		hand_over(CONN_IDLE);
		hand_over(CONN_HEAD);
	} else {
		empty_queues();
	}
	until = clock_ms() + LEAVE_PATIENCE;
	while ((conn_oldest(CONN_HEAD) != NULL ||
		   conn_oldest(CONN_LINGER) != NULL) && clock_ms() < until)
		turn(until);
	if (!lua_app_stop(self.app) && !self.orphaned) {
		log_notice("the application declines to stop");
		listen_again(true);
		return;
	}
	say(WORD_LEAVING);
	lua_app_free(self.app);
	exit(EX_OK);
}

/* ---- birth --------------------------------------------------------------- */

static void
set_up_waiting(void)
{
	static const int numbers[] = { SIGHUP, SIGTERM, SIGQUIT, 0 };

	self.wait_set = wait_open();
	self.signals = wait_signals(numbers);
	if (self.wait_set == -1 || self.signals == -1 ||
	    wait_add(self.wait_set, self.signals, KEY_SIGNALS, false) == -1) {
		log_error("cannot wait: %s", strerror(errno));
		exit(EX_OSERR);
	}
	if (self.birth->channel != -1)
		wait_add(self.wait_set, self.birth->channel, KEY_CHANNEL,
		    false);
}

static int
conns_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 ||
	    limit.rlim_cur >= CONNS_MAX + FILES_RESERVED)
		return CONNS_MAX;
	return limit.rlim_cur > 2 * FILES_RESERVED ?
	    (int)limit.rlim_cur - FILES_RESERVED : FILES_RESERVED;
}

static void
set_up_requests(void)
{
	const struct conf_pool *pool = self.birth->pool;
	const struct fcgi_options options = {
		.scan = { .head = (size_t)pool->limits.head,
		    .capacity = (unsigned)pool->workers.max },
		.read_timeout = pool->timeouts.read,
		.write_timeout = pool->timeouts.write,
	};
	const struct conn_limits limits = {
		.patience = { [CONN_HEAD] = pool->timeouts.read,
		    [CONN_IDLE] = pool->timeouts.keepalive,
		    [CONN_LINGER] = LINGER_PATIENCE },
		.max = conns_max(),
	};
	struct why why;

	if (fcgi_init(&options, &why) == -1) {
		log_error("%s", why.text);
		exit(EX_OSERR);
	}
	if (conn_init(self.wait_set, &limits) == -1) {
		log_error("no memory for connections");
		exit(EX_OSERR);
	}
	/* After FCGX_Init, which sets some of them.  The terminal's INT
	 * reaches the whole group; where there is a master, it decides. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	if (self.birth->channel != -1)
		signal(SIGINT, SIG_IGN);
}

static void
start_application(void)
{
	const struct conf_pool *pool = self.birth->pool;
	const struct lua_app_options options = { .errors_to_server =
						     pool->errors_to_server };
	struct why why;
	int code;

	self.app = lua_app_load(pool->app, &options, &why);
	if (self.app == NULL) {
		log_error("%s", why.text);
		exit(EX_SOFTWARE);
	}
	switch (lua_app_start(self.app, &code, &why)) {
	case 0:
		return;
	case 1:
		log_error("%s: start returned %d: leaving with it", pool->app,
		    code);
		exit(code);
	default:
		log_error("%s", why.text);
		exit(EX_SOFTWARE);
	}
}

_Noreturn void
worker_main(const struct birth *birth)
{
	struct why why;

	self.birth = birth;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (privs_drop(birth->pool, &why) == -1) {
		log_error("%s", why.text);
		exit(EX_OSERR);
	}
	set_up_waiting();
	set_up_requests();
	start_application();
	listen_again(true);
	score_idle(birth->score, birth->slot);
	say(WORD_READY);
	for (;;) {
		turn(-1);
		if (self.told)
			leave();
	}
}

int
worker_check(const struct conf_pool *pool, struct why *why)
{
	const struct lua_app_options options = { 0 };
	struct lua_app *app;

	if (privs_drop(pool, why) == -1)
		return -1;
	app = lua_app_load(pool->app, &options, why);
	if (app == NULL)
		return -1;
	lua_app_free(app);
	return 0;
}

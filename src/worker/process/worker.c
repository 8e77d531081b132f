
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tuning.h"
#include "ipc/channel.h"
#include "worker/cgi/cgi.h"
#include "worker/lua/lib/lua_shared.h"
#include "worker/lua/lib/lua_worker.h"
#include "worker/lua/lua_app.h"
#include "worker/net/acceptor.h"
#include "worker/net/conn.h"
#include "worker/net/handoff.h"
#include "worker/net/hub_client.h"
#include "worker/net/poller.h"
#include "worker/process/end.h"
#include "worker/process/entry.h"
#include "worker/process/forked.h"
#include "worker/process/peers.h"
#include "worker/process/privs.h"
#include "worker/process/stdio.h"
#include "worker/process/vitals.h"
#include "worker/process/worker.h"
#include "worker/serve/access_log.h"
#include "worker/serve/builtin.h"
#include "worker/serve/interval.h"
#include "worker/serve/retire.h"
#include "worker/serve/script.h"
#include "worker/serve/serve.h"
#include "worker/serve/watchdog.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define LEAVE_PATIENCE	1000 /* ms for an awaited head when leaving */
#define STATUS_PATIENCE 5000 /* ms for the master to answer */

/* Keys of the wait set.  Those of connections have a serial number, which is
 * not 0, in their upper 32 bits. */
enum { KEY_CHANNEL = 0, KEY_SIGNALS, KEY_HUB, KEY_EXCHANGE, KEY_LISTENER };
#define KEY_CONN ((uint64_t)1 << 32)

static struct {
	const struct worker_args *args;
	struct lua_app *app;
	int wait_set;
	int signals;
	bool told;     /* TERM or QUIT has come */
	bool orphaned; /* the master is gone */
	bool keeps;    /* ORDER_KEEP has come, */
	bool gave;     /* and the silent connections have been given away */
	bool renews;   /* leaves to a fresh worker in this process */
} self;

static _Noreturn void
fail(int code, const char *why)
{
	log_error("%s", why);
	worker_fail(self.args, why);
	exit(code);
}

static _Noreturn void
fail_errno(const char *what)
{
	struct why why;

	why_set(&why, "%s: %s", what, strerror(errno));
	fail(EX_OSERR, why.text);
}

/* ---- called by the guard, from its thread -------------------------------- */

static void
patience_over(void)
{
	end_now(EX_SOFTWARE);
}

static void
stuck(const char *text)
{
	log_error("%s: %s: the worker ends", conf_pool_serves(self.args->pool),
	    text);
	if (self.args->kind == WORKER_KIND_TIMERS) /* no effect without a run */
		worker_explain(self.args, WORD_RUN_LATE, text);
	end_now(EX_SOFTWARE);
}

static void
start_guard(void)
{
	const struct conf_pool *pool = self.args->pool;
	const struct watchdog_options options = {
		.channel = self.args->channel,
		.patience = pool->timeouts.stop,
		.orphaned = acceptor_abandon,
		.end = patience_over,
		.check = vitals_check,
	};

	entry_init(pool, stuck);
	if (watchdog_start(&options) == -1)
		fail_errno("cannot start a second thread (limits.processes?)");
}

/* ---- orders of the master ------------------------------------------------ */

/* False: the application has no restart, or it was late. */
static bool
restart_application(void)
{
	enum lua_end end;

	score_restarting(self.args->score);
	end = lua_app_restart(self.app);
	score_idle(self.args->score);
	return end != LUA_END_NONE && end != LUA_END_LATE;
}

/* True if the pool has CGI programs instead of an application. */
static bool
runs_programs(void)
{
	return self.args->kind == WORKER_KIND_APP &&
	    self.args->pool->interface == INTERFACE_CGI;
}

/* HUP: restart the application.  If there is a master, it is asked for a
 * successor instead when files have changed on disk, or when restart is missing
 * or late. */
static void
restart(void)
{
	bool master = self.args->channel != -1;

	if (self.app == NULL) {
		/* There is nothing that a program could be behind. */
		if (runs_programs())
			worker_say(self.args, WORD_RESTARTED);
		return;
	}
	if ((master && lua_app_changed(self.app)) || !restart_application()) {
		score_because(self.args->score, CAUSE_RESTART);
		worker_say(self.args, WORD_REPLACE);
	} else
		worker_say(self.args, WORD_RESTARTED);
}

static void
obey_signals(void)
{
	int signo;

	while ((signo = poller_signal_next(self.signals)) != 0) {
		if (signo != SIGHUP)
			self.told = true;
		else
			restart();
	}
}

static void
obey(enum worker_order order)
{
	bool outdated = self.app != NULL && (lua_app_changed(self.app) ||
	    !lua_app_restarts(self.app));

	if (order == ORDER_ASK)
		worker_say(self.args, outdated ? WORD_OUTDATED :
						 WORD_CURRENT);
	else if (order == ORDER_OPEN)
		acceptor_open();
	else if (order == ORDER_KEEP)
		self.keeps = true;
}

/* Take one message of the master: a log that has changed, a status that was
 * asked for, an order, a timer to run, or its end.  *told as for channel_receive. */
static enum channel_message
hear_channel(int *told)
{
	enum channel_message message;

	access_log_flush(); /* the lines so far are for the old log */
	message = channel_receive(self.args->channel, self.args->sinks, told);
	if (message == CHANNEL_LOG)
		worker_say(self.args, WORD_TAKEN);
	if (message == CHANNEL_ORDER)
		obey((enum worker_order)*told);
	if (message == CHANNEL_RUN && self.args->kind == WORKER_KIND_TIMERS)
		interval_run(self.args, self.app, channel_timer());
	if (message == CHANNEL_CLOSED && !self.orphaned) {
		poller_remove(self.wait_set, self.args->channel);
		self.told = self.orphaned = true;
	}
	return message;
}

/* True: there may be more messages. */
static bool
channel_ready(void)
{
	int late = -1;
	enum channel_message message = hear_channel(&late);

	if (message == CHANNEL_STATUS || message == CHANNEL_LIMITS)
		fd_close(&late); /* await_status has given up */
	return message != CHANNEL_CLOSED && message != CHANNEL_EMPTY;
}

/* Wait for the master's answer to WORD_STATUS: its descriptor, or -1 if none
 * has come within STATUS_PATIENCE.  Other messages are heard meanwhile. */
static int
await_status(void)
{
	struct pollfd p = { .fd = self.args->channel, .events = POLLIN };
	int64_t until = clock_ms() + STATUS_PATIENCE, left;
	int status = -1;

	while (!self.orphaned && (left = until - clock_ms()) > 0)
		if (poll(&p, 1, (int)left) == 1 &&
		    hear_channel(&status) == CHANNEL_STATUS)
			break;
	return status;
}

/* Take what another worker hands over: a connection, or a nudge to accept from
 * the listeners. */
static void
take_over(void)
{
	struct conn *c;

	if (!acceptor_admits())
		return;
	c = handoff_take(self.args->exchange[0]);
	if (c != NULL)
		serve_adopted(c);
	else if (errno != ENOMSG)
		acceptor_failed();
	else
		for (size_t i = 0; i < self.args->nlisteners; i++)
			serve_accept(i);
}

static void
handle(const struct poller_event *event)
{
	uint64_t key = event->key;
	struct conn *c;

	if (key >= KEY_CONN) {
		c = conn_hear(key, event->marked);
		if (c != NULL)
			serve_receive(c);
	} else if (key == KEY_SIGNALS) {
		obey_signals();
	} else if (key == KEY_CHANNEL) {
		channel_ready();
	} else if (key == KEY_EXCHANGE) {
		take_over();
	} else if (key == KEY_HUB) {
		serve_hub();
	} else {
		serve_accept(key - KEY_LISTENER);
	}
}

/* If the worker is marked as leaving, hear the master before any event is
 * handled: after ORDER_KEEP the addresses are another application's, and
 * connections that have sent nothing go to it, over the exchange. */
static void
look_for_heirs(void)
{
	const struct worker_args *b = self.args;

	if (self.gave || self.orphaned || b->channel == -1 ||
	    !score_is_leaving(b->score))
		return;
	while (channel_ready())
		;
	self.gave = self.keeps && !self.orphaned;
	if (self.gave)
		handoff_give_silent(b->exchange[1], 0);
}

/* Sleep until something happens, at the latest at `until` (-1: no limit),
 * and deal with it. */
static void
turn(int64_t until)
{
	struct poller_event events[POLLER_BATCH];
	int64_t now = clock_ms(), conns = conn_next_due(), due;
	int n;

	due = clock_sooner(clock_sooner(until, acceptor_due()), conns);
	due = clock_sooner(due, clock_sooner(log_due(), access_log_due()));
	due = clock_sooner(due, hub_client_due());
	score_gauge(self.args->score, GAUGE_CONNECTIONS,
	    conn_count(CONN_IDLE));
	n = poller_turn(self.wait_set, events, now, due);
	if (n == -1 && errno != EINTR)
		vitals_lose("means to wait");
	serve_turn(now);
	look_for_heirs();
	for (int i = 0; i < n; i++)
		handle(&events[i]);
	serve_ready();
	now = clock_ms();
	if (conns != -1 && conns <= now)
		conn_expire(now, serve_late);
	acceptor_tick(now);
	hub_client_tick(now);
	log_tick(now);
	access_log_tick(now);
}

/* ---- leaving ------------------------------------------------------------- */

/* No other worker stays: serve what waits at the listeners, and what workers
 * that have left before have handed over.  A fresh worker finds it there. */
static void
empty_queues(void)
{
	const struct worker_args *b = self.args;
	struct conn *c;

	if (self.renews)
		return;
	for (size_t i = 0; i < b->nlisteners; i++)
		serve_queue(i);
	while (b->exchange[0] != -1 &&
	    ((c = handoff_take(b->exchange[0])) != NULL || errno == ENOMSG ||
	    errno == EPROTO))
		if (c != NULL)
			serve_adopted(c);
}

static unsigned
unfinished(void)
{
	return conn_count(CONN_HEAD) + conn_count(CONN_READY) +
	    conn_count(CONN_LINGER);
}

/* Those that their peers keep busy: each has a deadline of its own. */
static unsigned
on_their_way(void)
{
	return conn_count(CONN_BODY) + conn_count(CONN_FLUSH);
}

/* Half of the time to leave is the application's. */
static int64_t
idle_patience(void)
{
	int64_t half = self.args->pool->timeouts.stop / 2;

	return half < peers_idle() ? half : peers_idle();
}

static bool
has_idle(int64_t until)
{
	return conn_count(CONN_IDLE) > 0 && clock_ms() < until;
}

/*
 * Serve until no head is awaited and no peer lingers, or until none of them has
 * ended for `patience` ms; and until all bodies have come and all responses are
 * taken.  A request of an idle peer may be on its way for some time; then, if
 * nobody takes connections over (last), they are closed as soon as they are
 * silent: nobody is to ask while the application is stopped.
 */
static void
finish(bool last)
{
	int64_t patience = self.keeps ? self.args->pool->timeouts.read :
					LEAVE_PATIENCE;
	int64_t until = clock_ms() + patience;
	int64_t idle = clock_ms() + idle_patience();
	unsigned before;
	int64_t limit;

	while (vitals_found() == NULL) {
		before = unfinished();
		if (before > 0 && clock_ms() < until)
			limit = until;
		else if (has_idle(idle))
			limit = idle;
		else if (on_their_way() > 0)
			limit = -1;
		else if (last && has_idle(idle + LEAVE_PATIENCE)) {
			conn_close_silent();
			limit = 0;
		} else
			break;
		turn(limit);
		if (unfinished() < before)
			until = clock_ms() + patience;
	}
	access_log_flush();
}

/* What C libraries do at exit counts against the limit of LUA_CLOSE. */
static _Noreturn void
end(int code)
{
	log_flush();
	if (self.app != NULL)
		lua_app_free(self.app);
	if (self.renews) {
		fflush(NULL);
		self.args->again();
		log_error("a fresh worker cannot begin: %s", strerror(errno));
	}
	entry_begin(LUA_CLOSE);
	exit(code);
}

/* A timer that the master ordered to run before it sent TERM is run. */
static void
hear_last_orders(void)
{
	while (self.args->kind == WORKER_KIND_TIMERS && !self.orphaned &&
	    channel_ready())
		;
}

/* Take no more, finish what has begun, ask the application.  Returns only if
 * it declines.  TERM or QUIT wins over a fresh worker. */
static void
leave(void)
{
	bool give;

	self.told = false;
	hear_last_orders();
	acceptor_shut();
	hub_client_leave();
	if (self.orphaned)
		acceptor_abandon();
	give = score_heirs(self.args->score) && !self.orphaned &&
	    !handoff_has_ended(self.args->exchange[0]);
	peers_end(!give);
	if (!give)
		empty_queues();
	else if (self.keeps)
		handoff_give_silent(self.args->exchange[1], LEAVE_PATIENCE);
	else
		handoff_give_all(self.args->exchange[1], LEAVE_PATIENCE);
	finish(!give);
	if (self.renews && self.told) {
		self.renews = false;
		empty_queues();
		finish(true);
	}
	if (give && self.keeps) /* those that were served meanwhile */
		handoff_give_silent(self.args->exchange[1], LEAVE_PATIENCE);
	if (self.app != NULL && !lua_app_stop(self.app) && !self.orphaned) {
		log_notice("the application declines to stop");
		peers_end(false);
		acceptor_open();
		return;
	}
	worker_say(self.args, WORD_LEAVING);
	end(EX_OK);
}

/* The worker has done enough, and no master sends a successor. */
static void
renew(void)
{
	self.renews = true;
	leave();
	self.renews = false;
}

/* Events may no longer be noticed: give all connections to other workers and
 * exit with an error. */
static _Noreturn void
leave_lost(void)
{
	log_error("has lost its %s, which only the application can have "
	    "closed: leaves", vitals_found());
	acceptor_shut();
	handoff_give_all(self.args->exchange[1], LEAVE_PATIENCE);
	access_log_flush();
	if (self.app != NULL)
		lua_app_stop(self.app);
	end(EX_SOFTWARE);
}

/* ---- birth --------------------------------------------------------------- */

static void
set_up_waiting(void)
{
	static const int numbers[] = { SIGHUP, SIGTERM, SIGQUIT, 0 };

	self.wait_set = poller_open();
	self.signals = poller_signals(numbers);
	if (self.wait_set == -1 || self.signals == -1 ||
	    poller_add(self.wait_set, self.signals, KEY_SIGNALS, false) == -1 ||
	    vitals_init(self.args, self.wait_set, self.signals) == -1)
		fail_errno("cannot wait");
	if (self.args->channel != -1)
		poller_add(self.wait_set, self.args->channel, KEY_CHANNEL,
		    false);
}

/* INT from a terminal reaches the whole process group: with a master, only the
 * master acts on it. */
static void
ignore_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* write(2) fails with EFBIG: a lost line */
	if (self.args->channel != -1)
		signal(SIGINT, SIG_IGN);
}

static void
load_application(void)
{
	const struct conf_pool *pool = self.args->pool;
	static struct lua_worker worker;
	const struct lua_app_options options = {
		.worker = &worker,
		.memory = (size_t)pool->limits.memory,
		.response_head = (size_t)pool->limits.response_head,
		.errors_to_server = pool->errors_to_server,
		.timeout_status = (int)pool->timeout_status,
		.lua = &pool->lua,
		.pool = pool,
		.enter = entry_begin,
		.leave = entry_end,
	};
	struct why why;

	worker = (struct lua_worker){ .pool = pool->name,
		.index = self.args->kind == WORKER_KIND_TIMERS ? 0 :
		    self.args->number + 1,
		.generation = self.args->generation };
	lua_shared_offer(&pool->shared, self.args->shared,
	    self.args->nshared);
	if (pool->develop)
		log_notice("develop = true: files that change are loaded anew, "
		    "and clients see errors whole");
	self.app = lua_app_load(conf_pool_serves(pool), &options, &why);
	if (self.app == NULL)
		fail(EX_SOFTWARE, why.text);
}

/* Call lua_app_setup or lua_app_start, and exit if it fails. */
static void
call(int (*hook)(struct lua_app *app, int *code, struct why *why))
{
	int code = EX_SOFTWARE;
	struct why why;

	if (hook(self.app, &code, &why) == 0)
		return;
	worker_fail(self.args, why.text);
	exit(code);
}

/* A vital descriptor that was closed while the application started is a failed
 * start: each successor would close it too. */
static void
check_vitals(void)
{
	const char *lost = vitals_lost();

	if (lost == NULL)
		return;
	log_error("has lost its %s while the application started", lost);
	exit(EX_SOFTWARE);
}

/* The first process of a generation.  It ends, so that nothing of setup is
 * left when workers start; without a setup it is itself a worker. */
static void
set_up_pool(void)
{
	int64_t begun = clock_ms();

	if (!lua_app_sets_up(self.app)) {
		worker_say(self.args, WORD_NO_SETUP);
		return;
	}
	log_notice("calls setup");
	call(lua_app_setup);
	check_vitals();
	log_notice("setup is done, after %lld ms",
	    (long long)(clock_ms() - begun));
	worker_say(self.args, WORD_SET_UP);
	end(EX_OK);
}

static void
start_programs(void)
{
	struct why why;

	if (cgi_init(self.args, &why) == -1)
		fail(EX_OSERR, why.text);
	if (self.args->setup)
		worker_say(self.args, WORD_NO_SETUP);
}

static void
start_application(void)
{
	struct why why;

	if (self.args->pool->root != NULL &&
	    script_check_root(self.args->pool->root, &why) == -1)
		fail(EX_SOFTWARE, why.text);
	if (runs_programs()) {
		start_programs();
		return;
	}
	load_application();
	if (self.args->setup)
		set_up_pool();
	call(lua_app_start);
}

/* The application is loaded: its age and memory count from here. */
static void
begin_to_count(void)
{
	retire_begin();
	if (self.app != NULL)
		score_gauge(self.args->score, GAUGE_HEAP,
		    (int64_t)lua_app_memory(self.app));
}

static void
begin_to_serve(void)
{
	check_vitals();
	if (!self.args->shut)
		acceptor_open();
	score_idle(self.args->score);
	worker_say(self.args, WORD_READY);
}

/* The application may have WebSockets. */
static void
open_hub(void)
{
	bool has = self.app != NULL && lua_app_has_websocket(self.app);

	hub_client_init(self.args->door, self.wait_set, KEY_HUB);
	peers_take_upgrades(has);
	if (!has)
		return;
	if (self.args->door == -1)
		log_warning("WebSockets need a master and an address with "
		    "http: (lua-fpm -l http:ADDRESS): none will be opened");
	worker_say(self.args, WORD_WEBSOCKET);
	hub_client_open();
}

_Noreturn void
worker_main(const struct worker_args *args)
{
	const struct proto *const *protos;
	struct why why;

	self.args = args;
	log_share(score_repeats(args->score));
	end_init(args);
	forked_init();
	stdio_begin(args->channel != -1);
	retire_prepare(args);
	if (privs_drop(args->pool, &args->inherited, &args->identity,
		&why) == -1)
		fail(EX_OSERR, why.text);
	set_up_waiting();
	protos = peers_init(args, self.wait_set, &why);
	if (protos == NULL)
		fail(EX_OSERR, why.text);
	ignore_signals();
	acceptor_init(args, self.wait_set, KEY_EXCHANGE);
	start_guard();
	if (args->kind != WORKER_KIND_STATUS)
		start_application();
	if (self.app != NULL)
		peers_serve(lua_app_roles(self.app));
	open_hub();
	builtin_init(args, await_status);
	if (serve_init(args, protos, self.app) == -1)
		fail_errno("cannot begin to serve");
	if (args->kind != WORKER_KIND_STATUS)
		begin_to_count();
	begin_to_serve();
	for (;;) {
		turn(retire_due());
		if (vitals_found() != NULL)
			leave_lost();
		if (self.told)
			leave();
		retire_consider();
		if (retire_renews())
			renew();
	}
}


#include "worker/process/hub_main.h"

#include <sys/mman.h>

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sealed.h"
#include "base/tuning.h"
#include "hub/hub.h"
#include "ipc/channel.h"
#include "ipc/hub_limits.h"
#include "ipc/hub_page.h"
#include "ipc/hub_record.h"
#include "ipc/score.h"
#include "net/ws_frame.h"
#include "worker/net/poller.h"
#include "worker/process/end.h"
#include "worker/process/hub_files.h"
#include "worker/process/hub_heir.h"
#include "worker/process/privs.h"

#define FRAGMENTS 1000 /* of a message */
#define WAITING	  1024 /* messages that wait for a worker */
#define OUTPUT	  (256 * 1024 * 1024) /* bytes that wait for all clients */
#define INPUT	  (64 * 1024 * 1024)  /* of messages that are not complete */
#define HUNGRY	  200  /* ms between two words to the master that a message
			  waits */

static struct {
	const struct worker_args *args;
	struct hub *hub;
	struct hub_watch door, channel, signals, heir_asks;
	int signal_fd;
	int64_t hungry; /* ms: the last such word */
	int heir; /* the pair to the process that is to take over, or -1 */
	bool asked;
	bool orphaned;
	struct hub_page *page; /* NULL: none */
	uint64_t before[HUB_FACTS]; /* counted by the hubs before this one, but
				       for what it has taken over of that */
	unsigned told; /* how often to leave, */
	unsigned code; /* and why, as it was told first */
	int64_t emptied; /* clock_ms() at which no socket was open any more */
} self = { .heir = -1 };

static _Noreturn void
fail(const char *why)
{
	log_error("%s", why);
	worker_fail(self.args, why);
	exit(EX_OSERR);
}

/* limits.files of the pool is for its workers. */
static void
take_rights(void)
{
	struct conf_pool *pool = &self.args->conf->pools[0];
	int64_t wanted = pool->websocket.connections;
	struct why why;

	if (!hub_files_fit(pool, &pool->websocket))
		log_warning("so many descriptors are not allowed that "
		    "websocket.connections = %lld could be: %lld are taken",
		    (long long)wanted, (long long)pool->websocket.connections);
	pool->limits.files = 0;
	if (privs_drop(pool, &self.args->inherited, &self.args->identity,
		&why) == -1)
		fail(why.text);
}

static void
starved(void *arg)
{
	int64_t now = clock_ms();

	(void)arg;
	if (now - self.hungry < HUNGRY)
		return;
	self.hungry = now;
	worker_say(self.args, WORD_CROWDED);
}

/* ---- what it hears --------------------------------------------------------------- */

/* Whoever has the door can shut it down for all: then it is readable for ever.
 * The process that takes the place of this one gets another. */
static void
lose_door(void)
{
	log_warning("a worker has shut down the door by which workers come to "
	    "the process of WebSockets: another takes its place");
	hub_ignore(self.hub, self.args->door);
	worker_say(self.args, WORD_REPLACE);
}

/* A worker knocks with its end of a pair; a client of the control socket comes
 * with its line. */
static void
hear_door(struct hub *hub, struct hub_watch *watch, uint32_t events)
{
	char text[2048];
	long n;
	int fd;

	(void)watch;
	n = fd_receive(self.args->door, &fd, text, sizeof(text));
	if (n == 0 && fd == -1 && (events & (EPOLLRDHUP | EPOLLHUP)) != 0)
		lose_door();
	if (n == -1 || fd == -1)
		return;
	if ((size_t)n > strlen(HUB_PUBLISHES) &&
	    memcmp(text, HUB_PUBLISHES, strlen(HUB_PUBLISHES)) == 0)
		hub_hear_publisher(hub, fd, text, (size_t)n);
	else if (hub_admit(hub, fd) == -1)
		log_warning("a worker is turned away: %s", strerror(errno));
}

static void
leave(unsigned code, int64_t drain)
{
	if (self.told++ > 0)
		drain = 0;
	else
		self.code = code;
	fd_close(&self.heir);
	self.asked = false;
	hub_leave(self.hub, self.code, drain);
}

static struct hub_options
options(void)
{
	const struct conf_websocket *w = &self.args->pool->websocket;

	return (struct hub_options){
		.connections = (unsigned)w->connections, .links = hub_files_links(self.args->pool),
		.message = (uint64_t)w->max_message, .fragments = FRAGMENTS,
		.channels = HUB_CHANNELS, .waiting = WAITING,
		.send_buffer = (size_t)w->send_buffer, .output = OUTPUT,
		.input = INPUT, .ping = w->ping, .silence = w->silence,
		.idle = w->idle, .close = tuning.close, .starved = starved };
}

/* A reload has changed the limits.  A process that the master starts anew may
 * have more descriptors than this one, which has given up its rights. */
static void
change_limits(int memory)
{
	struct conf_websocket *w = &self.args->conf->pools[0].websocket;
	struct hub_options changed;

	if (memory == -1 || hub_limits_take(memory, w) == -1)
		return;
	if (!hub_files_fit(self.args->pool, w))
		worker_say(self.args, WORD_REPLACE);
	changed = options();
	hub_configure(self.hub, &changed);
}

static void
watch(struct hub_watch *watch, int fd,
    void (*ready)(struct hub *, struct hub_watch *, uint32_t))
{
	watch->ready = ready;
	if (hub_watch(self.hub, watch, fd, EPOLLIN | EPOLLRDHUP) == -1)
		fail("cannot wait for events");
}

/* It may have ended; or it asks, and has its answer once this turn is over. */
static void
hear_heir(struct hub *hub, struct hub_watch *watch, uint32_t events)
{
	(void)hub;
	(void)watch;
	(void)events;
	if (self.heir == -1)
		return;
	self.asked = hub_heir_asks(self.heir);
	if (!self.asked)
		fd_close(&self.heir);
}

/* One that leaves has no heir: it closes its sockets, as it was told. */
static void
expect_heir(int pair)
{
	fd_close(&self.heir);
	self.asked = false;
	if (pair == -1 || self.told > 0) {
		fd_close(&pair);
		return;
	}
	self.heir = pair;
	watch(&self.heir_asks, pair, hear_heir);
}

static void
hear_channel(struct hub *hub, struct hub_watch *watch, uint32_t events)
{
	const struct conf_websocket *w = &self.args->pool->websocket;
	int told = -1;
	enum channel_message message;

	(void)watch;
	(void)events;
	message = channel_receive(self.args->channel, self.args->sinks, &told);
	if (message == CHANNEL_STATUS)
		fd_close(&told);
	if (message == CHANNEL_LIMITS)
		change_limits(told);
	if (message == CHANNEL_HEIR)
		expect_heir(told);
	if (message != CHANNEL_CLOSED || self.orphaned)
		return;
	self.orphaned = true;
	hub_ignore(hub, self.args->channel);
	leave(WS_CODE_RESTART, w->drain);
}

/* A second signal is impatience; so is SIGQUIT. */
static void
hear_signals(struct hub *hub, struct hub_watch *watch, uint32_t events)
{
	int signo;

	(void)hub;
	(void)watch;
	(void)events;
	while ((signo = poller_signal_next(self.signal_fd)) != 0)
		if (signo != SIGHUP)
			leave(WS_CODE_GOING_AWAY, signo == SIGQUIT ? 0 :
			    self.args->pool->websocket.drain);
}

/* ---- set up ---------------------------------------------------------------------- */

/* Until it has the sockets a signal ends it; the master's are blocked. */
static void
let_signals_through(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Become what the process is that has the sockets now, which goes on if this
 * fails. */
static void
take_over(const struct hub_options *first, int from)
{
	struct hub_fds fds = { 0 };
	struct buf text = { 0 };
	struct why why, what;
	int result;

	let_signals_through();
	result = hub_heir_take(from, &text, &fds, &why);
	self.hub = hub_new(first);
	if (self.hub == NULL)
		fail(strerror(errno));
	if (result == 0)
		result = hub_adopt(self.hub, &text, &fds, &why);
	if (result == -1) {
		hub_heir_refuse(from, why.text);
		why_set(&what, "cannot take over the WebSockets: %s",
		    why.text);
		fail(what.text);
	}
	buf_free(&text);
}

/* From here on signals wait until they are heard, so that none ends the process
 * when it is the only one that has the sockets. */
static void
confirm(int from)
{
	struct why why;

	if (hub_heir_accept(from, &why) == -1)
		fail(why.text);
	close(from);
}

static void
set_up(void)
{
	static const int numbers[] = { SIGTERM, SIGQUIT, SIGHUP, 0 };
	const struct hub_options first = options();
	int from = self.args->exchange[0];

	if (from == -1)
		self.hub = hub_new(&first);
	else
		take_over(&first, from);
	self.signal_fd = poller_signals(numbers);
	if (self.hub == NULL || self.signal_fd == -1)
		fail(strerror(errno));
	watch(&self.signals, self.signal_fd, hear_signals);
	watch(&self.channel, self.args->channel, hear_channel);
	watch(&self.door, self.args->door, hear_door);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	if (from != -1)
		confirm(from);
}

/* ---- what it tells --------------------------------------------------------------- */

static void
count_facts(uint64_t facts[HUB_FACTS])
{
	struct hub_counts c;

	hub_count(self.hub, &c);
	facts[HUB_SOCKETS] = c.open;
	facts[HUB_OPENED] = c.opened;
	facts[HUB_REFUSED] = c.refused;
	facts[HUB_RECEIVED] = c.received;
	facts[HUB_SENT] = c.sent;
	facts[HUB_WAITING] = c.waiting;
	facts[HUB_NAMES] = c.channels;
	facts[HUB_SLOW] = c.slow;
	facts[HUB_SILENT] = c.silent;
	facts[HUB_FAULTS] = c.faults;
	facts[HUB_LOST] = c.lost;
	facts[HUB_LIMIT] = (uint64_t)self.args->pool->websocket.connections;
	facts[HUB_UNSENT] = c.unsent;
}

static void
map_page(void)
{
	const struct worker_args *args = self.args;
	uint64_t mine[HUB_FACTS], all;
	void *page;

	if (args->nshared != 1 ||
	    !sealed_is_room(args->shared[0], sizeof(*self.page)))
		return;
	page = mmap(NULL, sizeof(*self.page), PROT_READ | PROT_WRITE,
	    MAP_SHARED, args->shared[0], 0);
	if (page == MAP_FAILED)
		return;
	self.page = page;
	count_facts(mine);
	for (unsigned i = 0; i < HUB_FACTS; i++) {
		all = atomic_load(&self.page->fact[i]);
		if ((HUB_GAUGES >> i & 1) == 0 && all > mine[i])
			self.before[i] = all - mine[i];
	}
}

static void
tell(void)
{
	uint64_t facts[HUB_FACTS];

	if (self.page == NULL)
		return;
	count_facts(facts);
	for (unsigned i = 0; i < HUB_FACTS; i++)
		atomic_store_explicit(&self.page->fact[i],
		    self.before[i] + facts[i], memory_order_relaxed);
}

/* Tell what is counted.  True once it was told to leave and no socket is left,
 * but those whose end no worker hears of within timeouts.stop. */
static bool
is_over(void)
{
	struct hub_counts counts;
	int64_t now = clock_ms();

	tell();
	hub_count(self.hub, &counts);
	if (self.told == 0 || counts.open > 0)
		return false;
	if (self.emptied == 0)
		self.emptied = now;
	return hub_is_empty(self.hub) ||
	    now - self.emptied >= self.args->pool->timeouts.stop;
}

static int64_t
wait_limit(void)
{
	int64_t due = log_due(), now = clock_ms();

	if (self.emptied > 0)
		due = clock_sooner(due, self.emptied +
		    self.args->pool->timeouts.stop);
	return due == -1 ? -1 : due > now ? due - now : 0;
}

/* ---- to another process ------------------------------------------------------ */

static void
give(void)
{
	enum hub_heir result;
	struct why why;

	tell(); /* the heir counts on from there */
	result = hub_heir_give(self.heir, self.hub, &why);
	self.asked = false;
	if (result == HUB_HEIR_TOOK) {
		worker_say(self.args, WORD_LEAVING);
		exit(EX_OK);
	}
	fd_close(&self.heir);
	log_warning("its WebSockets are not passed on: %s: %s", why.text,
	    result == HUB_HEIR_KEPT ? "it keeps them" : "it closes them");
	if (result == HUB_HEIR_ALIENS)
		leave(WS_CODE_RESTART, self.args->pool->websocket.drain);
}

_Noreturn void
hub_main(const struct worker_args *args)
{
	self.args = args;
	log_share(score_repeats(args->score));
	end_init(args);
	take_rights();
	set_up();
	map_page();
	tell();
	score_idle(args->score);
	worker_say(args, WORD_READY);
	while (!is_over()) {
		if (hub_turn(self.hub, wait_limit()) == -1)
			fail(strerror(errno));
		if (self.asked)
			give();
		log_tick(clock_ms());
	}
	worker_say(args, WORD_LEAVING);
	hub_free(self.hub);
	exit(EX_OK);
}

#include "master/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tuning.h"
#include "master/pm.h"
#include "share/channel.h"
#include "share/status.h"

#define GRACE	    5	 /* ms for workers that are there to take a client */
#define BATCH	    16	 /* forks in one turn */
#define SUCCESSION  100	 /* ms of age before which a worker has no successor */
#define START_GRACE 2000 /* ms beyond timeouts.start, for the worker's own
			    watchdog to say where it hangs */

/* ---- slots --------------------------------------------------------------- */

unsigned
pool_number(const struct pool *pool, const struct slot *slot)
{
	return (unsigned)(slot - pool->slots);
}

unsigned
pool_count(const struct pool *pool, enum slot_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pool->nslots; i++)
		n += pool->slots[i].state == state;
	return n;
}

/* There is a slot more than twice workers.max, for the successors of a pool
 * that an operator has scaled to that; nobody else gets it. */
static struct slot *
free_slot(struct pool *pool)
{
	unsigned room = pool->nslots;

	if (pool->workers.max <= pool->conf->workers.max &&
	    room > 2 * (unsigned)pool->conf->workers.max)
		room = 2 * (unsigned)pool->conf->workers.max;
	for (unsigned i = 0; i < room; i++)
		if (pool->slots[i].state == SLOT_FREE)
			return &pool->slots[i];
	return NULL;
}

/* A failing fork is said once, then tried again, every second at least: the
 * machine is to blame and not what would be forked. */
static void
fork_failed(struct pool *pool)
{
	if (!pool->fork_failed)
		log_error("pool %s: cannot fork a worker: %s",
		    pool->conf->name, strerror(errno));
	pool->fork_failed = true;
	backoff_failed(&pool->backoff, clock_ms(), true, 0);
}

static void
fork_worked(struct pool *pool)
{
	if (pool->fork_failed)
		log_notice("pool %s: workers can be forked again",
		    pool->conf->name);
	pool->fork_failed = false;
	quota_add(pool->options->quota);
	board_add_fact(pool->board, FACT_FORKED);
}

static struct slot *
fork_worker(struct pool *pool)
{
	struct slot *slot = free_slot(pool);
	struct sink sinks[SINK_COUNT];
	const struct inlet *inlet = &pool->inlet;
	struct spawn_order order = {
		.birth = { .kind = BIRTH_WORKER, .pool = pool->conf,
		    .identity = &pool->identity,
		    .listeners = inlet->fds, .nlisteners = inlet->n,
		    .exchange = { inlet->exchange[0], inlet->exchange[1] },
		    .sinks = sinks, .shut = pool->trial },
		.board = pool->board,
	};

	if (slot == NULL)
		return NULL;
	order.birth.number = pool_number(pool, slot);
	logs_lend(&pool->logs, order.birth.number, sinks);
	if (slot_fork(slot, &order, pool->options->loop,
		pool->conf->timeouts.start + START_GRACE, pool_heard, pool) == 0) {
		fork_worked(pool);
		return slot;
	}
	snprintf(pool->reason, sizeof(pool->reason),
	    "cannot fork a worker: %s", strerror(errno));
	fork_failed(pool);
	logs_return(&pool->logs, order.birth.number);
	return NULL;
}

struct slot *
pool_fork(struct pool *pool)
{
	struct slot *slot = NULL;

	if (quota_room(pool->options->quota))
		slot = fork_worker(pool);
	if (slot != NULL && pool->missing > 0) {
		pool->missing--;
		board_add_fact(pool->board, FACT_RESTARTS);
	}
	return slot;
}

/*
 * A client waits, or would if one came now.  Ondemand workers that are there
 * get a moment to take it: most requests are over sooner than a fork.
 */
static void
client_waits(struct pool *pool)
{
	int64_t due = clock_ms() + GRACE;

	if (pool->conf->workers.mode != MODE_ONDEMAND ||
	    pool_count(pool, SLOT_UP) == 0)
		pool->attention = true;
	else if (!pool->timer.set || pool->timer.due > due)
		loop_timer_set(pool->options->loop, &pool->timer, due);
}

static void
client_came(void *arg, int fd, short revents)
{
	struct pool *pool = arg;

	(void)fd;
	(void)revents;
	inlet_unwatch(&pool->inlet); /* it goes on waiting; we know */
	client_waits(pool);
}

void
pool_watch(struct pool *pool, bool on)
{
	if (on)
		inlet_watch(&pool->inlet, pool->options->loop, client_came,
		    pool);
	else
		inlet_unwatch(&pool->inlet);
}

/* ---- what workers say ---------------------------------------------------- */

static void
became_ready(struct pool *pool, struct slot *slot)
{
	if (slot->state != SLOT_STARTING)
		return;
	slot->state = SLOT_UP;
	slot->due = -1;
	pool->proven = true;
	if (pool->backoff.trial)
		log_notice("pool %s: a worker has come up again",
		    pool->conf->name);
	backoff_ready(&pool->backoff);
	slot_log(slot, LEVEL_DEBUG, "is ready");
	if (slot->succeeds != NULL) {
		board_recycled(pool->board, pool_number(pool, slot->succeeds));
		board_leaving(pool->board, pool_number(pool, slot->succeeds));
		slot_tell_leave(slot->succeeds, pool->conf->timeouts.stop);
		slot->succeeds = NULL;
	}
}

bool
pool_has_successor(const struct pool *pool, const struct slot *slot)
{
	for (unsigned i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE &&
		    pool->slots[i].succeeds == slot)
			return true;
	return false;
}

static void
send_successor(struct pool *pool, struct slot *slot)
{
	struct slot *successor;

	slot->wish = false;
	if (slot->state != SLOT_UP || pool->draining ||
	    pool_has_successor(pool, slot))
		return;
	successor = fork_worker(pool);
	slot->wish = successor == NULL;
	if (successor == NULL)
		return;
	successor->succeeds = slot;
	board_add_fact(pool->board, FACT_RESTARTS);
}

/* One that asks as soon as it is up, as its successor would, waits a moment:
 * there would be no end of forks. */
int64_t
pool_send_successors(struct pool *pool, int64_t now)
{
	int64_t next = -1, due;

	for (unsigned i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (!slot->wish)
			continue;
		due = slot->born + SUCCESSION;
		if (due <= now && pool_may_load(pool, now)) {
			send_successor(pool, slot);
			continue;
		}
		if (due <= now)
			due = now + SLOT_LOOK;
		if (next == -1 || due < next)
			next = due;
	}
	return next;
}

static void
log_stuck(const struct pool *pool, const struct slot *slot)
{
	struct score_slot seen;
	char text[128];

	snprintf(text, sizeof(text), "exceeded timeouts.request and did not "
	    "let itself be stopped: answered with %d, the worker is replaced",
	    (int)pool->conf->timeout_status);
	if (board_read(pool->board, pool_number(pool, slot), &seen))
		slot_log_request(slot, LEVEL_ERROR, &seen, text);
}

void
pool_send_status(void *arg, struct slot *slot)
{
	struct pool *pool = arg;
	struct status status;
	int memory = -1;

	if (slot->foreign)
		return;
	if (status_collect(&status, pool->conf, pool->board, pool->inlet.fds,
		pool->inlet.n) == 0)
		memory = status_send(&status);
	status_free(&status);
	if (channel_send_status(slot->channel, memory) == -1 &&
	    errno == EAGAIN)
		slot_is_deaf(slot);
	fd_close(&memory);
}

void
pool_heard(void *arg, struct slot *slot, enum birth_word word)
{
	struct pool *pool = arg;
	bool attention = pool->attention;

	pool->attention = true;
	switch (word) {
	case WORD_READY:
		became_ready(pool, slot);
		break;
	case WORD_REPLACE: /* HUP, and it knows no restart; or it is used up */
		slot->wish = slot->state == SLOT_UP;
		break;
	case WORD_OUTDATED:
		pool->outdated = true;
		/* FALLTHROUGH */
	case WORD_CURRENT:
	case WORD_RESTARTED:
		slot->told = false;
		break;
	case WORD_LEAVING:
		if (slot->state == SLOT_UP)
			slot->due = clock_ms() + pool->conf->timeouts.stop;
		slot->state = SLOT_LEAVING;
		break;
	case WORD_CLOSED:
		if (slot->due == -1 || slot->due > clock_ms() + tuning.stuck)
			slot->due = clock_ms() + tuning.stuck;
		break;
	case WORD_STUCK:
		if (slot->state != SLOT_UP)
			break;
		log_stuck(pool, slot);
		slot->state = SLOT_LEAVING;
		slot->due = clock_ms() + tuning.stuck;
		pool->missing++;
		break;
	case WORD_CROWDED:
		pool->attention = attention;
		pool->told = true;
		client_waits(pool);
		break;
	case WORD_STATUS:
		pool->attention = attention;
		pool_send_status(pool, slot);
		break;
	case WORD_TAKEN:
		pool->attention = attention;
		logs_taken(&pool->logs, pool_number(pool, slot));
		break;
	case WORD_LOST:
	case WORD_LOGS:
		pool->attention = attention;
		logs_tell(pool->conf, pool->board, word == WORD_LOST);
		break;
	default:
		break;
	}
}

void
pool_serve_last(struct pool *pool, int64_t now)
{
	struct slot *slot;

	if (!pool->last || !pool_empty(pool) || now >= pool->drained ||
	    inlet_waiting(&pool->inlet) == 0)
		return;
	slot = pool_fork(pool);
	if (slot == NULL)
		return;
	board_leaving(pool->board, pool_number(pool, slot));
	slot_tell_leave(slot, pool->drained - now);
}

/* ---- a generation's life ------------------------------------------------- */

static void
timer_fired(void *arg)
{
	struct pool *pool = arg;

	pool->attention = true;
}

struct pool *
pool_make(const struct conf_pool *conf, const struct conf *source,
    const struct pool_options *options, unsigned nslots)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->conf = conf;
	pool->source = source;
	pool->workers = conf->workers;
	pool->options = options;
	pool->idle_since = -1;
	pool->timer.fire = timer_fired;
	pool->timer.arg = pool;
	pool->nslots = nslots;
	pool->slots = calloc(nslots, sizeof(*pool->slots));
	if (pool->slots != NULL)
		return pool;
	free(pool);
	return NULL;
}

struct pool *
pool_new(const struct conf_pool *conf, const struct conf *source,
    const struct pool_options *options, const struct pool *before,
    struct why *why)
{
	struct pool *pool = pool_make(conf, source, options,
	    2 * (unsigned)conf->workers.max);

	if (pool == NULL) {
		why_set(why, "out of memory");
		return NULL;
	}
	pool->board = board_new(pool->nslots,
	    before == NULL ? NULL : before->board);
	why_set(why, "%s", strerror(errno));
	if (pool->board != NULL &&
	    identity_find(&pool->identity, conf, why) == 0 &&
	    inlet_open(&pool->inlet, conf,
		before == NULL ? NULL : &before->inlet, why) == 0 &&
	    reporter_open(&pool->reporter, conf, why) == 0 &&
	    logs_open(&pool->logs, conf, pool->nslots, why) == 0)
		return pool;
	pool_free(pool);
	return NULL;
}

void
pool_free(struct pool *pool)
{
	loop_timer_clear(pool->options->loop, &pool->timer);
	if (pool->last)
		inlet_end(&pool->inlet);
	inlet_close(&pool->inlet);
	reporter_close(&pool->reporter);
	logs_close(&pool->logs);
	board_free(pool->board);
	identity_free(&pool->identity);
	for (unsigned i = 0; pool->slots != NULL && i < pool->nslots; i++)
		buf_free(&pool->slots[i].output.line);
	free(pool->slots);
	free(pool);
}

void
pool_start(struct pool *pool, unsigned heirs)
{
	unsigned n = pm_initial(&pool->workers);

	if (!pool->trial)
		board_add_fact(pool->board, FACT_GENERATION);
	if (n < heirs)
		n = heirs;
	if (n == 0)
		n = 1;
	if (n > (unsigned)pool->workers.max)
		n = (unsigned)pool->workers.max;
	pool->wanted = n;
	pool->heirs = heirs;
	pool->attention = true;
}

bool
pool_may_load(struct pool *pool, int64_t now)
{
	int64_t most = pool->workers.loading;
	unsigned n = 0;

	if (most == 0)
		most = 2 * sysconf(_SC_NPROCESSORS_ONLN);
	for (unsigned i = 0; i < pool->nslots && n < most; i++)
		n += slot_loads(&pool->slots[i], now);
	return n < most;
}

static void
note_no_room(struct pool *pool)
{
	if (pool->wanted > 0)
		return;
	pool->failed = pool->attention = true;
	snprintf(pool->reason, sizeof(pool->reason),
	    "process_max leaves no room for a worker");
}

/* Between two batches the master hears signals and commands. */
bool
pool_go_on(struct pool *pool, int64_t now)
{
	for (unsigned i = 0; pool->begun < pool->wanted; i++) {
		if (i == BATCH || !pool_may_load(pool, now))
			return false;
		if (pool->begun >= pool->heirs &&
		    !quota_room(pool->options->quota)) {
			pool->wanted = pool->begun;
			note_no_room(pool);
		} else if (fork_worker(pool) == NULL) {
			pool->wanted = pool->begun;
			pool->failed = pool->attention = true;
		} else {
			pool->begun++;
		}
	}
	return true;
}

bool
pool_complete(const struct pool *pool)
{
	return !pool->failed && pool_count(pool, SLOT_UP) >= pool->wanted;
}

bool
pool_fails(const struct pool *pool)
{
	return pool->failed || (pool->begun == pool->wanted &&
	    !pool_complete(pool) && pool_count(pool, SLOT_STARTING) == 0);
}

bool
pool_empty(const struct pool *pool)
{
	return pool_count(pool, SLOT_FREE) == pool->nslots;
}

void
pool_drain(struct pool *pool, bool last, int64_t limit)
{
	int64_t now = clock_ms();
	bool served = !pool->trial, empty;

	pool->draining = true;
	pool->trial = false;
	pool->last = last;
	pool->drained = now + limit;
	pool->attention = true;
	inlet_unwatch(&pool->inlet);
	board_set_replaced(pool->board, !last);
	empty = inlet_refuse(&pool->inlet, pool->options->loop, last,
	    served && !pool->kept);
	if (served && (last || empty))
		board_set_last(pool->board, true);
	pool_serve_last(pool, now);
	for (unsigned i = 0; i < pool->nslots; i++) {
		if (pool->slots[i].state == SLOT_FREE)
			continue;
		board_leaving(pool->board, i);
		slot_tell_leave(&pool->slots[i], limit);
	}
}

void
pool_kill(struct pool *pool)
{
	pool->draining = true;
	pool->last = false;
	inlet_end(&pool->inlet);
	for (unsigned i = 0; i < pool->nslots; i++)
		slot_kill(&pool->slots[i]);
	reporter_kill(&pool->reporter);
}

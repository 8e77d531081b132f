#include "master/pool_step.h"

#include "base/clock.h"
#include "base/tuning.h"
#include "master/pm.h"

#define LOOK_AGAIN 10 /* ms; ondemand, while workers start: did more come? */
#define ASK_PAUSE  10 /* ms; after a worker told though enough are idle */
#define FULL_PAUSE 50 /* ms; while so few are idle that none can be asked */

static void
kill_overdue(struct pool *pool, int64_t now)
{
	for (unsigned i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->state == SLOT_FREE || slot->due == -1 ||
		    slot->due > now)
			continue;
		if (slot->channel == -1 && !slot->foreign)
			slot_log(slot, LEVEL_ERROR, "has closed its channel "
			    "to the master and goes on: killed");
		else if (slot->state == SLOT_STARTING)
			slot_log(slot, LEVEL_ERROR, "not ready within "
			    "timeouts.start: killed");
		else
			slot_log(slot, LEVEL_WARNING, "does not leave in "
			    "time: killed");
		slot_kill(slot);
	}
}

/* Successors are not there yet for the policy, which would retire somebody
 * for each.  The queues are looked at only when they can matter. */
static struct pm_view
look(struct pool *pool, int64_t now, struct score_counts *seen)
{
	struct pm_view view = { .now = now };
	unsigned up = pool_count(pool, SLOT_UP);

	for (unsigned i = 0; i < pool->nslots; i++)
		view.starting += pool->slots[i].state == SLOT_STARTING &&
		    pool->slots[i].succeeds == NULL;
	view.leaving = pool_count(pool, SLOT_LEAVING);
	board_set_limit(pool->board, (unsigned)pool->workers.max);
	board_look(pool->board, seen);
	view.busy = seen->busy < up ? seen->busy : up;
	view.idle = up - view.busy;
	if (pool->workers.mode == MODE_ONDEMAND ||
	    (pool->workers.mode == MODE_DYNAMIC && view.idle == 0))
		view.queued = inlet_waiting(&pool->inlet);
	if (!pm_spare(&pool->workers, view.idle))
		pool->idle_since = -1;
	else if (pool->idle_since == -1)
		pool->idle_since = now;
	view.idle_since = pool->idle_since;
	return view;
}

/* The youngest idle worker has the least to lose. */
static void
retire_one(struct pool *pool)
{
	struct slot *youngest = NULL;
	struct score_slot seen;

	for (unsigned i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->state == SLOT_UP &&
		    board_read(pool->board, i, &seen) &&
		    seen.state == SCORE_IDLE &&
		    (youngest == NULL || slot->born > youngest->born))
			youngest = slot;
	}
	if (youngest == NULL)
		return;
	board_leaving(pool->board, pool_number(pool, youngest));
	slot_tell_leave(youngest, pool->conf->timeouts.stop);
}

static int64_t
sooner(int64_t a, int64_t b)
{
	if (a == -1 || (b != -1 && b < a))
		return b;
	return a;
}

/* The idle workers below which a pool has more of them active than ever, or as
 * many as it may have; 0: that is so already. */
static unsigned
record_below(const struct pool *pool, const struct score_counts *seen)
{
	unsigned up = seen->idle + seen->busy;
	unsigned most = (unsigned)board_fact(pool->board, FACT_MAX_ACTIVE);

	if (up > most)
		return up - most;
	return up >= (unsigned)pool->workers.max ? 1 : 0;
}

/*
 * Workers are asked to tell when the idle ones run low.  Among those that hold
 * kept connections any may be the next, so one may tell though enough are
 * idle: then none is asked for a moment.  Returns when to ask, -1: no need.
 */
static int64_t
ask_to_be_told(struct pool *pool, const struct score_counts *seen,
    unsigned below, int64_t now)
{
	unsigned record = record_below(pool, seen);

	if (pool->told && seen->idle >= pool->asked)
		pool->paused = now + ASK_PAUSE;
	pool->told = false;
	pool->asked = below > record ? below : record;
	if (pool->asked == 0 || now < pool->paused || pool->asked > seen->idle)
		board_ask(pool->board, 0);
	else if (!board_ask(pool->board, pool->asked))
		return now + 1;
	if (now < pool->paused)
		return pool->paused;
	return pool->asked > seen->idle ? now + FULL_PAUSE : -1;
}

/* Go on with what pool_start asked for.  Returns when to do so again, -1: all
 * are forked. */
static int64_t
start_on(struct pool *pool, int64_t now)
{
	if (pool_go_on(pool, now))
		return -1;
	return pool_may_load(pool, now) ? now : now + SLOT_LOOK;
}

/* Fork what the policy and those who ask for successors want, as far as they
 * may load now.  Returns when to go on with it, -1: all of it is done. */
static int64_t
fork_wanted(struct pool *pool, unsigned n, int64_t now)
{
	int64_t next = start_on(pool, now);

	if (next != -1)
		return next;
	next = pool_send_successors(pool, now);
	for (; n > 0; n--) {
		if (!pool_may_load(pool, now))
			return now + SLOT_LOOK;
		if (pool_fork(pool) == NULL)
			break;
	}
	return next;
}

/* One step of the policy.  Returns when the next is due, -1: no need. */
static int64_t
manage(struct pool *pool, int64_t now)
{
	struct score_counts seen;
	struct pm_view view = look(pool, now, &seen);
	bool throttled = backoff_active(&pool->backoff, now);
	struct pm_step step = pm_step(&pool->workers, &view, throttled);
	int64_t next = -1;
	bool pending;

	if (pool->begun < pool->wanted) /* which comes first */
		step.spawn = 0;
	step.spawn = backoff_allows(&pool->backoff, now, step.spawn,
	    view.starting);
	pending = throttled || view.starting + step.spawn > 0 ||
	    pool->begun < pool->wanted;
	if (!throttled)
		next = fork_wanted(pool, step.spawn, now);
	if (step.retire > 0)
		pool->idle_since = now;
	for (; step.retire > 0; step.retire--)
		retire_one(pool);
	next = sooner(next, ask_to_be_told(pool, &seen,
	    pending ? 0 : step.wake_below, now));
	pool_watch(pool, step.watch && !pending && view.queued == 0);
	if (pool->workers.mode == MODE_ONDEMAND && pending &&
	    !throttled && !pool->options->quota->wanted)
		return sooner(next, now + LOOK_AGAIN);
	return sooner(next, step.again);
}

/* When that worker hangs, if it goes on as it does; the latest by which that
 * must be looked at again; -1: never. */
static int64_t
hangs_at(const struct pool *pool, const struct slot *slot,
    const struct score_slot *seen, int64_t now)
{
	const struct conf_timeouts *t = &pool->conf->timeouts;
	int64_t restart = t->start + tuning.hang, due = -1;

	if (seen->state == SCORE_RESTARTING)
		return seen->since + restart;
	if (t->request > 0)
		due = (seen->state == SCORE_BUSY ? seen->since : now) +
		    t->request + tuning.hang;
	return slot->told ? sooner(due, now + restart) : due;
}

static void
kill_hanging_one(struct slot *slot, const struct score_slot *seen)
{
	if (seen->state == SCORE_RESTARTING)
		slot_log(slot, LEVEL_ERROR, "restart hangs beyond "
		    "timeouts.start: killed");
	else
		slot_log_request(slot, LEVEL_ERROR, seen,
		    "hangs beyond timeouts.request: killed");
	slot_kill(slot);
}

/*
 * The last resort: a worker that cannot even end itself (it was stopped, or
 * waits within the kernel) is killed some time after its request, or its
 * restart, should have ended.  Returns when to look again; nobody tells us of
 * a request that begins, so that is at the latest when one that begins now
 * would be overdue.
 */
static int64_t
kill_hanging(struct pool *pool, int64_t now)
{
	struct score_slot seen;
	int64_t next = -1, due;

	for (unsigned i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->state != SLOT_UP || slot->killed)
			continue;
		if (!board_read(pool->board, i, &seen))
			seen.state = SCORE_IDLE;
		due = hangs_at(pool, slot, &seen, now);
		if (due == -1 || due > now)
			next = sooner(next, due);
		else
			kill_hanging_one(slot, &seen);
	}
	return next;
}

/* What its workers show of it. */
static void
tell_status(const struct pool *pool)
{
	board_set_fact(pool->board, FACT_FAILURES, pool->backoff.failures);
	board_set_fact(pool->board, FACT_RETRY, pool->backoff.until);
}

/* While the daemon stops, status is of interest until no worker is left;
 * where another generation has taken over, that one's reporter shows all. */
static int64_t
see_to_reporter(struct pool *pool, int64_t now)
{
	const struct reporter_order order = { .pool = pool->conf,
		.identity = &pool->identity,
		.loop = pool->options->loop, .asked = pool_send_status,
		.arg = pool };
	bool wanted = pool->draining ? pool->last && !pool_empty(pool) :
				       !pool->trial;

	return reporter_step(&pool->reporter, &order, wanted, now);
}

void
pool_step(struct pool *pool)
{
	int64_t now = clock_ms(), due = -1;

	pool->attention = false;
	kill_overdue(pool, now);
	if (pool->trial) {
		due = start_on(pool, now);
	} else if (!pool->draining) {
		due = manage(pool, now);
		tell_status(pool);
		if (backoff_active(&pool->backoff, clock_ms()))
			due = sooner(due, pool->backoff.until);
	}
	due = sooner(due, kill_hanging(pool, now));
	if (pool->patience > now)
		due = sooner(due, pool->patience);
	due = sooner(due, see_to_reporter(pool, now));
	for (unsigned i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			due = sooner(due, pool->slots[i].due);
	if (due == -1)
		loop_timer_clear(pool->options->loop, &pool->timer);
	else
		loop_timer_set(pool->options->loop, &pool->timer, due);
}

#include "base/clock.h"
#include "base/log.h"
#include "base/tuning.h"
#include "master/generation_impl.h"
#include "master/pm.h"

#define LOOK_AGAIN 10 /* ms between looks at the queues, while workers start or
			 the last ones leave */
#define ASK_PAUSE  10 /* ms without asking, after WORD_CROWDED though enough are
			 idle */
#define FULL_PAUSE 50 /* ms between looks, while too few are idle to be asked */

static void
kill_overdue(struct generation *g, int64_t now)
{
	for (unsigned i = 0; i < g->nslots; i++) {
		struct slot *slot = &g->slots[i];

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

/* Successors are not counted, or the policy would retire a worker for each.
 * The queues are looked at only when they can matter. */
static struct pm_view
look(struct generation *g, int64_t now, struct score_counts *seen)
{
	struct pm_view view = { .now = now };
	unsigned up = generation_count(g, SLOT_UP);

	for (unsigned i = 0; i < g->nslots; i++)
		view.starting += g->slots[i].state == SLOT_STARTING &&
		    g->slots[i].succeeds == NULL;
	view.leaving = generation_count(g, SLOT_LEAVING);
	board_set_limit(g->board, (unsigned)g->workers.max);
	board_look(g->board, seen);
	view.busy = seen->busy < up ? seen->busy : up;
	view.idle = up - view.busy;
	if (g->workers.mode == MODE_ONDEMAND || view.idle == 0)
		view.queued = listen_set_waiting(&g->listens) +
		    hub_process_waits(g->hub, now);
	if (!pm_spare(&g->workers, view.idle))
		g->idle_since = -1;
	else if (g->idle_since == -1)
		g->idle_since = now;
	view.idle_since = g->idle_since;
	return view;
}

/* Tell when the pool begins to be full, and when that is over.  Returns
 * clock_ms() at which to look again, -1: no need. */
static int64_t
tell_fullness(struct generation *g, const struct pm_view *view)
{
	struct fullness *f = &g->fullness;
	unsigned max = (unsigned)g->workers.max;

	switch (fullness_look(f, view->busy >= max, view->queued, view->now)) {
	case FULLNESS_BEGINS:
		log_warning("pool %s: full: all %u workers are busy and %u "
		    "client%s wait%s; consider raising workers.max (%u), or "
		    "see in the slow log what holds them", g->conf->name, max,
		    view->queued, view->queued == 1 ? "" : "s",
		    view->queued == 1 ? "s" : "", max);
		break;
	case FULLNESS_ENDS:
		generation_tell_room(g);
		break;
	case FULLNESS_SAME:
		break;
	}
	return fullness_due(f);
}

/*
 * While no worker is idle, put what has waited for timeouts.queue at a listener
 * into the exchange, with the time, and give the time to what is there: the
 * next worker that is free answers it (serve.c).  Returns clock_ms() at which to
 * look again, -1: no need.
 */
static int64_t
turn_away(struct generation *g, const struct pm_view *view)
{
	int64_t limit = g->conf->timeouts.queue, since = view->now;
	int64_t apart = limit / QUEUE_AGE_PARTS;

	if (limit == 0 ||
	    (view->idle > 0 && listen_set_release(&g->listens)))
		return -1;
	if (view->now < g->looked + apart)
		return g->looked + apart;
	g->looked = view->now;
	for (size_t i = 0; i < g->listens.n; i++) {
		struct queue *queue = &g->queues[i];
		uint64_t accepted = board_accepted(g->board, i) +
		    queue->handed_on;
		unsigned late = queue_age_look(&queue->age, view->now, limit,
		    listen_set_waiting_at(&g->listens, i), accepted, &since);

		queue->handed_on += listen_set_hand_on(&g->listens, i, late,
		    since);
	}
	listen_set_note_waiting(&g->listens, view->now);
	return view->now + apart;
}

/* The youngest idle worker has the least to lose. */
static void
retire_one(struct generation *g)
{
	struct slot *youngest = NULL;
	struct score_slot seen;

	for (unsigned i = 0; i < g->nslots; i++) {
		struct slot *slot = &g->slots[i];

		if (slot->state == SLOT_UP &&
		    board_read(g->board, i, &seen) &&
		    seen.state == SCORE_IDLE &&
		    (youngest == NULL || slot->born > youngest->born))
			youngest = slot;
	}
	if (youngest == NULL)
		return;
	board_leaving(g->board, generation_number(g, youngest));
	slot_tell_leave(youngest, g->conf->timeouts.stop);
}

/* The number of idle workers below which more are active than ever before, or
 * as many as the limit allows; 0: the workers that are up cannot come to
 * that. */
static unsigned
record_below(const struct generation *g, const struct score_counts *seen)
{
	unsigned up = seen->idle + seen->busy;
	unsigned most = (unsigned)board_fact(g->board, FACT_MAX_ACTIVE);

	if (up > most)
		return up - most;
	return up >= (unsigned)g->workers.max ? 1 : 0;
}

/*
 * Ask idle workers to send WORD_CROWDED when few of them are left (board_ask).
 * Any worker that holds kept-alive connections may be the next to go busy, so
 * the word may come though enough are idle: then none is asked for a moment.
 * Returns clock_ms() at which to call it again, -1: no need.
 */
static int64_t
ask_to_be_told(struct generation *g, const struct score_counts *seen,
    unsigned below, int64_t now)
{
	unsigned record = record_below(g, seen);

	if (g->crowded && seen->idle >= g->asked)
		g->paused = now + ASK_PAUSE;
	g->crowded = false;
	g->asked = below > record ? below : record;
	if (g->asked == 0 || now < g->paused || g->asked > seen->idle)
		board_ask(g->board, 0);
	else if (!board_ask(g->board, g->asked))
		return now + 1;
	if (now < g->paused)
		return g->paused;
	return g->asked > seen->idle ? now + FULL_PAUSE : -1;
}

/* Fork first workers, as far as they may load.  Returns clock_ms() at which to
 * go on, -1: all are forked. */
static int64_t
start_on(struct generation *g, int64_t now)
{
	return generation_go_on(g, now) ? -1 : generation_look_on(g, now);
}

/* Fork first workers, then successors, then n workers for the policy, as far as
 * they may load now.  Returns clock_ms() at which to go on, -1: all are
 * forked. */
static int64_t
fork_wanted(struct generation *g, unsigned n, int64_t now)
{
	int64_t next = start_on(g, now);

	if (next != -1)
		return next;
	next = generation_send_successors(g, now);
	for (; n > 0; n--) {
		if (!generation_may_load(g, now))
			return generation_look_on(g, now);
		if (generation_fork(g) == NULL)
			break;
	}
	return next;
}

/* One step of the policy.  Returns clock_ms() at which the next is due, -1: no
 * need. */
static int64_t
manage(struct generation *g, int64_t now)
{
	struct score_counts seen;
	struct pm_view view = look(g, now, &seen);
	bool throttled = backoff_active(&g->backoff, now);
	struct pm_step step = pm_step(&g->workers, &view, throttled);
	int64_t next = -1;
	bool pending;

	if (g->begun < g->wanted) /* first workers come first */
		step.spawn = 0;
	step.spawn = backoff_allows(&g->backoff, now, step.spawn,
	    view.starting);
	pending = throttled || view.starting + step.spawn > 0 ||
	    g->begun < g->wanted;
	if (!throttled)
		next = fork_wanted(g, step.spawn, now);
	if (step.retire > 0)
		g->idle_since = now;
	for (; step.retire > 0; step.retire--)
		retire_one(g);
	next = clock_sooner(next, ask_to_be_told(g, &seen,
	    pending ? 0 : step.wake_below, now));
	next = clock_sooner(next, tell_fullness(g, &view));
	next = clock_sooner(next, turn_away(g, &view));
	generation_watch(g, step.watch && !pending && view.queued == 0);
	if (g->workers.mode == MODE_ONDEMAND && pending && !throttled &&
	    !generation_sets_up(g) && !g->options->quota->wanted)
		return clock_sooner(next, now + LOOK_AGAIN);
	return clock_sooner(next, step.again);
}

/* clock_ms() at which the worker hangs if nothing changes, or at which to look
 * again, since a request may begin now; -1: never. */
static int64_t
hangs_at(const struct generation *g, const struct slot *slot,
    const struct score_slot *seen, int64_t now)
{
	const struct conf_timeouts *t = &g->conf->timeouts;
	int64_t restart = t->start + tuning.hang, due = -1;

	if (seen->state == SCORE_RESTARTING)
		return seen->since + restart;
	if (seen->state == SCORE_FINISHING)
		return t->after > 0 ? seen->since + t->after + tuning.hang : -1;
	if (t->request > 0)
		due = (seen->state == SCORE_BUSY ? seen->since : now) +
		    t->request + tuning.hang;
	return slot->owes == SLOT_OWES_NOTHING ? due :
	    clock_sooner(due, now + restart);
}

static void
kill_hanging_one(struct slot *slot, const struct score_slot *seen)
{
	if (seen->state == SCORE_RESTARTING)
		slot_log(slot, LEVEL_ERROR, "restart hangs beyond "
		    "timeouts.start: killed");
	else if (seen->state == SCORE_FINISHING)
		slot_log_request(slot, LEVEL_ERROR, seen, "what follows the "
		    "request hangs beyond timeouts.after: killed");
	else
		slot_log_request(slot, LEVEL_ERROR, seen,
		    "hangs beyond timeouts.request: killed");
	slot_kill(slot);
}

/*
 * The last resort: a worker that cannot end itself (it was stopped, or waits in
 * the kernel) is killed some time (tuning.hang) after its request or its
 * restart should have ended.  Returns clock_ms() at which to look again, -1:
 * never.  The master is not told when a request begins, so that is at the
 * latest when one that begins now would be overdue.
 */
static int64_t
kill_hanging(struct generation *g, int64_t now)
{
	struct score_slot seen;
	int64_t next = -1, due;

	for (unsigned i = 0; i < g->nslots; i++) {
		struct slot *slot = &g->slots[i];

		if (slot->state != SLOT_UP || slot->killed)
			continue;
		if (!board_read(g->board, i, &seen))
			seen.state = SCORE_IDLE;
		due = hangs_at(g, slot, &seen, now);
		if (due == -1 || due > now)
			next = clock_sooner(next, due);
		else
			kill_hanging_one(slot, &seen);
	}
	return next;
}

/* Put the state of back-off on the board, for the status. */
static void
tell_status(const struct generation *g)
{
	board_set_fact(g->board, FACT_FAILURES, g->backoff.failures);
	board_set_fact(g->board, FACT_RETRY, g->backoff.until);
}

/* While the daemon stops (LAST), the server runs until no worker is left; after
 * a reload, that of the new generation shows the workers of both. */
static int64_t
see_to_status_server(struct generation *g, int64_t now)
{
	const struct status_server_order order = { .pool = g->conf,
		.identity = &g->identity, .loop = g->options->loop,
		.asked = generation_send_status, .arg = g };
	bool wanted = generation_serves(g->state) ||
	    (g->state == GENERATION_LAST &&
		generation_count(g, SLOT_FREE) < g->nslots);
	int64_t due = status_server_step(&g->status_server, &order, wanted,
	    now);

	if (generation_leaves(g->state) && !wanted &&
	    !status_server_lives(&g->status_server))
		listen_set_close(&g->status_server.listens);
	return due;
}

static void
hub_acts(void *arg)
{
	struct generation *g = arg;

	g->attention = true;
}

static int64_t
see_to_hub(struct generation *g, int64_t now)
{
	const struct hub_process_order order = { .pool = g->conf,
		.identity = &g->identity, .loop = g->options->loop,
		.wake = hub_acts, .arg = g };

	hub_process_use(g->hub, &g->uses_hub, generation_serves(g->state));
	if (!g->uses_hub && !hub_process_lingers(g->hub))
		return -1; /* it is another generation's, or there is none */
	return hub_process_step(g->hub, &order, now);
}

static int64_t
see_to_timers(struct generation *g, int64_t now)
{
	const struct timer_process_order order = { .pool = g->conf,
		.identity = &g->identity, .loop = g->options->loop,
		.shared = g->shares.fds, .nshared = g->shares.declared.n,
		.door = g->hub->door[1], .generation = g->ordinal };

	return timer_process_step(&g->timer_process, &order,
	    g->state == GENERATION_SERVING && g->setup == SETUP_OVER, now);
}

/* Do what the state asks for.  Returns clock_ms() at which to do so again, -1:
 * no need. */
static int64_t
work(struct generation *g, int64_t now)
{
	int64_t due;

	if (g->state == GENERATION_TRIAL)
		return start_on(g, now);
	if (g->state == GENERATION_LAST && g->farewell > 0) {
		if (hub_process_lingers(g->hub) && g->farewell > now)
			return g->farewell;
		generation_end_farewell(g);
	}
	if (g->state == GENERATION_LAST) {
		generation_serve_last(g, now);
		return listen_set_settled(&g->listens) &&
		    !generation_lacks_last(g, now) ? -1 : now + LOOK_AGAIN;
	}
	if (!generation_serves(g->state))
		return -1;
	due = manage(g, now);
	tell_status(g);
	if (backoff_active(&g->backoff, clock_ms()))
		due = clock_sooner(due, g->backoff.until);
	return due;
}

void
generation_step(struct generation *g, bool held)
{
	int64_t now = clock_ms(), due;

	g->attention = false;
	g->held = held;
	kill_overdue(g, now);
	due = work(g, now);
	due = clock_sooner(due, kill_hanging(g, now));
	if (g->patience > now)
		due = clock_sooner(due, g->patience);
	due = clock_sooner(due, see_to_status_server(g, now));
	due = clock_sooner(due, see_to_timers(g, now));
	due = clock_sooner(due, see_to_hub(g, now));
	for (unsigned i = 0; i < g->nslots; i++)
		if (g->slots[i].state != SLOT_FREE)
			due = clock_sooner(due, g->slots[i].due);
	if (due == -1)
		loop_timer_clear(g->options->loop, &g->timer);
	else
		loop_timer_set(g->options->loop, &g->timer, due);
}

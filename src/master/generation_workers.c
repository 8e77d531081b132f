#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/tuning.h"
#include "ipc/channel.h"
#include "master/generation_impl.h"

#define GRACE	    5	 /* ms for idle workers to take a client before one is
			    forked */
#define BATCH	    16	 /* forks in one turn */
#define SUCCESSION  100	 /* ms from when a worker is up until it may have a
			    successor, or leave without delaying the next */
#define START_GRACE 2000 /* ms beyond timeouts.start, for the worker's own
			    watchdog to say where it hangs */

enum generation_action
generation_event(struct generation *g, enum generation_event event)
{
	struct generation_move move = generation_move(g->state, event);

	g->state = move.next;
	g->attention = true;
	return move.action;
}

/* ---- slots --------------------------------------------------------------- */

unsigned
generation_number(const struct generation *g, const struct slot *slot)
{
	return (unsigned)(slot - g->slots);
}

unsigned
generation_count(const struct generation *g, enum slot_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < g->nslots; i++)
		n += g->slots[i].state == state;
	return n;
}

bool
generation_is_set_up(const struct generation *g)
{
	return g->setup == SETUP_OVER;
}

bool
generation_sets_up(const struct generation *g)
{
	return !generation_is_set_up(g) &&
	    generation_count(g, SLOT_FREE) < g->nslots;
}

/* At most twice workers.max slots are used, unless an operator has scaled the
 * pool to more than workers.max. */
static struct slot *
free_slot(struct generation *g)
{
	unsigned room = g->nslots;

	if (g->workers.max <= g->conf->workers.max &&
	    room > 2 * (unsigned)g->conf->workers.max)
		room = 2 * (unsigned)g->conf->workers.max;
	for (unsigned i = 0; i < room; i++)
		if (g->slots[i].state == SLOT_FREE)
			return &g->slots[i];
	return NULL;
}

/* A failed fork is logged once and tried again, at least every second: the
 * machine is to blame, not the worker. */
static void
fork_failed(struct generation *g)
{
	if (!g->fork_failed)
		log_error("pool %s: cannot fork a worker: %s",
		    g->conf->name, strerror(errno));
	g->fork_failed = true;
	backoff_failed(&g->backoff, clock_ms(), true, 0);
}

static void
fork_worked(struct generation *g)
{
	if (g->fork_failed)
		log_notice("pool %s: workers can be forked again",
		    g->conf->name);
	g->fork_failed = false;
	quota_add(g->options->quota);
	board_add_fact(g->board, FACT_FORKED);
}

static struct slot *
fork_worker(struct generation *g)
{
	struct slot *slot = free_slot(g);
	struct sink sinks[SINK_COUNT];
	const struct listen_set *set = &g->listens;
	struct spawn_order order = {
		.args = { .kind = WORKER_KIND_APP, .pool = g->conf,
		    .identity = &g->identity,
		    .listeners = set->fds, .protocols = set->protocols,
		    .nlisteners = set->n,
		    .exchange = { set->exchange[0], set->exchange[1] },
		    .door = hub_process_entrance(g->hub),
		    .shared = g->shares.fds, .nshared = g->shares.declared.n,
		    .sinks = sinks, .shut = generation_on_trial(g->state),
		    .setup = g->setup == SETUP_DUE,
		    .generation = g->ordinal },
		.board = g->board,
	};

	if (slot == NULL)
		return NULL;
	listen_set_mend(&g->listens, g->conf);
	order.args.number = generation_number(g, slot);
	logs_lend(&g->logs, order.args.number, sinks);
	if (slot_fork(slot, &order, g->options->loop,
		g->conf->timeouts.start + START_GRACE, generation_heard,
		g) == 0) {
		fork_worked(g);
		return slot;
	}
	snprintf(g->reason, sizeof(g->reason),
	    "cannot fork a worker: %s", strerror(errno));
	fork_failed(g);
	logs_return(&g->logs, order.args.number);
	return NULL;
}

struct slot *
generation_fork(struct generation *g)
{
	struct slot *slot = NULL;

	if (quota_room(g->options->quota))
		slot = fork_worker(g);
	if (slot != NULL && g->missing > 0) {
		g->missing--;
		board_add_fact(g->board, FACT_RESTARTS);
	}
	return slot;
}

/*
 * A client waits, or would if one came now.  Ondemand workers that are up get a
 * moment to take it: most requests are over sooner than a fork.
 */
static void
client_waits(struct generation *g)
{
	int64_t due = clock_ms() + GRACE;

	if (g->conf->workers.mode != MODE_ONDEMAND ||
	    generation_count(g, SLOT_UP) == 0)
		g->attention = true;
	else if (!g->timer.set || g->timer.due > due)
		loop_timer_set(g->options->loop, &g->timer, due);
}

static void
client_came(void *arg, int fd, short revents)
{
	struct generation *g = arg;

	(void)fd;
	(void)revents;
	listen_set_unwatch(&g->listens); /* one report is enough */
	listen_set_mend(&g->listens, g->conf);
	client_waits(g);
}

void
generation_watch(struct generation *g, bool on)
{
	if (on)
		listen_set_watch(&g->listens, g->options->loop, client_came, g);
	else
		listen_set_unwatch(&g->listens);
}

/* ---- what workers say ---------------------------------------------------- */

/* Called wherever the last condition for COMPLETE may have come true. */
static void
look_complete(struct generation *g)
{
	if (g->begun == g->wanted &&
	    generation_count(g, SLOT_UP) >= g->wanted)
		generation_event(g, GENERATION_COMPLETE);
}

static void
became_ready(struct generation *g, struct slot *slot)
{
	if (slot->state != SLOT_STARTING || g->setup != SETUP_OVER)
		return;
	slot->state = SLOT_UP;
	slot->up = clock_ms();
	slot->due = -1;
	if (g->backoff.trial)
		log_notice("pool %s: a worker has come up again",
		    g->conf->name);
	backoff_ready(&g->backoff);
	slot_log(slot, LEVEL_DEBUG, "is ready");
	if (slot->succeeds != NULL) {
		board_recycled(g->board, generation_number(g, slot->succeeds));
		board_leaving(g->board, generation_number(g, slot->succeeds));
		slot_tell_leave(slot->succeeds, g->conf->timeouts.stop);
		slot->succeeds = NULL;
	}
	generation_event(g, GENERATION_UP);
	look_complete(g);
}

/* Its process is the only one, so that the word comes from no other. */
static void
has_set_up(struct generation *g, struct slot *slot)
{
	if (g->setup != SETUP_DUE)
		return;
	g->setup = SETUP_PASSED;
	if (slot->state == SLOT_STARTING)
		slot->due = clock_ms() + g->conf->timeouts.stop;
	slot->state = SLOT_LEAVING;
}

/* The process that was to set up is gone.  If it has, all first workers are
 * forked, be it the first attempt or not. */
static void
end_setup(struct generation *g)
{
	if (g->setup != SETUP_PASSED)
		return;
	g->setup = SETUP_OVER;
	g->begun = 0;
}

static bool
has_successor(const struct generation *g, const struct slot *slot)
{
	for (unsigned i = 0; i < g->nslots; i++)
		if (g->slots[i].state != SLOT_FREE &&
		    g->slots[i].succeeds == slot)
			return true;
	return false;
}

static void
send_successor(struct generation *g, struct slot *slot)
{
	struct slot *successor;

	slot->wish = false;
	if (slot->state != SLOT_UP || generation_leaves(g->state) ||
	    has_successor(g, slot))
		return;
	successor = fork_worker(g);
	slot->wish = successor == NULL;
	if (successor == NULL)
		return;
	successor->succeeds = slot;
	board_add_fact(g->board, FACT_RESTARTS);
}

/* A worker that asks as soon as it is up, as its successor would, has to wait
 * until it is SUCCESSION old, or forks would never end. */
int64_t
generation_send_successors(struct generation *g, int64_t now)
{
	int64_t next = -1, due;

	for (unsigned i = 0; i < g->nslots; i++) {
		struct slot *slot = &g->slots[i];

		if (!slot->wish)
			continue;
		due = slot->up + SUCCESSION;
		if (due <= now && generation_may_load(g, now)) {
			send_successor(g, slot);
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
log_stuck(const struct generation *g, const struct slot *slot)
{
	struct score_slot seen;
	char text[128];

	snprintf(text, sizeof(text), "exceeded timeouts.request and did not "
	    "let itself be stopped: answered with %d, the worker is replaced",
	    (int)g->conf->timeout_status);
	if (board_read(g->board, generation_number(g, slot), &seen))
		slot_log_request(slot, LEVEL_ERROR, &seen, text);
}

int
generation_status(const struct generation *g, struct status *status)
{
	if (status_collect(status, g->conf, g->board, g->listens.fds,
		g->listens.n) == 0 &&
	    timer_process_status(&g->timer_process, status) == 0) {
		hub_process_status(g->hub, status);
		return 0;
	}
	status_free(status);
	return -1;
}

int
generation_door(const struct generation *g, struct why *why)
{
	return hub_process_door(g->hub, why);
}

void
generation_send_status(void *arg, struct slot *slot)
{
	struct generation *g = arg;
	struct status status;
	int memory = -1;

	if (slot->foreign)
		return;
	if (generation_status(g, &status) == 0)
		memory = status_send(&status);
	status_free(&status);
	if (channel_send_status(slot->channel, memory) == -1 &&
	    errno == EAGAIN)
		slot_is_deaf(slot);
	fd_close(&memory);
}

/* A trial needs all of its workers. */
static void
leaves(struct generation *g, struct slot *slot)
{
	slot->state = SLOT_LEAVING;
	if (generation_on_trial(g->state) &&
	    generation_event(g, GENERATION_LOST) == GENERATION_NOTE)
		snprintf(g->reason, sizeof(g->reason),
		    "a worker has left by itself");
}

/* If each worker left as soon as it is up, forks would never end. */
static void
leaves_by_itself(struct generation *g, struct slot *slot, int64_t now)
{
	slot->due = now + g->conf->timeouts.stop;
	if (generation_serves(g->state) && now - slot->up < SUCCESSION)
		backoff_failed(&g->backoff, now, true, now - slot->born);
}

static void
is_stuck(struct generation *g, struct slot *slot)
{
	log_stuck(g, slot);
	slot->due = clock_ms() + tuning.stuck;
	leaves(g, slot);
	g->missing++;
}

/* An answer that is not owed any more comes from a worker that was busy. */
static void
answers(struct generation *g, struct slot *slot, bool outdated)
{
	if (slot->owes != SLOT_OWES_ANSWER)
		return;
	slot->owes = SLOT_OWES_NOTHING;
	if (outdated)
		g->answer = GENERATION_OUTDATED;
}

/* True if the word was handled and is no reason for a step. */
static bool
heard_aside(struct generation *g, struct slot *slot, enum worker_word word)
{
	switch (word) {
	case WORD_CROWDED:
		g->crowded = true;
		client_waits(g);
		return true;
	case WORD_STATUS:
		generation_send_status(g, slot);
		return true;
	case WORD_WEBSOCKET:
		g->websocket = true;
		if (generation_serves(g->state))
			hub_process_need(g->hub, true);
		return false;
	case WORD_TAKEN:
		logs_taken(&g->logs, generation_number(g, slot),
		    slot->channel);
		return true;
	case WORD_LOST:
	case WORD_LOGS:
		logs_tell(g->conf, g->board, word == WORD_LOST);
		return true;
	default:
		return false;
	}
}

void
generation_heard(void *arg, struct slot *slot, enum worker_word word)
{
	struct generation *g = arg;
	int64_t now = clock_ms();

	if (heard_aside(g, slot, word))
		return;
	g->attention = true;
	switch (word) {
	case WORD_NO_SETUP:
		if (g->setup == SETUP_DUE)
			g->setup = SETUP_OVER;
		break;
	case WORD_SET_UP:
		has_set_up(g, slot);
		break;
	case WORD_READY:
		became_ready(g, slot);
		break;
	case WORD_REPLACE: /* it cannot restart on HUP, or has served enough */
		slot->wish = slot->state == SLOT_UP;
		break;
	case WORD_OUTDATED:
	case WORD_CURRENT:
		answers(g, slot, word == WORD_OUTDATED);
		break;
	case WORD_RESTARTED:
		if (slot->owes == SLOT_OWES_RESTART)
			slot->owes = SLOT_OWES_NOTHING;
		break;
	case WORD_LEAVING: /* a starting one fails, however it ends */
		if (slot->state == SLOT_UP)
			leaves_by_itself(g, slot, now);
		if (slot->state != SLOT_STARTING)
			leaves(g, slot);
		break;
	case WORD_CLOSED:
		if (slot->due == -1 || slot->due > now + tuning.stuck)
			slot->due = now + tuning.stuck;
		break;
	case WORD_STUCK:
		if (slot->state == SLOT_UP)
			is_stuck(g, slot);
		break;
	default:
		break;
	}
}

/* ---- the first workers, and the last ------------------------------------- */

bool
generation_may_load(struct generation *g, int64_t now)
{
	int64_t most = g->workers.loading;
	unsigned n = 0;

	if (g->setup != SETUP_OVER)
		return !g->held && !generation_sets_up(g);
	if (most == 0)
		most = 2 * sysconf(_SC_NPROCESSORS_ONLN);
	for (unsigned i = 0; i < g->nslots && n < most; i++)
		n += slot_loads(&g->slots[i], now);
	return n < most;
}

/* The end of the own process, or its word, makes a step due. */
int64_t
generation_look_on(struct generation *g, int64_t now)
{
	if (generation_sets_up(g))
		return -1;
	return generation_may_load(g, now) ? now : now + SLOT_LOOK;
}

/* process_max is reached: go on with the workers that are forked, or fail if
 * there are none. */
static void
find_no_room(struct generation *g)
{
	g->wanted = g->begun;
	if (g->wanted > 0) {
		look_complete(g);
		return;
	}
	snprintf(g->reason, sizeof(g->reason),
	    "process_max leaves no room for a worker");
	generation_event(g, GENERATION_STUNTED);
}

/* Between two batches the master handles signals and commands. */
bool
generation_go_on(struct generation *g, int64_t now)
{
	for (unsigned i = 0; g->begun < g->wanted; i++) {
		if (i == BATCH || !generation_may_load(g, now))
			return false;
		if (g->begun >= g->successors &&
		    !quota_room(g->options->quota)) {
			find_no_room(g);
		} else if (fork_worker(g) == NULL) {
			g->wanted = g->begun;
			generation_event(g, GENERATION_STUNTED);
		} else {
			g->begun++;
		}
	}
	return true;
}

bool
generation_lacks_last(struct generation *g, int64_t now)
{
	return g->state == GENERATION_LAST && now < g->drained &&
	    g->setup == SETUP_OVER &&
	    generation_count(g, SLOT_FREE) == g->nslots &&
	    listen_set_waiting(&g->listens) > 0;
}

void
generation_serve_last(struct generation *g, int64_t now)
{
	struct slot *slot;

	if (!generation_lacks_last(g, now))
		return;
	slot = generation_fork(g);
	if (slot == NULL)
		return;
	board_leaving(g->board, generation_number(g, slot));
	slot_tell_leave(slot, g->drained - now);
}

/* ---- how workers end -------------------------------------------------- */

static void
log_death(const struct generation *g, const struct slot *slot, int status)
{
	struct score_slot seen;
	char end[64], text[128];

	slot_end_text(status, end, sizeof(end));
	snprintf(text, sizeof(text), "the worker %s while it served this",
	    end);
	if (slot->state == SLOT_STARTING)
		slot_log(slot, LEVEL_ERROR, "%s before it was ready", end);
	else if (board_read(g->board, generation_number(g, slot), &seen) &&
	    seen.state == SCORE_BUSY)
		slot_log_request(slot, LEVEL_WARNING, &seen, text);
	else
		slot_log(slot, LEVEL_WARNING, "%s", end);
}

static void
lose_successor(struct generation *g, struct slot *slot)
{
	slot_log(slot, LEVEL_ERROR, "has no successor and stays");
	if (slot->owes == SLOT_OWES_RESTART) {
		g->answer = GENERATION_REFUSES;
		slot->owes = SLOT_OWES_NOTHING;
	}
}

/* If a worker does not come up, no more first workers are forked: the policy
 * goes on. */
static void
lose(struct generation *g, const struct slot *slot)
{
	int64_t now = clock_ms();

	if (slot->state == SLOT_STARTING)
		g->begun = g->wanted;
	if (slot->succeeds != NULL)
		lose_successor(g, slot->succeeds);
	else
		g->missing++;
	board_add_fact(g->board, slot->state == SLOT_STARTING ?
	    FACT_LOADS_FAILED : FACT_CRASHES);
	if (backoff_failed(&g->backoff, now, slot->state == SLOT_UP,
		now - slot->born))
		log_notice("pool %s: %u failure%s in a row, the next worker "
		    "starts in %lld ms", g->conf->name,
		    g->backoff.failures,
		    g->backoff.failures == 1 ? "" : "s",
		    (long long)(g->backoff.until - now));
}

/* What a worker has said tells more than how it ended. */
static void
note_failure(struct generation *g, const struct slot *slot, int status)
{
	char end[64];

	if (slot->said != NULL)
		snprintf(g->reason, sizeof(g->reason), "%s", slot->said);
	else if (slot->killed && slot->state == SLOT_STARTING)
		snprintf(g->reason, sizeof(g->reason),
		    "a worker is not ready within timeouts.start");
	else
		snprintf(g->reason, sizeof(g->reason), "a worker %s%s",
		    slot_end_text(status, end, sizeof(end)),
		    slot->state == SLOT_STARTING ? " before it was ready" :
						   "");
}

/* A killed worker was logged when it was killed. */
static void
judge(struct generation *g, struct slot *slot, int status)
{
	enum generation_action action;

	if (slot->killed || (slot->state == SLOT_LEAVING && status == 0))
		slot_log(slot, LEVEL_DEBUG, "is gone");
	else
		log_death(g, slot, status);
	if (slot->state == SLOT_LEAVING)
		return;
	action = generation_event(g, GENERATION_LOST);
	if (action == GENERATION_NOTE || action == GENERATION_SUFFER)
		note_failure(g, slot, status);
	if (action == GENERATION_COUNT || action == GENERATION_SUFFER)
		lose(g, slot);
}

/* A worker that is gone needs no successor: what starts for it counts as any
 * other. */
static void
forget_predecessor(struct generation *g, const struct slot *gone)
{
	for (unsigned i = 0; i < g->nslots; i++)
		if (g->slots[i].succeeds == gone)
			g->slots[i].succeeds = NULL;
}

static struct slot *
find_process(struct generation *g, pid_t pid)
{
	for (unsigned i = 0; i < g->nslots; i++)
		if (g->slots[i].state != SLOT_FREE && g->slots[i].pid == pid)
			return &g->slots[i];
	return NULL;
}

/* Words that were sent before the end count (READY, LEAVING), so they are read
 * before the judgement. */
static void
bury(struct generation *g, struct slot *slot, int status)
{
	unsigned number = generation_number(g, slot);
	pid_t pid = slot->pid;
	bool left;

	slot_ended(slot);
	log_bury(board_repeats(g->board, number), g->conf->name, pid);
	judge(g, slot, status);
	left = slot->state == SLOT_LEAVING && status == 0;
	slot_bury(slot);
	end_setup(g);
	logs_account(&g->logs, number, g->conf, g->board);
	logs_return(&g->logs, number);
	quota_remove(g->options->quota);
	if (!board_dead(g->board, number))
		log_warning("pool %s: what worker %d had counted cannot be "
		    "true and is left out", g->conf->name, (int)pid);
	forget_predecessor(g, slot);
	if (left)
		generation_serve_last(g, clock_ms());
	else if (generation_count(g, SLOT_FREE) == g->nslots)
		g->drained = 0; /* a new one would fail again */
}

bool
generation_reap(struct generation *g, pid_t pid, int status)
{
	struct slot *slot = find_process(g, pid);

	if (slot == NULL &&
	    !status_server_reap(&g->status_server, pid, status) &&
	    !timer_process_reap(&g->timer_process, pid, status) &&
	    !hub_process_reap(g->hub, pid, status))
		return false;
	if (slot != NULL)
		bury(g, slot, status);
	g->attention = true;
	return true;
}

/* ---- over a reload ---------------------------------------------------- */

static bool
there(const struct slot *slot)
{
	return slot->state == SLOT_UP || slot->state == SLOT_STARTING;
}

/* Begin to ask all workers; earlier answers are dropped.  A step is due now and
 * when `until` has passed. */
static void
begin(struct generation *g, int64_t until)
{
	for (unsigned i = 0; i < g->nslots; i++)
		g->slots[i].owes = SLOT_OWES_NOTHING;
	g->answer = GENERATION_CURRENT;
	g->patience = until;
	g->attention = true;
}

/* Workers of another build do not understand the question, and count as
 * outdated. */
void
generation_ask(struct generation *g, int64_t until)
{
	begin(g, until);
	for (unsigned i = 0; i < g->nslots; i++) {
		struct slot *slot = &g->slots[i];

		if (!there(slot))
			continue;
		slot->owes = SLOT_OWES_ANSWER;
		if (slot->foreign)
			answers(g, slot, true);
		slot_order(slot, ORDER_ASK);
	}
}

void
generation_rewatch(struct generation *g)
{
	listen_set_unforward(&g->listens);
	listen_set_unwatch(&g->listens);
	g->attention = true;
}

void
generation_stay(struct generation *g)
{
	begin(g, 0);
	generation_rewatch(g);
}

static void
configure(struct generation *g, const struct conf_pool *conf,
    const struct conf *source, bool retuned)
{
	if (retuned)
		g->workers = conf->workers;
	logs_follow(&g->logs, g->conf, conf);
	g->conf = conf;
	g->source = source;
}

/* A starting worker may have loaded old files already: the signal stays
 * pending, and is handled once it is READY. */
void
generation_hup(struct generation *g, const struct conf_pool *conf,
    const struct conf *source, bool retuned, int64_t until)
{
	configure(g, conf, source, retuned);
	begin(g, until);
	for (unsigned i = 0; i < g->nslots; i++) {
		struct slot *slot = &g->slots[i];

		if (!there(slot))
			continue;
		slot->owes = SLOT_OWES_RESTART;
		kill(slot->pid, SIGHUP);
	}
	timer_process_configure(&g->timer_process, g->conf);
	timer_process_restart(&g->timer_process);
}

/* True if the worker restarts, or has a successor or will get one.  The worker
 * itself writes that it restarts, so that is believed no longer than a restart
 * may take. */
static bool
is_expected(const struct generation *g, const struct slot *slot, int64_t now)
{
	struct score_slot seen;

	if (has_successor(g, slot))
		return true;
	if (slot->wish)
		return !g->fork_failed;
	return now < g->patience + g->conf->timeouts.start + tuning.hang &&
	    board_read(g->board, generation_number(g, slot), &seen) &&
	    seen.state == SCORE_RESTARTING;
}

static bool
is_awaited(const struct generation *g, const struct slot *slot, int64_t now)
{
	if (slot->owes == SLOT_OWES_NOTHING || !there(slot))
		return false;
	return now < g->patience || (slot->owes == SLOT_OWES_RESTART &&
	    is_expected(g, slot, now));
}

enum generation_answer
generation_answer(const struct generation *g, int64_t now)
{
	if (g->answer == GENERATION_OUTDATED)
		return g->answer;
	for (unsigned i = 0; i < g->nslots; i++)
		if (is_awaited(g, &g->slots[i], now))
			return GENERATION_WAITS;
	return g->answer;
}

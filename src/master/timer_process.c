#include "master/timer_process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/tuning.h"
#include "ipc/channel.h"

#define START_GRACE 2000 /* ms beyond timeouts.start, as for a worker */

static int64_t
read_clock(clockid_t clock)
{
	struct timespec t = { 0 };

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timers_now
timer_process_now(void)
{
	return (struct timers_now){ .boot = read_clock(CLOCK_BOOTTIME),
		.wall = read_clock(CLOCK_REALTIME) };
}

/* ---- made and closed ----------------------------------------------------- */

static int
make_board(struct timer_process *p, const struct board *workers)
{
	p->board = board_new(1, workers);
	if (p->board == NULL)
		return -1;
	board_set_aside(p->board);
	return 0;
}

int
timer_process_open(struct timer_process *p, const struct conf_pool *pool,
    const struct board *workers, struct why *why)
{
	p->hangs = -1;
	p->stop = pool->timeouts.stop;
	if (pool->timers.n == 0)
		return 0;
	p->timers = timers_new();
	if (p->timers != NULL && make_board(p, workers) == 0)
		return 0;
	why_set(why, "%s", strerror(errno));
	return -1;
}

void
timer_process_close(struct timer_process *p)
{
	timers_leave(p->timers);
	p->timers = NULL;
	board_free(p->board);
	p->board = NULL;
	slot_close(&p->slot);
}

void
timer_process_share(struct timer_process *p, const struct timer_process *other)
{
	struct timers *own = p->timers;

	if (own == NULL || other->timers == NULL || own == other->timers)
		return;
	p->timers = timers_join(other->timers);
	if (own->holder == p) /* both come from the image before */
		p->timers->holder = p;
	timers_leave(own);
}

void
timer_process_configure(struct timer_process *p, const struct conf_pool *pool)
{
	const struct timers_now now = timer_process_now();

	p->stop = pool->timeouts.stop;
	if (p->timers != NULL)
		timers_configure(p->timers, &pool->timers, &now);
}

bool
timer_process_lives(const struct timer_process *p)
{
	return p->slot.state != SLOT_FREE;
}

bool
timer_process_runs(const struct timer_process *p)
{
	return timer_process_lives(p) && p->timers->holder == p &&
	    timers_running(p->timers) != NULL;
}

/* ---- what it says -------------------------------------------------------- */

static void
run_over(struct timer_process *p, enum timer_end end)
{
	const struct timers_now now = timer_process_now();

	if (!timer_process_runs(p))
		return;
	slot_log(&p->slot, LEVEL_DEBUG, "timer %s: %s",
	    timers_running(p->timers), timers_end_name(end));
	timers_end(p->timers, end,
	    end == TIMER_SUCCESS ? NULL : p->slot.said, &now);
	p->hangs = -1;
}

static void
became_ready(struct timer_process *p)
{
	if (p->slot.state != SLOT_STARTING)
		return;
	p->slot.state = SLOT_UP;
	p->slot.up = clock_ms();
	p->slot.due = -1;
	backoff_ready(&p->backoff);
	slot_log(&p->slot, LEVEL_DEBUG, "is ready for timers");
}

static void
has_restarted(struct timer_process *p)
{
	if (p->slot.state != SLOT_UP || p->slot.owes != SLOT_OWES_RESTART)
		return;
	p->slot.owes = SLOT_OWES_NOTHING;
	p->slot.due = -1;
}

static void
leaves(struct slot *slot, int64_t limit)
{
	int64_t due = clock_ms() + limit;

	if (slot->state != SLOT_STARTING)
		slot->state = SLOT_LEAVING;
	if (slot->due == -1 || slot->due > due)
		slot->due = due;
}

static void
heard(void *arg, struct slot *slot, enum worker_word word)
{
	struct timer_process *p = arg;

	switch (word) {
	case WORD_READY:
		became_ready(p);
		break;
	case WORD_RAN:
		run_over(p, TIMER_SUCCESS);
		break;
	case WORD_RUN_FAILED:
		run_over(p, TIMER_FAILED);
		break;
	case WORD_RUN_LATE:
		run_over(p, TIMER_LATE);
		break;
	case WORD_REPLACE:
		p->tired = true;
		has_restarted(p);
		break;
	case WORD_RESTARTED:
		has_restarted(p);
		break;
	case WORD_LEAVING:
		leaves(slot, p->stop);
		break;
	case WORD_CLOSED:
		if (slot->due == -1 || slot->due > clock_ms() + tuning.stuck)
			slot->due = clock_ms() + tuning.stuck;
		break;
	default:
		return;
	}
	p->wake(p->arg);
}

/* ---- steps --------------------------------------------------------------- */

static void
start(struct timer_process *p, const struct timer_process_order *order,
    const struct timers_now *at, int64_t now)
{
	const struct conf_pool *pool = order->pool;
	const struct spawn_order spawned = {
		.args = { .kind = WORKER_KIND_TIMERS, .pool = pool,
		    .identity = order->identity, .exchange = { -1, -1 }, .door = order->door,
		    .shared = order->shared, .nshared = order->nshared,
		    .generation = order->generation },
		.board = p->board,
	};

	if (slot_fork(&p->slot, &spawned, order->loop, pool->timeouts.start +
		START_GRACE, heard, p) == 0) {
		p->fork_failed = p->tired = p->outdated = false;
		p->hangs = -1;
		p->timers->holder = p;
		return;
	}
	if (!p->fork_failed)
		log_error("pool %s: cannot fork the process for timers: %s",
		    pool->name, strerror(errno));
	p->fork_failed = true;
	timers_give_up(p->timers, "its process cannot be forked", at);
	backoff_failed(&p->backoff, now, true, 0);
}

static void
kill_overdue(struct timer_process *p)
{
	struct slot *slot = &p->slot;

	if (slot->channel == -1 && !slot->foreign)
		slot_log(slot, LEVEL_ERROR, "has closed its channel to the "
		    "master and goes on: killed");
	else if (slot->state == SLOT_STARTING)
		slot_log(slot, LEVEL_ERROR, "not ready within timeouts.start: "
		    "killed");
	else if (slot->state == SLOT_UP)
		slot_log(slot, LEVEL_ERROR, "restart hangs beyond "
		    "timeouts.start: killed");
	else
		slot_log(slot, LEVEL_WARNING, "does not leave in time: killed");
	slot_kill(slot);
}

/* The process itself has not ended what exceeds timeouts.request: it was
 * stopped, or waits in the kernel. */
static void
kill_hanging(struct timer_process *p)
{
	slot_log(&p->slot, LEVEL_ERROR, "timer %s hangs beyond "
	    "timeouts.request: killed", timers_running(p->timers));
	slot_kill(&p->slot);
	p->hangs = -1;
}

static void
begin(struct timer_process *p, int which, const struct conf_pool *pool,
    const struct timers_now *at, int64_t now)
{
	int64_t limit = pool->timeouts.request;

	if (channel_send_run(p->slot.channel,
		p->timers->item[which].conf.name) == -1) {
		slot_is_deaf(&p->slot);
		slot_kill(&p->slot);
		return;
	}
	timers_begin(p->timers, which, at);
	free(p->slot.said); /* of the run before */
	p->slot.said = NULL;
	p->hangs = limit == 0 ? -1 : now + limit + tuning.hang;
}

/* Between two runs, so that no run waits for it. */
static void
restart(struct timer_process *p, const struct conf_pool *pool, int64_t now)
{
	p->outdated = false;
	p->slot.owes = SLOT_OWES_RESTART;
	p->slot.due = now + pool->timeouts.start + tuning.hang;
	kill(p->slot.pid, SIGHUP);
}

/* The process is up and nothing runs.  Under another image it cannot be told
 * what to run. */
static int64_t
give_work(struct timer_process *p, const struct timer_process_order *order,
    bool wanted, int64_t now)
{
	const struct timers_now at = timer_process_now();
	int64_t wait;
	int which = timers_due(p->timers, &at, &wait);
	const bool idle = which == -1 && (wait == -1 || wait > tuning.timer);

	if (!wanted || p->tired || idle || p->slot.foreign)
		slot_tell_leave(&p->slot, order->pool->timeouts.stop);
	else if (p->outdated)
		restart(p, order->pool, now);
	else if (which != -1 && p->slot.channel != -1)
		begin(p, which, order->pool, &at, now);
	else if (which == -1)
		return clock_sooner(p->slot.due, now + (wait > 0 ? wait : 1));
	return clock_sooner(p->slot.due, p->hangs);
}

/* A run whose process could not be taken over is over. */
static void
forget_run(struct timer_process *p)
{
	const struct timers_now now = timer_process_now();

	if (p->timers->holder == NULL)
		timers_end(p->timers, TIMER_KILLED, "its process was lost over "
		    "an upgrade", &now);
}

/* There is a process. */
static int64_t
attend(struct timer_process *p, const struct timer_process_order *order,
    bool wanted, int64_t now)
{
	struct slot *slot = &p->slot;

	if (slot->due != -1 && slot->due <= now)
		kill_overdue(p);
	if (p->hangs != -1 && p->hangs <= now && !slot->killed)
		kill_hanging(p);
	if (slot->killed)
		return -1;
	if (slot->state == SLOT_UP && slot->owes == SLOT_OWES_NOTHING &&
	    !timer_process_runs(p))
		return give_work(p, order, wanted, now);
	if (!wanted && slot->state != SLOT_LEAVING)
		slot_tell_leave(slot, order->pool->timeouts.stop);
	return clock_sooner(slot->due, p->hangs);
}

int64_t
timer_process_step(struct timer_process *p,
    const struct timer_process_order *order, bool wanted, int64_t now)
{
	struct timers_now at;
	int64_t wait;

	if (p->timers == NULL)
		return -1;
	forget_run(p);
	if (timer_process_lives(p))
		return attend(p, order, wanted, now);
	if (!wanted || p->timers->holder != NULL)
		return -1;
	at = timer_process_now();
	if (timers_due(p->timers, &at, &wait) == -1)
		return wait == -1 ? -1 : now + wait;
	if (backoff_active(&p->backoff, now))
		return p->backoff.until;
	start(p, order, &at, now);
	return timer_process_lives(p) ? p->slot.due : p->backoff.until;
}

/* ---- told from outside --------------------------------------------------- */

void
timer_process_leave(struct timer_process *p, int64_t limit)
{
	if (timer_process_lives(p))
		slot_tell_leave(&p->slot, limit);
}

void
timer_process_kill(struct timer_process *p)
{
	slot_kill(&p->slot);
}

void
timer_process_restart(struct timer_process *p)
{
	p->outdated = timer_process_lives(p);
}

void
timer_process_send_level(const struct timer_process *p)
{
	if (timer_process_lives(p) && p->slot.channel != -1)
		channel_send_level(p->slot.channel, log_level_now());
}

/* ---- its end ------------------------------------------------------------- */

/* Log how it ended, and note that for its run or for those that wait for it. */
static void
judge(struct timer_process *p, int status)
{
	const struct timers_now at = timer_process_now();
	struct slot *slot = &p->slot;
	char end[64], why[TIMERS_WHY];

	slot_end_text(status, end, sizeof(end));
	snprintf(why, sizeof(why), "its process %s", end);
	if (timer_process_runs(p)) {
		slot_log(slot, LEVEL_WARNING, "%s while it ran the timer %s",
		    end, timers_running(p->timers));
		timers_end(p->timers, TIMER_KILLED, why, &at);
	} else if (slot->state == SLOT_STARTING) {
		slot_log(slot, LEVEL_ERROR, "%s before it was ready for "
		    "timers", end);
		timers_give_up(p->timers, slot->said != NULL ? slot->said :
		    why, &at);
	} else if (slot->state != SLOT_LEAVING && !slot->killed) {
		slot_log(slot, LEVEL_WARNING, "%s", end);
	}
}

bool
timer_process_reap(struct timer_process *p, pid_t pid, int status)
{
	struct slot *slot = &p->slot;
	int64_t now = clock_ms();

	if (!timer_process_lives(p) || slot->pid != pid)
		return false;
	slot_ended(slot);
	log_bury(board_repeats(p->board, 0), slot->output.pool, pid);
	judge(p, status);
	if (slot->state != SLOT_LEAVING || status != 0)
		backoff_failed(&p->backoff, now, slot->state != SLOT_STARTING,
		    now - slot->born);
	slot_bury(slot);
	board_dead(p->board, 0);
	p->timers->holder = NULL;
	p->hangs = -1;
	return true;
}

/* ---- the status ---------------------------------------------------------- */

static void
show(const struct timers *timers, const struct timer *timer,
    const struct timers_now *now, struct status_timer *out)
{
	const struct timer_process *holder = timers->holder;
	const bool runs = timers->running == (int)(timer - timers->item);

	*out = (struct status_timer){ .running = runs, .last = timer->last,
		.took = timer->took, .next = timers_next(timer, now),
		.runs = timer->ended, .failures = timer->failures,
		.missed = timer->missed };
	if (runs) {
		out->took = now->boot - timers->since;
		out->pid = holder == NULL ? 0 : holder->slot.pid;
	}
	snprintf(out->name, sizeof(out->name), "%s", timer->conf.name);
	conf_timer_when(&timer->conf, out->when);
	snprintf(out->result, sizeof(out->result), "%s",
	    timers_end_name(timer->end));
	snprintf(out->why, sizeof(out->why), "%s", timer->why);
}

int
timer_process_status(const struct timer_process *p, struct status *status)
{
	const struct timers_now now = timer_process_now();
	const struct timers *timers = p->timers;

	if (timers == NULL || timers->n == 0)
		return 0;
	status->timers = calloc(timers->n, sizeof(*status->timers));
	if (status->timers == NULL)
		return -1;
	for (size_t i = 0; i < timers->n; i++)
		show(timers, &timers->item[i], &now, &status->timers[i]);
	status->ntimers = timers->n;
	return 0;
}

/* ---- over an upgrade in place -------------------------------------------- */

static void
put(const char *name, struct buf *record, struct buf *out)
{
	record_put(out, name, record->data, record->len);
	out->failed |= record->failed;
	buf_free(record);
}

void
timer_process_hand_over(const struct timer_process *p, struct buf *out)
{
	struct buf record = { 0 };

	timers_hand_over(p->timers, &record);
	put("timers", &record, out);
	if (!timer_process_lives(p))
		return;
	board_hand_over(p->board, &record);
	put("board", &record, out);
	slot_hand_over(&p->slot, &record);
	put("slot", &record, out);
	record_put_number(out, "tired", p->tired);
	record_put_number(out, "outdated", p->outdated);
	record_put_number(out, "owes", p->slot.owes);
	record_put_number(out, "hangs", p->hangs);
}

static void
take_process(struct timer_process *p, const struct record *record,
    const struct conf_pool *pool, struct loop *loop)
{
	struct record slot;

	if (!record_find(record, "slot", &slot) ||
	    slot_take_over(&p->slot, &slot, loop, pool->name, heard, p) == -1)
		return;
	p->timers->holder = p;
	p->tired = record_number(record, "tired", 0) != 0;
	p->outdated = record_number(record, "outdated", 0) != 0;
	if (record_number(record, "owes", 0) == SLOT_OWES_RESTART)
		p->slot.owes = SLOT_OWES_RESTART;
	p->hangs = record_number(record, "hangs", -1);
}

int
timer_process_take_over(struct timer_process *p, const struct record *record,
    const struct conf_pool *pool, const struct board *workers,
    struct loop *loop, struct why *why)
{
	struct record part;

	p->hangs = -1;
	p->stop = pool->timeouts.stop;
	p->timers = timers_new();
	if (record_find(record, "board", &part))
		p->board = board_take_over(&part);
	if (p->board != NULL)
		board_set_aside(p->board);
	if (p->timers == NULL ||
	    (p->board == NULL && make_board(p, workers) == -1)) {
		why_set(why, "%s", strerror(errno));
		return -1;
	}
	if (record_find(record, "timers", &part))
		timers_take_over(p->timers, &part);
	take_process(p, record, pool, loop);
	return 0;
}

#include "master/reporter.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

int
reporter_open(struct reporter *reporter, const struct conf_pool *pool,
    struct why *why)
{
	const struct conf_list *list = &pool->status_listen;

	reporter->inlet.exchange[0] = reporter->inlet.exchange[1] = -1;
	if (list->n == 0)
		return 0;
	reporter->board = board_new(1, NULL);
	if (reporter->board == NULL) {
		why_set(why, "%s", strerror(errno));
		return -1;
	}
	return inlet_bind(&reporter->inlet, pool, list, why);
}

void
reporter_close(struct reporter *reporter)
{
	inlet_close(&reporter->inlet);
	board_free(reporter->board);
	buf_free(&reporter->slot.output.line);
}

bool
reporter_lives(const struct reporter *reporter)
{
	return reporter->slot.state != SLOT_FREE;
}

static void
heard(void *arg, struct slot *slot, enum birth_word word)
{
	struct reporter *reporter = arg;

	if (word == WORD_READY && slot->state == SLOT_STARTING) {
		slot->state = SLOT_UP;
		slot->due = -1;
		backoff_ready(&reporter->backoff);
	} else if (word == WORD_LEAVING) {
		slot->state = SLOT_LEAVING;
	} else if (word == WORD_STATUS) {
		reporter->asked(reporter->arg, slot);
	}
}

static void
start(struct reporter *reporter, const struct reporter_order *order,
    int64_t now)
{
	const struct spawn_order spawned = {
		.birth = { .kind = BIRTH_STATUS, .pool = order->pool,
		    .identity = order->identity,
		    .listeners = reporter->inlet.fds,
		    .nlisteners = reporter->inlet.n,
		    .exchange = { -1, -1 } },
		.board = reporter->board,
	};

	if (slot_fork(&reporter->slot, &spawned, order->loop,
		order->pool->timeouts.start, heard, reporter) == 0) {
		reporter->fork_failed = false;
		return;
	}
	if (!reporter->fork_failed)
		log_error("pool %s: cannot fork the process of status_listen: "
		    "%s", order->pool->name, strerror(errno));
	reporter->fork_failed = true;
	backoff_failed(&reporter->backoff, now, true, 0);
}

static void
kill_overdue(struct slot *slot)
{
	slot_log(slot, LEVEL_WARNING, "the process of status_listen %s in "
	    "time: killed", slot->state == SLOT_STARTING ? "is not ready" :
							   "does not leave");
	slot_kill(slot);
}

int64_t
reporter_step(struct reporter *reporter, const struct reporter_order *order,
    bool wanted, int64_t now)
{
	struct slot *slot = &reporter->slot;

	if (reporter->inlet.n == 0)
		return -1;
	reporter->asked = order->asked;
	reporter->arg = order->arg;
	if (!reporter_lives(reporter) && wanted) {
		if (backoff_active(&reporter->backoff, now))
			return reporter->backoff.until;
		start(reporter, order, now);
	}
	if (!reporter_lives(reporter))
		return wanted ? reporter->backoff.until : -1;
	if (!wanted && slot->state != SLOT_LEAVING)
		slot_tell_leave(slot, order->pool->timeouts.stop);
	if (slot->due != -1 && slot->due <= now)
		kill_overdue(slot);
	return slot->due;
}

void
reporter_kill(struct reporter *reporter)
{
	slot_kill(&reporter->slot);
}

void
reporter_hand_over(const struct reporter *reporter, struct buf *out)
{
	slot_hand_over(&reporter->slot, out);
}

void
reporter_take_over(struct reporter *reporter, const struct record *record,
    struct loop *loop, const char *pool)
{
	if (reporter->board != NULL && !reporter_lives(reporter))
		slot_take_over(&reporter->slot, record, loop, pool, heard,
		    reporter);
}

bool
reporter_reap(struct reporter *reporter, pid_t pid, int status)
{
	struct slot *slot = &reporter->slot;
	int64_t now = clock_ms();
	char end[64];

	if (!reporter_lives(reporter) || slot->pid != pid)
		return false;
	slot_ended(slot);
	if (slot->state != SLOT_LEAVING) {
		if (!slot->killed)
			slot_log(slot, LEVEL_WARNING, "the process of "
			    "status_listen %s",
			    slot_end_text(status, end, sizeof(end)));
		backoff_failed(&reporter->backoff, now,
		    slot->state == SLOT_UP, now - slot->born);
	}
	slot_bury(slot);
	board_dead(reporter->board, 0);
	return true;
}

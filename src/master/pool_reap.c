#include "master/pool_reap.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

static void
log_death(const struct pool *pool, const struct slot *slot, int status)
{
	struct score_slot seen;
	char end[64], text[128];

	slot_end_text(status, end, sizeof(end));
	snprintf(text, sizeof(text), "the worker %s while it served this",
	    end);
	if (slot->state == SLOT_STARTING)
		slot_log(slot, LEVEL_ERROR, "%s before it was ready", end);
	else if (board_read(pool->board, pool_number(pool, slot), &seen) &&
	    seen.state == SCORE_BUSY)
		slot_log_request(slot, LEVEL_WARNING, &seen, text);
	else
		slot_log(slot, LEVEL_WARNING, "%s", end);
}

/* The pool has lost a worker that it counted on. */
static void
lose(struct pool *pool, const struct slot *slot)
{
	int64_t now = clock_ms();

	if (slot->succeeds != NULL) {
		slot_log(slot->succeeds, LEVEL_ERROR,
		    "has no successor and stays");
		pool->refused |= slot->succeeds->told;
		slot->succeeds->told = false;
	}
	pool->missing += slot->succeeds == NULL;
	board_add_fact(pool->board, FACT_CRASHES);
	if (backoff_failed(&pool->backoff, now, slot->state == SLOT_UP,
		now - slot->born))
		log_notice("pool %s: %u failure%s in a row, the next worker "
		    "starts in %lld ms", pool->conf->name,
		    pool->backoff.failures,
		    pool->backoff.failures == 1 ? "" : "s",
		    (long long)(pool->backoff.until - now));
}

/* It has not come up, or not lived through its trial.  Its own word says more
 * than its end. */
static void
note_failure(struct pool *pool, const struct slot *slot, int status)
{
	char end[64];

	pool->failed = true;
	pool->begun = pool->wanted; /* the policy goes on */
	if (pool->reason[0] != '\0')
		return;
	if (slot->said != NULL)
		snprintf(pool->reason, sizeof(pool->reason), "%s", slot->said);
	else if (slot->killed && slot->state == SLOT_STARTING)
		snprintf(pool->reason, sizeof(pool->reason),
		    "a worker is not ready within timeouts.start");
	else
		snprintf(pool->reason, sizeof(pool->reason), "a worker %s%s",
		    slot_end_text(status, end, sizeof(end)),
		    slot->state == SLOT_STARTING ? " before it was ready" :
						   "");
}

/* Who was killed has had its line then. */
static void
judge(struct pool *pool, struct slot *slot, int status)
{
	if (slot->killed || (slot->state == SLOT_LEAVING && status == 0))
		slot_log(slot, LEVEL_DEBUG, "is gone");
	else
		log_death(pool, slot, status);
	if (slot->state == SLOT_LEAVING || pool->draining)
		return;
	if (pool->trial || slot->state == SLOT_STARTING)
		note_failure(pool, slot, status);
	if (!pool->trial) /* or nothing will come after it */
		lose(pool, slot);
}

/* Nobody can succeed a worker that is gone. */
static void
forget_predecessor(struct pool *pool, const struct slot *gone)
{
	for (unsigned i = 0; i < pool->nslots; i++)
		if (pool->slots[i].succeeds == gone)
			pool->slots[i].succeeds = NULL;
}

bool
pool_reap(struct pool *pool, pid_t pid, int status)
{
	struct slot *slot = NULL;
	bool left;

	if (reporter_reap(&pool->reporter, pid, status)) {
		pool->attention = true;
		return true;
	}
	for (unsigned i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE &&
		    pool->slots[i].pid == pid)
			slot = &pool->slots[i];
	if (slot == NULL)
		return false;
	/* What it said before its end counts: READY, or that it was leaving. */
	slot_ended(slot);
	log_bury(board_repeats(pool->board, pool_number(pool, slot)),
	    pool->conf->name, pid);
	judge(pool, slot, status);
	left = slot->state == SLOT_LEAVING && status == 0;
	slot_bury(slot);
	logs_account(&pool->logs, pool_number(pool, slot), pool->conf,
	    pool->board);
	logs_return(&pool->logs, pool_number(pool, slot));
	quota_remove(pool->options->quota);
	if (!board_dead(pool->board, pool_number(pool, slot)))
		log_warning("pool %s: what worker %d had counted cannot be "
		    "true and is left out", pool->conf->name, (int)pid);
	forget_predecessor(pool, slot);
	if (left) /* one that fails would fail again */
		pool_serve_last(pool, clock_ms());
	pool->attention = true;
	return true;
}

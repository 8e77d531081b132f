#include "master/pool_hup.h"

#include <signal.h>

static bool
there(const struct slot *slot)
{
	return slot->state == SLOT_UP || slot->state == SLOT_STARTING;
}

static void
begin(struct pool *pool, int64_t until)
{
	pool->patience = until;
	pool->attention = true; /* for the step that minds the patience */
}

/* Workers of another build cannot be asked, and are outdated. */
void
pool_ask(struct pool *pool, int64_t until)
{
	begin(pool, until);
	pool->outdated = false;
	for (unsigned i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (!there(slot))
			continue;
		slot->told = !slot->foreign;
		pool->outdated |= slot->foreign;
		slot_order(slot, ORDER_ASK);
	}
}

void
pool_hup(struct pool *pool, int64_t until)
{
	begin(pool, until);
	pool->refused = false;
	for (unsigned i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (!there(slot))
			continue;
		slot->told = true;
		kill(slot->pid, SIGHUP);
	}
}

/* It is at it, or it is to have a successor that can be forked. */
static bool
is_expected(const struct pool *pool, const struct slot *slot)
{
	struct score_slot seen;

	if (pool_has_successor(pool, slot))
		return true;
	if (slot->wish)
		return !pool->fork_failed;
	return board_read(pool->board, pool_number(pool, slot), &seen) &&
	    seen.state == SCORE_RESTARTING;
}

bool
pool_obeyed(const struct pool *pool, int64_t now)
{
	for (unsigned i = 0; i < pool->nslots; i++) {
		const struct slot *slot = &pool->slots[i];

		if (slot->told && there(slot) &&
		    (now < pool->patience || is_expected(pool, slot)))
			return false;
	}
	return true;
}

static void
order(struct pool *pool, enum birth_order what)
{
	for (unsigned i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			slot_order(&pool->slots[i], what);
}

void
pool_keep(struct pool *pool)
{
	pool->kept = true;
	order(pool, ORDER_KEEP);
}

void
pool_open(struct pool *pool)
{
	pool->trial = false;
	pool->attention = true;
	board_add_fact(pool->board, FACT_GENERATION);
	order(pool, ORDER_OPEN);
}

#include "master/pool_hup.h"

#include <signal.h>

#include "base/clock.h"

#define PATIENCE 3000 /* ms */

static bool
there(const struct slot *slot)
{
	return slot->state == SLOT_UP || slot->state == SLOT_STARTING;
}

void
pool_hup(struct pool *pool)
{
	pool->refused = false;
	pool->patience = clock_ms() + PATIENCE;
	pool->attention = true; /* for the step that minds the patience */
	for (unsigned i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (!there(slot))
			continue;
		slot->told = true;
		kill(slot->pid, SIGHUP);
	}
}

static bool
has_successor(const struct pool *pool, const struct slot *slot)
{
	for (unsigned i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE &&
		    pool->slots[i].succeeds == slot)
			return true;
	return false;
}

bool
pool_obeyed(const struct pool *pool, int64_t now)
{
	for (unsigned i = 0; i < pool->nslots; i++) {
		const struct slot *slot = &pool->slots[i];

		if (slot->told && there(slot) &&
		    (now < pool->patience || has_successor(pool, slot)))
			return false;
	}
	return true;
}

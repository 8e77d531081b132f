#include "master/steer.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- the number of workers ----------------------------------------------- */

unsigned
steer_most(const struct pool *pool)
{
	return 2 * (unsigned)pool->conf->workers.max - 1;
}

void
steer_scale(struct pool *pool, unsigned n)
{
	const struct conf_workers *given = &pool->conf->workers;

	log_notice("pool %s: %s %u workers, as asked for", pool->conf->name,
	    given->mode == MODE_STATIC ? "from now on" : "at most", n);
	pool->workers.max = n;
	pool->workers.min_spare = least(given->min_spare, n);
	pool->workers.max_spare = least(given->max_spare, n);
	pool->attention = true;
}

/* ---- out of service and back --------------------------------------------- */

struct pools_parked *
steer_parked(const struct pools *pools, const char *name)
{
	struct pools_parked *parked = pools->parked;

	while (parked != NULL && strcmp(parked->name, name) != 0)
		parked = parked->next;
	return parked;
}

bool
steer_empty(const struct pools *pools, const char *name)
{
	const struct pool *pool = pools->first;

	while (pool != NULL && strcmp(pool->conf->name, name) != 0)
		pool = pool->next;
	return pool == NULL;
}

int
steer_park(struct pools *pools, const char *name)
{
	struct pools_parked *parked = steer_parked(pools, name);

	if (parked == NULL) {
		parked = calloc(1, sizeof(*parked) + strlen(name) + 1);
		if (parked == NULL)
			return -1;
		strcpy(parked->name, name);
		parked->next = pools->parked;
		pools->parked = parked;
	}
	parked->resumes = false;
	return 0;
}

static void
unpark(struct pools *pools, struct pools_parked *parked)
{
	struct pools_parked **link = &pools->parked;

	while (*link != parked)
		link = &(*link)->next;
	*link = parked->next;
	free(parked);
}

int
steer_drain(struct pools *pools, const char *name)
{
	struct pool *pool;

	if (steer_park(pools, name) == -1)
		return -1;
	for (pool = pools->first; pool != NULL; pool = pool->next) {
		if (pool->draining || strcmp(pool->conf->name, name) != 0)
			continue;
		log_notice("pool %s: taken out of service, as asked for",
		    name);
		pool_drain(pool, true, pool->conf->timeouts.stop);
	}
	return 0;
}

void
steer_resume(struct pools *pools, const char *name)
{
	struct pools_parked *parked = steer_parked(pools, name);

	if (parked != NULL)
		parked->resumes = true;
}

/* What cannot be brought back stays out of service. */
static void
bring_back(struct pools *pools, struct pools_parked *parked)
{
	const struct conf *conf = pools->sources->conf;
	const struct conf_pool *given = conf_find(conf, parked->name);
	struct pool *pool = NULL;
	struct why why = { 0, "it is not configured any more" };

	if (given != NULL)
		pool = pool_new(given, conf, &pools->options, NULL, &why);
	if (pool == NULL) {
		log_error("pool %s: stays out of service: %s", parked->name,
		    why.text);
		parked->resumes = false;
		return;
	}
	log_notice("pool %s: back in service, as asked for", parked->name);
	unpark(pools, parked);
	pools_add(pools, pool);
	pool_start(pool, 0);
}

void
steer_turn(struct pools *pools)
{
	struct pools_parked *parked, *next;

	for (parked = pools->parked; parked != NULL; parked = next) {
		next = parked->next;
		if (parked->resumes && steer_empty(pools, parked->name))
			bring_back(pools, parked);
	}
}

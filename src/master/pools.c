#include "master/pools.h"

#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "master/pool_reap.h"
#include "master/pool_step.h"
#include "share/channel.h"

int
pools_adopt(struct pools *pools, struct conf *conf)
{
	struct pools_source *source = calloc(1, sizeof(*source));

	if (source == NULL)
		return -1;
	source->conf = conf;
	source->next = pools->sources;
	pools->sources = source;
	return 0;
}

int
pools_try(struct pools *pools, struct conf *conf)
{
	struct pools_source *first = pools->sources, *source;

	if (pools_adopt(pools, conf) == -1)
		return -1;
	source = pools->sources;
	pools->trial = conf;
	if (first != NULL) {
		source->next = first->next;
		first->next = source;
		pools->sources = first;
	}
	return 0;
}

void
pools_add(struct pools *pools, struct pool *pool)
{
	struct pool **link = &pools->first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = pool;
}

int
pools_make(struct pools *pools, const struct conf *conf)
{
	struct pool *pool;
	struct why why;
	int result = 0;

	for (size_t i = 0; i < conf->npools; i++) {
		pool = pool_new(&conf->pools[i], conf, &pools->options, NULL,
		    &why);
		if (pool == NULL) {
			log_error("pool %s: %s", conf->pools[i].name,
			    why.text);
			result = -1;
			continue;
		}
		pools_add(pools, pool);
	}
	return result;
}

void
pools_start(struct pools *pools)
{
	struct pool *pool;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		pool_start(pool, 0);
}

static bool
serving(const struct pool *pool)
{
	return !pool->draining && !pool->trial;
}

struct pool *
pools_find(const struct pools *pools, const char *name)
{
	struct pool *pool;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		if (serving(pool) && strcmp(pool->conf->name, name) == 0)
			return pool;
	return NULL;
}

/* Whoever was refused a worker may have one now. */
static void
tell_room(struct pools *pools)
{
	struct pool *pool;

	if (!quota_freed(&pools->quota))
		return;
	for (pool = pools->first; pool != NULL; pool = pool->next)
		pool->attention = true;
}

void
pools_limit(struct pools *pools, int64_t max)
{
	pools->quota.max = max;
	tell_room(pools);
}

/* A child that has ended and whose number is still its own; its status as
 * wait(2) has it.  0: none. */
static pid_t
next_ended(int *status)
{
	siginfo_t info = { 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 ||
	    info.si_pid == 0)
		return 0;
	*status = info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 :
	    info.si_status;
	return info.si_pid;
}

/* Children of a library or of a wrapper that became the master are reaped
 * as well. */
void
pools_reap(struct pools *pools)
{
	struct pool *pool;
	int status;
	pid_t pid;

	while ((pid = next_ended(&status)) > 0) {
		for (pool = pools->first; pool != NULL; pool = pool->next)
			if (pool_reap(pool, pid, status))
				break;
		if (pool == NULL && pools->stranger != NULL)
			pools->stranger(pid, status);
		waitpid(pid, NULL, WNOHANG);
	}
	tell_room(pools);
}

void
pools_step(struct pools *pools)
{
	struct pool *pool;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		if (pool->attention)
			pool_step(pool);
}

bool
pools_need_step(const struct pools *pools)
{
	const struct pool *pool = pools->first;

	while (pool != NULL && !pool->attention)
		pool = pool->next;
	return pool != NULL;
}

static bool
used(const struct pools *pools, const struct conf *conf)
{
	const struct pool *pool;

	if (conf == pools->trial)
		return true;
	for (pool = pools->first; pool != NULL; pool = pool->next)
		if (pool->source == conf)
			return true;
	return false;
}

/* The one in force stays, used or not. */
static void
sweep_sources(struct pools *pools)
{
	struct pools_source **link, *source;

	if (pools->sources == NULL)
		return;
	link = &pools->sources->next;
	while ((source = *link) != NULL) {
		if (used(pools, source->conf)) {
			link = &source->next;
			continue;
		}
		*link = source->next;
		conf_free(source->conf);
		free(source);
	}
}

static void
bring_into_force(struct pools *pools, const struct conf *conf)
{
	struct pools_source **link = &pools->sources, *source;

	while ((*link)->conf != conf)
		link = &(*link)->next;
	source = *link;
	*link = source->next;
	source->next = pools->sources;
	pools->sources = source;
}

void
pools_decide(struct pools *pools, bool good)
{
	if (good && pools->trial != NULL)
		bring_into_force(pools, pools->trial);
	pools->trial = NULL;
	sweep_sources(pools);
}

void
pools_sweep(struct pools *pools)
{
	struct pool **link = &pools->first, *pool;
	bool swept = false;

	while ((pool = *link) != NULL) {
		if (!pool->draining || !pool_empty(pool) ||
		    !inlet_settled(&pool->inlet) ||
		    reporter_lives(&pool->reporter)) {
			link = &pool->next;
			continue;
		}
		*link = pool->next;
		log_debug("pool %s: a generation is gone", pool->conf->name);
		pool_free(pool);
		swept = true;
	}
	if (swept)
		sweep_sources(pools);
}

bool
pools_tried(const struct pools *pools)
{
	const struct pool *pool;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		if (!pool->draining && !pool->proven &&
		    (!pool->failed || pool_count(pool, SLOT_STARTING) > 0))
			return false;
	return true;
}

size_t
pools_proven(const struct pools *pools)
{
	const struct pool *pool;
	size_t n = 0;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		n += serving(pool) && pool->proven;
	return n;
}

size_t
pools_serving(const struct pools *pools)
{
	const struct pool *pool;
	size_t n = 0;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		n += serving(pool);
	return n;
}

/* Workers with a request in hand. */
static unsigned
busy_workers(const struct pool *pool)
{
	struct score_slot seen;
	unsigned n = 0;

	for (unsigned i = 0; i < pool->nslots; i++)
		n += pool->slots[i].state != SLOT_FREE &&
		    board_read(pool->board, i, &seen) &&
		    seen.requests > seen.done;
	return n;
}

const char *
pools_text(const struct pools *pools, char out[POOLS_TEXT])
{
	const struct pool *pool;
	unsigned busy = 0;
	int n;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		if (pool->draining)
			busy += busy_workers(pool);
	n = snprintf(out, POOLS_TEXT, "%zu of %zu pools serve",
	    pools_proven(pools), pools_serving(pools));
	if (busy > 0)
		snprintf(out + n, POOLS_TEXT - (size_t)n, "; %u worker%s of "
		    "before %s still busy", busy, busy == 1 ? "" : "s",
		    busy == 1 ? "is" : "are");
	return out;
}

void
pools_drain(struct pools *pools, int64_t limit)
{
	struct pool *pool;

	for (pool = pools->first; pool != NULL; pool = pool->next) {
		int64_t stop = pool->conf->timeouts.stop;

		pool_drain(pool, true, limit != -1 && limit < stop ? limit :
								     stop);
	}
}

int
pools_reopen(struct pools *pools)
{
	struct pool *pool;
	int result = 0;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		result |= logs_reopen(&pool->logs, pool->conf);
	return result;
}

static void
send_logs(struct pool *pool)
{
	const struct reporter *reporter = &pool->reporter;

	if (reporter_lives(reporter) && reporter->slot.channel != -1)
		channel_send_level(reporter->slot.channel, log_level_now());
	for (unsigned i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->state == SLOT_FREE || slot->channel == -1 ||
		    slot->foreign)
			continue;
		if (channel_send_level(slot->channel, log_level_now()) == -1 &&
		    errno == EAGAIN)
			slot_is_deaf(slot);
		logs_send(&pool->logs, i, slot->channel);
	}
}

void
pools_send_logs(struct pools *pools)
{
	struct pool *pool;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		send_logs(pool);
}

void
pools_kill(struct pools *pools)
{
	struct pool *pool;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		pool_kill(pool);
}

void
pools_free(struct pools *pools)
{
	struct pools_source *source;
	struct pools_parked *parked;
	struct pool *pool;

	while ((pool = pools->first) != NULL) {
		pools->first = pool->next;
		pool_free(pool);
	}
	while ((source = pools->sources) != NULL) {
		pools->sources = source->next;
		conf_free(source->conf);
		free(source);
	}
	while ((parked = pools->parked) != NULL) {
		pools->parked = parked->next;
		free(parked);
	}
	trouble_free(&pools->trouble);
}

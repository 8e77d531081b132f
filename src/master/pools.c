#include "master/pools.h"

#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "master/slot.h"

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

/* The generation of that name at the entry or after it, or NULL. */
static struct generation *
of_name(const struct index_entry *e, const char *name)
{
	while (e != NULL && strcmp(generation_name(e->of), name) != 0)
		e = index_next(e);
	return e == NULL ? NULL : e->of;
}

/* The oldest generation of a pool, and the next one of its pool; or NULL. */
static struct generation *
first_of(const struct pools *pools, const char *name)
{
	return of_name(index_first(&pools->names, index_hash_text(name)), name);
}

static struct generation *
next_of(struct generation *g)
{
	return of_name(index_next(generation_entry(g)), generation_name(g));
}

void
pools_add(struct pools *pools, struct generation *g)
{
	const char *name = generation_name(g);
	struct generation *other;

	for (other = first_of(pools, name); other != NULL;
	    other = next_of(other))
		generation_share_timers(g, other);
	index_add(&pools->names, generation_entry(g), index_hash_text(name), g);
	if (pools->last == NULL)
		pools->first = g;
	else
		*generation_link(pools->last) = g;
	pools->last = g;
}

/* `before` is the one in front of it, NULL: it is the first. */
static void
take_out(struct pools *pools, struct generation *g, struct generation *before)
{
	*(before == NULL ? &pools->first : generation_link(before)) =
	    *generation_link(g);
	if (pools->last == g)
		pools->last = before;
	index_remove(&pools->names, generation_entry(g));
}

int
pools_make(struct pools *pools, const struct conf *conf)
{
	struct generation *g;
	struct why why;

	for (size_t i = 0; i < conf->npools; i++) {
		g = generation_new(&conf->pools[i], conf, &pools->options,
		    false, NULL, &why);
		if (g == NULL) {
			log_error("pool %s: is left out until the next "
			    "reload: %s", conf->pools[i].name, why.text);
			continue;
		}
		pools_add(pools, g);
	}
	return pools->first == NULL ? -1 : 0;
}

void
pools_start(struct pools *pools)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		generation_start(g, 0);
}

struct generation *
pools_find(const struct pools *pools, const char *name)
{
	struct generation *g;

	for (g = first_of(pools, name); g != NULL; g = next_of(g))
		if (generation_serves(generation_state(g)))
			return g;
	return NULL;
}

struct generation *
pools_newest(const struct pools *pools, const char *name)
{
	struct generation *g, *found = NULL;

	for (g = first_of(pools, name); g != NULL; g = next_of(g))
		found = g;
	return found;
}

struct timers *
pools_timers(const struct pools *pools, const char *name)
{
	struct timers *found = NULL;
	struct generation *g;

	for (g = first_of(pools, name); g != NULL; g = next_of(g))
		if (generation_timers(g) != NULL)
			found = generation_timers(g);
	return found;
}

void
pools_wake(struct pools *pools)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		generation_wake(g);
}

/* If a fork was refused and there is room now, all generations try again. */
static void
tell_room(struct pools *pools)
{
	if (quota_freed(&pools->quota))
		pools_wake(pools);
}

void
pools_limit(struct pools *pools, int64_t max)
{
	pools->quota.max = max;
	tell_room(pools);
}

/* A child that has ended and is not yet waited for, so that its pid is not in
 * use again; *status is as of wait(2).  0: none. */
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

/* The generation whose process that was; NULL: it is of no pool. */
static struct generation *
reap_one(struct pools *pools, pid_t pid, int status)
{
	const char *name = slot_pool_of(pid);
	struct generation *g = name == NULL ? NULL : first_of(pools, name);

	while (g != NULL && !generation_reap(g, pid, status))
		g = next_of(g);
	return g;
}

/* The process for timers of one generation waits for the end of another's.
 * Children of a library, or of a program that became the master by exec(3), are
 * reaped as well. */
void
pools_reap(struct pools *pools)
{
	struct generation *g, *other;
	int status;
	pid_t pid;

	while ((pid = next_ended(&status)) > 0) {
		g = reap_one(pools, pid, status);
		if (g == NULL && pools->stranger != NULL)
			pools->stranger(pid, status);
		other = g == NULL ? NULL : first_of(pools, generation_name(g));
		for (; other != NULL; other = next_of(other))
			generation_wake(other);
		waitpid(pid, NULL, WNOHANG);
	}
	tell_room(pools);
}

/* True if it is to be set up, but another generation of its pool is at that. */
static bool
is_held(const struct pools *pools, const struct generation *g)
{
	struct generation *other;

	if (generation_is_set_up(g))
		return false;
	for (other = first_of(pools, generation_name(g)); other != NULL;
	    other = next_of(other))
		if (other != g && generation_sets_up(other))
			return true;
	return false;
}

void
pools_step(struct pools *pools)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		if (generation_is_due(g))
			generation_step(g, is_held(pools, g));
}

bool
pools_need_step(const struct pools *pools)
{
	struct generation *g = pools->first;

	while (g != NULL && !generation_is_due(g))
		g = *generation_link(g);
	return g != NULL;
}

static bool
used(const struct pools *pools, const struct conf *conf)
{
	struct generation *g;

	if (conf == pools->trial)
		return true;
	for (g = pools->first; g != NULL; g = *generation_link(g))
		if (generation_source(g) == conf)
			return true;
	return false;
}

/* The first one is in force and stays, used or not. */
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

/* True if another generation reads the exchange of the one that is gone. */
static bool
has_taker(const struct pools *pools, struct generation *gone)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		if ((generation_state(g) == GENERATION_LAST ||
			!generation_leaves(generation_state(g))) &&
		    listen_set_shares(generation_listens(g),
			generation_listens(gone)))
			return true;
	return false;
}

static void
sweep_generations(struct pools *pools)
{
	struct generation *g, *next, *before = NULL;
	bool swept = false;

	for (g = pools->first; g != NULL; g = next) {
		next = *generation_link(g);
		if (!generation_is_gone(g)) {
			before = g;
			continue;
		}
		take_out(pools, g, before);
		log_debug("pool %s: a generation is gone", generation_name(g));
		if (generation_state(g) == GENERATION_LAST &&
		    !has_taker(pools, g))
			listen_set_end(generation_listens(g));
		generation_free(g);
		swept = true;
	}
	if (swept)
		sweep_sources(pools);
}

bool
pools_tried(const struct pools *pools)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		if (!generation_is_tried(g))
			return false;
	return true;
}

size_t
pools_proven(const struct pools *pools)
{
	struct generation *g;
	size_t n = 0;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		n += generation_state(g) == GENERATION_SERVING;
	return n;
}

size_t
pools_serving(const struct pools *pools)
{
	struct generation *g;
	size_t n = 0;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		n += generation_serves(generation_state(g));
	return n;
}

bool
pools_failed(const struct pools *pools, const char *name)
{
	return !pools_has(pools, name) && pools_parked(pools, name) == NULL;
}

static size_t
count_failed(const struct pools *pools)
{
	const struct conf *conf = pools->sources->conf;
	size_t n = 0;

	for (size_t i = 0; i < conf->npools; i++)
		n += pools_failed(pools, conf->pools[i].name);
	return n;
}

const char *
pools_text(const struct pools *pools, char out[POOLS_TEXT])
{
	struct generation *g;
	unsigned busy = 0;
	int n;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		if (generation_leaves(generation_state(g)))
			busy += generation_busy(g);
	n = snprintf(out, POOLS_TEXT, "%zu of %zu pools serve",
	    pools_proven(pools), pools_serving(pools) + count_failed(pools));
	if (busy > 0)
		snprintf(out + n, POOLS_TEXT - (size_t)n, "; %u worker%s of "
		    "before %s still busy", busy, busy == 1 ? "" : "s",
		    busy == 1 ? "is" : "are");
	return out;
}

/* ---- out of service and back --------------------------------------------- */

struct pools_parked *
pools_parked(const struct pools *pools, const char *name)
{
	struct pools_parked *parked = pools->parked;

	while (parked != NULL && strcmp(parked->name, name) != 0)
		parked = parked->next;
	return parked;
}

bool
pools_has(const struct pools *pools, const char *name)
{
	return first_of(pools, name) != NULL;
}

int
pools_park(struct pools *pools, const char *name)
{
	struct pools_parked *parked = pools_parked(pools, name);

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
pools_drain(struct pools *pools, const char *name)
{
	struct generation *g;

	if (pools_park(pools, name) == -1)
		return -1;
	while ((g = pools_find(pools, name)) != NULL) {
		log_notice("pool %s: taken out of service, as asked for",
		    name);
		generation_leave(g, GENERATION_DROPPED,
		    generation_conf(g)->timeouts.stop);
	}
	return 0;
}

void
pools_resume(struct pools *pools, const char *name)
{
	struct pools_parked *parked = pools_parked(pools, name);

	if (parked != NULL)
		parked->resumes = true;
}

/* A pool that cannot be brought back stays out of service. */
static void
bring_back(struct pools *pools, struct pools_parked *parked)
{
	const struct conf *conf = pools->sources->conf;
	const struct conf_pool *given = conf_find(conf, parked->name);
	struct generation *g = NULL;
	struct why why = { 0, "it is not configured any more" };

	if (given != NULL)
		g = generation_new(given, conf, &pools->options, false, NULL,
		    &why);
	if (g == NULL) {
		log_error("pool %s: stays out of service: %s", parked->name,
		    why.text);
		parked->resumes = false;
		return;
	}
	log_notice("pool %s: back in service, as asked for", parked->name);
	unpark(pools, parked);
	pools_add(pools, g);
	generation_start(g, 0);
}

void
pools_sweep(struct pools *pools)
{
	struct pools_parked *parked, *next;

	sweep_generations(pools);
	for (parked = pools->parked; parked != NULL; parked = next) {
		next = parked->next;
		if (parked->resumes && !pools_has(pools, parked->name))
			bring_back(pools, parked);
	}
}

/* ---- all of them --------------------------------------------------------- */

static void
stop(struct pools *pools, bool on_trial, int64_t limit)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g)) {
		int64_t most = generation_conf(g)->timeouts.stop;

		if (generation_on_trial(generation_state(g)) != on_trial)
			continue;
		generation_leave(g, GENERATION_DROPPED,
		    limit != -1 && limit < most ? limit : most);
		if (limit != -1)
			generation_hasten(g, limit);
	}
}

/* Who is the last to leave an address serves what waits there, so those that
 * have never served leave first. */
void
pools_stop(struct pools *pools, int64_t limit)
{
	stop(pools, true, limit);
	stop(pools, false, limit);
}

int
pools_reopen(struct pools *pools)
{
	struct generation *g;
	int result = 0;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		result |= generation_reopen(g);
	return result;
}

void
pools_send_logs(struct pools *pools)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		generation_send_logs(g);
}

void
pools_kill(struct pools *pools)
{
	struct generation *g;

	for (g = pools->first; g != NULL; g = *generation_link(g))
		generation_kill(g);
}

void
pools_free(struct pools *pools)
{
	struct pools_source *source;
	struct pools_parked *parked;
	struct generation *g;

	while ((g = pools->first) != NULL) {
		take_out(pools, g, NULL);
		generation_free(g);
	}
	index_free(&pools->names);
	while ((source = pools->sources) != NULL) {
		pools->sources = source->next;
		conf_free(source->conf);
		free(source);
	}
	while ((parked = pools->parked) != NULL) {
		pools->parked = parked->next;
		free(parked);
	}
	outcome_free(&pools->outcome);
}

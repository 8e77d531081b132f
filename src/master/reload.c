#include "master/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf_diff.h"
#include "conf/conf_read.h"
#include "conf/conf_root.h"
#include "master/control.h"
#include "master/pool_hup.h"
#include "master/steer.h"
#include "share/sink.h"
#include "share/sock_check.h"

#define REFUSED "reload refused"

bool
reload_refuses(const struct conf *conf, bool allow_root,
    struct conf_faults *faults)
{
	bool bad_socket = sock_check(conf, faults);
	bool bad_log = sink_check(conf, faults);

	return conf_refuse_root(conf, allow_root, faults) || bad_socket ||
	    bad_log;
}

static struct conf *
read_new(struct pools *pools, const char *file, bool allow_root)
{
	struct conf_faults faults = { 0 };
	struct conf *conf = conf_read(file, &faults);
	char text[CONF_FAULT_TEXT];

	if (conf != NULL && reload_refuses(conf, allow_root, &faults)) {
		conf_free(conf);
		conf = NULL;
	}
	for (size_t i = 0; i < faults.n; i++) {
		conf_fault_text(&faults.item[i], text, sizeof(text));
		log_error("%s", text);
		trouble_add(&pools->trouble, REFUSED, "%s", text);
	}
	conf_faults_free(&faults);
	return conf;
}

/* What is being served, which after a failed replacement is not what the
 * last configuration said.  The copies are shallow: good for comparing. */
static struct conf_pool *
present(const struct pools *pools, size_t *n)
{
	struct conf_pool *copies = calloc(pools_serving(pools) + 1,
	    sizeof(*copies));
	const struct pool *pool;

	*n = 0;
	for (pool = pools->first; copies != NULL && pool != NULL;
	    pool = pool->next)
		if (pools_find(pools, pool->conf->name) == pool)
			copies[(*n)++] = *pool->conf;
	return copies;
}

/* Sockets and tables first, for all: when this fails nothing has happened. */
static int
make(struct pools *pools, const struct conf *conf,
    const struct diff_step *step, struct pool **made)
{
	struct pool *before = NULL;
	struct why why;

	*made = NULL;
	if ((step->verb != DIFF_ADD && step->verb != DIFF_REPLACE) ||
	    steer_parked(pools, step->after->name) != NULL)
		return 0;
	if (step->verb == DIFF_REPLACE)
		before = pools_find(pools, step->before->name);
	*made = pool_new(step->after, conf, &pools->options, before, &why);
	if (*made == NULL) {
		log_error("pool %s: %s", step->after->name, why.text);
		trouble_add(&pools->trouble, REFUSED, "pool %s: %s",
		    step->after->name, why.text);
		return -1;
	}
	(*made)->replaces = before;
	return 0;
}

static void
carry_out(struct pools *pools, const struct conf *conf,
    const struct diff_step *step, struct pool *made)
{
	struct pool *now = step->before == NULL ? NULL :
	    pools_find(pools, step->before->name);

	switch (step->verb) {
	case DIFF_TUNE:
		now->workers = step->after->workers;
		/* FALLTHROUGH */
	case DIFF_KEEP:
		logs_follow(&now->logs, now->conf, step->after);
		now->conf = step->after;
		now->source = conf;
		now->attention = true;
		pool_hup(now);
		break;
	case DIFF_DROP:
		log_notice("pool %s: dropped", step->before->name);
		pool_drain(now, true, now->conf->timeouts.stop);
		break;
	case DIFF_REPLACE:
		pools_add(pools, made);
		pool_start(made, pool_count(now, SLOT_UP));
		break;
	case DIFF_ADD:
		if (made == NULL) /* out of service */
			break;
		pools_add(pools, made);
		pool_start(made, 0);
		break;
	}
}

static int
follow(struct pools *pools, const struct conf *conf,
    const struct diff_step *steps, size_t n)
{
	struct pool **made = calloc(n, sizeof(*made));
	size_t i, ready = 0;

	if (made == NULL)
		return -1;
	while (ready < n &&
	    make(pools, conf, &steps[ready], &made[ready]) == 0)
		ready++;
	if (ready == n)
		pools_limit(pools, conf->process_max);
	for (i = 0; i < n; i++) {
		if (ready == n)
			carry_out(pools, conf, &steps[i], made[i]);
		else if (made[i] != NULL)
			pool_free(made[i]);
	}
	free(made);
	return ready == n ? 0 : -1;
}

/* Workers of another build are replaced even if nothing else has changed. */
static void
replace_all(struct diff_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (steps[i].verb == DIFF_KEEP || steps[i].verb == DIFF_TUNE)
			steps[i].verb = DIFF_REPLACE;
}

/* What the daemon itself has, beside what it has now. */
static int
prepare_globals(struct pools *pools, const struct conf *conf)
{
	struct why why;

	if (log_prepare(conf->error_log, (enum log_form)conf->log_format,
		&why) == 0) {
		if (control_prepare(conf->control, &why) == 0)
			return 0;
		log_abandon();
	}
	log_error("%s", why.text);
	trouble_add(&pools->trouble, REFUSED, "%s", why.text);
	return -1;
}

static void
commit_globals(struct pools *pools, const struct conf *conf)
{
	log_commit((enum log_level)conf->log_level);
	pools_send_logs(pools);
	control_commit();
}

static void
abandon_globals(void)
{
	log_abandon();
	control_abandon();
}

int
reload_apply(struct pools *pools, struct conf *conf, bool all)
{
	struct conf before = { 0 };
	struct diff_step *steps = NULL;
	size_t n = 0;
	int result = -1;

	trouble_clear(&pools->trouble);
	if (prepare_globals(pools, conf) == -1)
		return -1;
	before.pools = present(pools, &before.npools);
	if (before.pools != NULL)
		steps = conf_diff(&before, conf, &n);
	if (steps != NULL && all)
		replace_all(steps, n);
	if (steps != NULL && pools_adopt(pools, conf) == 0) {
		result = follow(pools, conf, steps, n);
		if (result == -1)
			pools_disown(pools);
	}
	if (result == 0)
		commit_globals(pools, conf);
	else
		abandon_globals();
	if (result == -1 && pools->trouble.text[0] == '\0')
		trouble_add(&pools->trouble, REFUSED, "out of memory");
	free(steps);
	free(before.pools);
	return result;
}

int
reload_begin(struct pools *pools, const char *file, bool allow_root)
{
	struct conf *conf;
	int result;

	trouble_clear(&pools->trouble);
	conf = read_new(pools, file, allow_root);
	if (conf == NULL)
		return -1;
	result = reload_apply(pools, conf, false);
	if (result == -1)
		conf_free(conf);
	return result;
}

/* One generation stays, one leaves.  Only one of them has been watching the
 * sockets that both hold. */
static void
settle(struct pool *stays, struct pool *leaves)
{
	pool_drain(leaves, false, leaves->conf->timeouts.stop);
	pool_watch(stays, false);
	stays->attention = true;
}

static void
take_over(struct pool *pool)
{
	struct pool *old = pool->replaces;

	log_notice("pool %s: new workers are up, the old ones leave",
	    pool->conf->name);
	pool->replaces = NULL;
	settle(pool, old);
}

static void
note_stayed(struct pools *pools, const struct pool *pool)
{
	trouble_add(&pools->trouble, NULL, "pool %s: new workers do not come "
	    "up, the old ones stay", pool->conf->name);
}

/* Some may have come up and be serving: none of them is killed. */
static void
give_up(struct pools *pools, struct pool *pool)
{
	struct pool *old = pool->replaces;

	log_error("pool %s: new workers do not come up, the old ones stay",
	    pool->conf->name);
	note_stayed(pools, pool);
	pool->replaces = NULL;
	settle(old, pool);
}

/* A pool that is new and does not come up has nothing to fall back on. */
static void
note_failed(struct pools *pools)
{
	const struct pool *pool;

	for (pool = pools->first; pool != NULL; pool = pool->next) {
		if (pool->draining)
			continue;
		if (!pool->proven)
			trouble_add(&pools->trouble, NULL,
			    "pool %s: no worker comes up", pool->conf->name);
		else if (pool->refused)
			note_stayed(pools, pool);
	}
}

bool
reload_done(struct pools *pools)
{
	struct pool *pool;
	int64_t now = clock_ms();
	bool done = true;

	for (pool = pools->first; pool != NULL; pool = pool->next) {
		if (pool->draining)
			continue;
		if (pool->replaces == NULL)
			done &= pool_obeyed(pool, now);
		else if (pool->failed)
			give_up(pools, pool);
		else if (pool_complete(pool))
			take_over(pool);
		else
			done = false;
	}
	if (!done || !pools_tried(pools))
		return false;
	note_failed(pools);
	return true;
}

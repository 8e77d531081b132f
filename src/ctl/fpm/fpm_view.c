#include "ctl/fpm/fpm_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/fpm/fpm_text.h"

static const char *const pool_titles[] = { "~POOL", "STATE", "-BUSY", "-IDLE",
	"-QUEUE", "-REQUESTS", "-REQ/S", "-SLOW", "-LATE", "-CRASHES", NULL };
static const char *const socket_titles[] = { "~POOL", "HUB", "-SOCKETS",
	"-LIMIT", "-IN/S", "-OUT/S", "-WAITING", "-CHANNELS", "-REFUSED",
	"-CUT", NULL };
static const char *const worker_titles[] = { "POOL", "-PID", "STATE", "-TIME",
	"-REQS", "-HEAP", "-RSS", "~REQUEST", NULL };
static const char *const timer_titles[] = { "POOL", "~TIMER", "WHEN", "STATE",
	"-AGO", "RESULT", "-TOOK", "-NEXT", "-RUNS", "-FAILED", "-MISSED",
	NULL };

static enum view_order order_by; /* qsort has no argument for it */

static void
put(char cell[TABLE_CELL], const char *text)
{
	snprintf(cell, TABLE_CELL, "%s", text);
}

static bool
shown(const char *wanted, const char *name)
{
	return wanted == NULL || strcmp(wanted, name) == 0;
}

void
view_daemon(const struct fpm_status *status, char *out, size_t size)
{
	int64_t active = 0, total = 0;
	char up[FPM_TEXT];

	for (size_t i = 0; i < status->npools; i++) {
		active += status->pools[i].active;
		total += status->pools[i].total;
	}
	snprintf(out, size, "lua-fpm %s  pid %" PRId64 "  %s  up %s  "
	    "%zu pools  %" PRId64 "/%" PRId64 " workers busy",
	    status->version, status->pid, status->state,
	    fpm_duration(status->since * 1000000, up), status->npools, active,
	    total);
}

/* ---- pools --------------------------------------------------------------- */

static const struct fpm_pool *
earlier(const struct fpm_status *before, const struct fpm_pool *now)
{
	for (size_t i = 0; before != NULL && i < before->npools; i++)
		if (strcmp(before->pools[i].name, now->name) == 0)
			return &before->pools[i];
	return NULL;
}

/* How many in a second since they were `before`; if the pool was not there, since
 * it began. */
static double
rate(const struct fpm_pool *now, const struct fpm_pool *pool_before,
    int64_t n, int64_t before, double seconds)
{
	if (pool_before == NULL)
		return now->since > 0 ? (double)n / (double)now->since : 0;
	if (seconds <= 0 || n < before)
		return 0;
	return (double)(n - before) / seconds;
}

static void
pool_row(const struct fpm_pool *pool, double per_second,
    char (*cell)[TABLE_CELL])
{
	const int64_t counts[] = { pool->active, pool->idle, pool->queue,
		pool->requests };
	const int64_t faults[] = { pool->slow, pool->timeouts, pool->crashes };
	bool waits = strcmp(pool->backoff, "waiting") == 0;

	put(cell[0], pool->name);
	put(cell[1], waits ? "failing" : pool->state);
	for (size_t i = 0; i < 4; i++)
		fpm_count(counts[i], cell[2 + i]);
	fpm_rate(per_second, cell[6]);
	for (size_t i = 0; i < 3; i++)
		fpm_count(faults[i], cell[7 + i]);
}

void
view_pools(const struct fpm_status *status, const char *pool,
    const struct fpm_status *before, double seconds, struct table *table)
{
	char (*cell)[TABLE_CELL];

	table_begin(table, pool_titles);
	for (size_t i = 0; i < status->npools; i++) {
		const struct fpm_pool *now = &status->pools[i];
		const struct fpm_pool *old = earlier(before, now);

		if (shown(pool, now->name) &&
		    (cell = table_row(table)) != NULL)
			pool_row(now, rate(now, old, now->requests,
			    old == NULL ? 0 : old->requests, seconds), cell);
	}
}

bool
view_has_pool(const struct fpm_status *status, const char *name)
{
	for (size_t i = 0; i < status->npools; i++)
		if (strcmp(status->pools[i].name, name) == 0)
			return true;
	return false;
}

/* ---- WebSockets ---------------------------------------------------------- */

static void
socket_row(const struct fpm_pool *now, const struct fpm_pool *old,
    double seconds, char (*cell)[TABLE_CELL])
{
	static const struct fpm_sockets none;
	const struct fpm_sockets *s = &now->sockets;
	const struct fpm_sockets *o = old == NULL ? &none : &old->sockets;

	put(cell[0], now->name);
	put(cell[1], s->state);
	fpm_count(s->open, cell[2]);
	fpm_count(s->limit, cell[3]);
	fpm_rate(rate(now, old, s->in, o->in, seconds), cell[4]);
	fpm_rate(rate(now, old, s->out, o->out, seconds), cell[5]);
	fpm_count(s->waiting, cell[6]);
	fpm_count(s->channels, cell[7]);
	fpm_count(s->refused, cell[8]);
	fpm_count(s->cut, cell[9]);
}

void
view_sockets(const struct fpm_status *status, const char *pool,
    const struct fpm_status *before, double seconds, struct table *table)
{
	char (*cell)[TABLE_CELL];

	table_begin(table, socket_titles);
	for (size_t i = 0; i < status->npools; i++) {
		const struct fpm_pool *now = &status->pools[i];

		if (now->sockets.known && shown(pool, now->name) &&
		    (cell = table_row(table)) != NULL)
			socket_row(now, earlier(before, now), seconds, cell);
	}
}

bool
view_has_sockets(const struct fpm_status *status, const char *pool)
{
	for (size_t i = 0; i < status->npools; i++)
		if (status->pools[i].sockets.known &&
		    shown(pool, status->pools[i].name))
			return true;
	return false;
}

/* ---- workers ------------------------------------------------------------- */

static bool
busy(const struct fpm_worker *worker)
{
	return strcmp(worker->state, "Running") == 0;
}

static int64_t
weight(const struct fpm_worker *worker)
{
	switch (order_by) {
	case BY_TIME:
		return worker->took;
	case BY_REQUESTS:
		return worker->requests;
	case BY_HEAP:
		return worker->heap;
	case BY_RSS:
		return worker->rss;
	default:
		return -worker->pid;
	}
}

static int
compare(const void *a, const void *b)
{
	const struct fpm_worker *x = a, *y = b;
	int64_t left = weight(x), right = weight(y);

	if (order_by == BY_TIME && busy(x) != busy(y))
		return busy(x) ? -1 : 1;
	if (left != right)
		return left > right ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void
worker_row(const struct fpm_worker *worker, char (*cell)[TABLE_CELL])
{
	snprintf(cell[0], TABLE_CELL, "%.16s", worker->pool);
	snprintf(cell[1], TABLE_CELL, "%" PRId64, worker->pid);
	put(cell[2], worker->state);
	if (worker->requests > 0)
		fpm_duration(worker->took, cell[3]);
	fpm_count(worker->requests, cell[4]);
	fpm_size(worker->heap, cell[5]);
	fpm_size(worker->rss, cell[6]);
	snprintf(cell[7], TABLE_CELL, "%s %.500s", worker->method,
	    worker->uri);
}

void
view_workers(struct fpm_status *status, const char *pool,
    enum view_order order, struct table *table)
{
	char (*cell)[TABLE_CELL];

	order_by = order;
	if (status->nworkers > 0)
		qsort(status->workers, status->nworkers,
		    sizeof(*status->workers), compare);
	table_begin(table, worker_titles);
	for (size_t i = 0; i < status->nworkers; i++)
		if (shown(pool, status->workers[i].pool) &&
		    (cell = table_row(table)) != NULL)
			worker_row(&status->workers[i], cell);
}

/* ---- timers -------------------------------------------------------------- */

/* How far that moment is away. */
static void
put_span(int64_t from, int64_t to, char cell[TABLE_CELL])
{
	fpm_duration((to > from ? to - from : 0) * 1000000, cell);
}

static void
timer_row(const struct fpm_timer *timer, int64_t now,
    char (*cell)[TABLE_CELL])
{
	snprintf(cell[0], TABLE_CELL, "%.16s", timer->pool);
	put(cell[1], timer->name);
	put(cell[2], timer->when);
	put(cell[3], timer->state);
	if (timer->last > 0) {
		put_span(timer->last, now, cell[4]);
		fpm_duration(timer->took, cell[6]);
	}
	put(cell[5], timer->result);
	put_span(now, timer->next, cell[7]);
	fpm_count(timer->runs, cell[8]);
	fpm_count(timer->failures, cell[9]);
	fpm_count(timer->missed, cell[10]);
}

void
view_timers(const struct fpm_status *status, const char *pool, int64_t now,
    struct table *table)
{
	char (*cell)[TABLE_CELL];

	table_begin(table, timer_titles);
	for (size_t i = 0; i < status->ntimers; i++)
		if (shown(pool, status->timers[i].pool) &&
		    (cell = table_row(table)) != NULL)
			timer_row(&status->timers[i], now, cell);
}

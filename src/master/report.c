#include "master/report.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "master/steer.h"
#include "share/status.h"

/* The newest generation of a pool that has any; they share a scoreboard. */
static const struct pool *
newest(const struct pools *pools, const char *name)
{
	const struct pool *pool, *found = NULL;

	for (pool = pools->first; pool != NULL; pool = pool->next)
		if (strcmp(pool->conf->name, name) == 0)
			found = pool;
	return found;
}

static const char *
state_of(const struct pool *pool)
{
	if (pool->draining)
		return "draining";
	if (pool->trial)
		return "reloading";
	return pool->proven ? "serving" : "starting";
}

/* A pool out of service, of which nothing is left, has no status. */
static void
put_pool(const struct pools *pools, const char *name, struct buf *out)
{
	const struct pool *pool = newest(pools, name);
	struct status status;

	if (pool == NULL) {
		buf_puts(out, "{\"pool\":");
		status_json_string(out, name, strlen(name));
		buf_puts(out, ",\"state\":\"drained\",\"processes\":[]}");
		return;
	}
	if (status_collect(&status, pool->conf, pool->board, pool->inlet.fds,
		pool->inlet.n) == -1)
		out->failed = true;
	else
		status_json(&status, true, out);
	status_free(&status);
	if (!out->failed)
		out->len--; /* its last brace */
	buf_addf(out, ",\"state\":\"%s\"}", state_of(pool));
}

/* As the configuration has them, then those that it has no more. */
static void
put_pools(const struct pools *pools, const char *only, struct buf *out)
{
	const struct conf *conf = pools->sources->conf;
	const struct pool *pool;
	bool more = false;

	for (size_t i = 0; i < conf->npools; i++) {
		const char *name = conf->pools[i].name;

		if (only != NULL && strcmp(only, name) != 0)
			continue;
		buf_puts(out, more ? ",\n" : "\n");
		put_pool(pools, name, out);
		more = true;
	}
	for (pool = pools->first; pool != NULL && only == NULL;
	    pool = pool->next) {
		if (conf_find(conf, pool->conf->name) != NULL ||
		    newest(pools, pool->conf->name) != pool)
			continue;
		buf_puts(out, more ? ",\n" : "\n");
		put_pool(pools, pool->conf->name, out);
		more = true;
	}
}

void
report_json(const struct report *report, const struct pools *pools,
    const char *only, struct buf *out)
{
	buf_addf(out, "{\"version\":\"%s\",\"pid\":%d,\"start time\":%" PRId64
	    ",\"state\":\"%s\",\"pools\":[", report->version, (int)getpid(),
	    report->started, report->state);
	put_pools(pools, only, out);
	buf_puts(out, "\n]}\n");
}

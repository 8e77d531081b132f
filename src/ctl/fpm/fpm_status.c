#include "ctl/fpm/fpm_status.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "ctl/fpm/fpm_text.h"

/* A value that is missing, or of another type, is 0 or empty: another version
 * of the daemon may send less. */
static int64_t
number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (json_is_real(value))
		return (int64_t)json_real_value(value);
	return (int64_t)json_integer_value(value);
}

static int64_t
microseconds(const json_t *object, const char *key)
{
	return (int64_t)(json_number_value(json_object_get(object, key)) *
	    1000000);
}

static void
text(const json_t *object, const char *key, char *out, size_t size)
{
	const json_t *value = json_object_get(object, key);

	fpm_visible(json_string_value(value), json_string_length(value), out,
	    size);
}

static void
read_worker(const json_t *object, const struct fpm_pool *pool,
    struct fpm_worker *worker)
{
	worker->pool = pool->name;
	text(object, "state", worker->state, sizeof(worker->state));
	text(object, "request method", worker->method,
	    sizeof(worker->method));
	text(object, "request uri", worker->uri, sizeof(worker->uri));
	worker->pid = number(object, "pid");
	worker->requests = number(object, "requests");
	worker->took = number(object, "request duration");
	worker->heap = number(object, "lua heap");
	worker->rss = number(object, "resident memory");
}

static void
read_timer(const json_t *object, const struct fpm_pool *pool,
    struct fpm_timer *timer)
{
	timer->pool = pool->name;
	text(object, "name", timer->name, sizeof(timer->name));
	text(object, "schedule", timer->when, sizeof(timer->when));
	text(object, "state", timer->state, sizeof(timer->state));
	text(object, "result", timer->result, sizeof(timer->result));
	timer->took = microseconds(object, "duration");
	timer->last = number(object, "last run");
	timer->next = number(object, "next run");
	timer->runs = number(object, "runs");
	timer->failures = number(object, "failures");
	timer->missed = number(object, "missed");
}

static void
read_sockets(const json_t *object, struct fpm_sockets *sockets)
{
	sockets->known = object != NULL;
	text(object, "state", sockets->state, sizeof(sockets->state));
	sockets->open = number(object, "open");
	sockets->limit = number(object, "limit");
	sockets->opened = number(object, "opened");
	sockets->refused = number(object, "refused");
	sockets->in = number(object, "messages in");
	sockets->out = number(object, "messages out");
	sockets->waiting = number(object, "messages waiting");
	sockets->channels = number(object, "channels");
	sockets->cut = number(object, "slow clients") +
	    number(object, "silent clients") +
	    number(object, "faulty clients") + number(object, "lost");
}

static void
read_pool(const json_t *object, struct fpm_pool *pool)
{
	text(object, "pool", pool->name, sizeof(pool->name));
	text(object, "state", pool->state, sizeof(pool->state));
	text(object, "process manager", pool->manager, sizeof(pool->manager));
	pool->generation = number(object, "generation");
	pool->since = number(object, "start since");
	pool->starting = number(object, "starting processes");
	pool->idle = number(object, "idle processes");
	pool->active = number(object, "active processes");
	pool->leaving = number(object, "leaving processes");
	pool->total = number(object, "total processes");
	pool->queue = number(object, "listen queue");
	pool->requests = number(object, "requests");
	pool->slow = number(object, "slow requests");
	pool->timeouts = number(object, "timeouts");
	pool->restarts = number(object, "restarts");
	pool->crashes = number(object, "crashes");
	pool->bytes_out = number(object, "bytes out");
	text(json_object_get(object, "backoff"), "state", pool->backoff,
	    sizeof(pool->backoff));
	read_sockets(json_object_get(object, "websockets"), &pool->sockets);
}

static int
read_pools(const json_t *array, struct fpm_status *status)
{
	size_t workers = 0, timers = 0, i, n;
	const json_t *object, *item;

	json_array_foreach(array, i, object) {
		workers += json_array_size(json_object_get(object,
		    "processes"));
		timers += json_array_size(json_object_get(object, "timers"));
	}
	status->pools = calloc(json_array_size(array) + 1,
	    sizeof(*status->pools));
	status->workers = calloc(workers + 1, sizeof(*status->workers));
	status->timers = calloc(timers + 1, sizeof(*status->timers));
	if (status->pools == NULL || status->workers == NULL ||
	    status->timers == NULL)
		return -1;
	json_array_foreach(array, i, object) {
		read_pool(object, &status->pools[i]);
		json_array_foreach(json_object_get(object, "processes"), n,
		    item)
			read_worker(item, &status->pools[i],
			    &status->workers[status->nworkers++]);
		json_array_foreach(json_object_get(object, "timers"), n, item)
			read_timer(item, &status->pools[i],
			    &status->timers[status->ntimers++]);
	}
	status->npools = json_array_size(array);
	return 0;
}

int
fpm_status_read(const char *json, size_t n, struct fpm_status *status,
    struct why *why)
{
	json_error_t error;
	json_t *root = json_loadb(json, n, JSON_ALLOW_NUL, &error);
	int result;

	*status = (struct fpm_status){ 0 };
	if (root == NULL) {
		why_set(why, "the answer is no JSON: line %d: %s", error.line,
		    error.text);
		return -1;
	}
	text(root, "version", status->version, sizeof(status->version));
	text(root, "state", status->state, sizeof(status->state));
	status->pid = number(root, "pid");
	status->since = (int64_t)time(NULL) - number(root, "start time");
	result = read_pools(json_object_get(root, "pools"), status);
	if (result == -1)
		why_set(why, "out of memory");
	json_decref(root);
	return result;
}

void
fpm_status_free(struct fpm_status *status)
{
	free(status->pools);
	free(status->workers);
	free(status->timers);
	*status = (struct fpm_status){ 0 };
}

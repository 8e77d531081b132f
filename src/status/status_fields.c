#include "status/status_writer.h"

static const char *const modes[] = { "static", "dynamic", "ondemand" };

static const char *const states[] = {
	[SCORE_FREE] = "Leaving", /* it has died meanwhile */
	[SCORE_STARTING] = "Starting",
	[SCORE_IDLE] = "Idle",
	[SCORE_BUSY] = "Running",
	[SCORE_FINISHING] = "Finishing",
	[SCORE_RESTARTING] = "Restarting",
	[SCORE_INTERVAL] = "Interval",
	[SCORE_LEAVING] = "Leaving",
};

static void
integer(struct status_writer *writer, const char *name, uint64_t n)
{
	writer->style->integer(writer, name, (int64_t)n);
}

static void
text(struct status_writer *writer, const char *name, const char *value)
{
	writer->style->text(writer, name, value);
}

static void
open(struct status_writer *writer, const char *name, enum status_nest nest)
{
	writer->style->open(writer, name, nest);
	writer->more = false;
	if (nest == NEST_OBJECT)
		writer->group = name;
}

static void
close(struct status_writer *writer, const char *name, enum status_nest nest)
{
	writer->style->close(writer, name, nest);
	writer->more = true;
	writer->group = NULL;
}

/* ---- the pool ------------------------------------------------------------ */

static uint64_t
fact(const struct status *status, unsigned which)
{
	return (uint64_t)status->facts[which];
}

static uint64_t
served(const struct score_sum *sum, unsigned bucket)
{
	uint64_t n = 0;

	for (unsigned class = 0; class < SCORE_CLASSES; class++)
		n += sum->n[SCORE_SERVED + class * SCORE_BUCKETS + bucket];
	return n;
}

static void
put_latency(const struct score_sum *sum, struct status_writer *writer)
{
	uint64_t n = 0;

	open(writer, "latency", NEST_LIST);
	for (unsigned i = 0; i < SCORE_BUCKETS; i++) {
		n += served(sum, i);
		writer->style->bucket(writer, score_bucket_us(i), n);
	}
	close(writer, "latency", NEST_LIST);
	writer->style->decimal(writer, "latency sum",
	    (int64_t)sum->n[SCORE_LATENCY], 6);
}

static void
put_responses(const struct score_sum *sum, struct status_writer *writer)
{
	static const char *const names[SCORE_CLASSES] = { "none", "1xx", "2xx",
		"3xx", "4xx", "5xx" };

	open(writer, "responses", NEST_OBJECT);
	for (unsigned class = 0; class < SCORE_CLASSES; class++) {
		uint64_t n = 0;

		for (unsigned i = 0; i < SCORE_BUCKETS; i++)
			n += sum->n[SCORE_SERVED + class * SCORE_BUCKETS + i];
		integer(writer, names[class], n);
	}
	close(writer, "responses", NEST_OBJECT);
}

static void
put_requests(const struct score_sum *sum, struct status_writer *writer)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < SCORE_BUCKETS; i++)
		n += served(sum, i);
	integer(writer, "requests", n);
	put_responses(sum, writer);
	integer(writer, "timeouts", sum->n[SCORE_TIMEOUTS]);
	integer(writer, "queue timeouts", sum->n[SCORE_QUEUED]);
	integer(writer, "failed requests", sum->n[SCORE_ERRORS]);
	integer(writer, "killed requests", sum->n[SCORE_KILLED]);
	integer(writer, "abandoned requests", sum->n[SCORE_ABANDONED]);
	integer(writer, "bytes in", sum->n[SCORE_BYTES_IN]);
	integer(writer, "bytes out", sum->n[SCORE_BYTES_OUT]);
	put_latency(sum, writer);
}

static void
put_processes(const struct status *status, struct status_writer *writer)
{
	const struct score_counts *n = &status->sum.workers;

	integer(writer, "idle processes", n->idle);
	integer(writer, "active processes", n->busy);
	integer(writer, "starting processes", n->starting);
	integer(writer, "leaving processes", n->leaving);
	integer(writer, "total processes", n->starting + n->idle + n->busy +
	    n->leaving);
	integer(writer, "max active processes",
	    fact(status, FACT_MAX_ACTIVE));
	integer(writer, "max children reached",
	    fact(status, FACT_MAX_CHILDREN));
	integer(writer, "slow requests", status->sum.n[SCORE_SLOW]);
	integer(writer, "memory peak", fact(status, FACT_PEAK));
}

static void
put_backoff(const struct status *status, struct status_writer *writer)
{
	int64_t left = status->facts[FACT_RETRY] - status->now / 1000;

	open(writer, "backoff", NEST_OBJECT);
	text(writer, "state", left > 0 ? "waiting" : "none");
	integer(writer, "failures", fact(status, FACT_FAILURES));
	writer->style->decimal(writer, "seconds", left > 0 ? left : 0, 3);
	close(writer, "backoff", NEST_OBJECT);
}

static void
put_history(const struct status *status, struct status_writer *writer)
{
	static const char *const causes[SCORE_CAUSES] = { "requests", "age",
		"rss", "memory", "restart", "retire" };

	text(writer, "last reload", fact(status, FACT_LAST_REFUSED) ?
	    "refused" : fact(status, FACT_RELOADS) ? "success" : "none");
	integer(writer, "reloads", fact(status, FACT_RELOADS));
	integer(writer, "refused reloads", fact(status, FACT_REFUSED));
	integer(writer, "forks", fact(status, FACT_FORKED));
	integer(writer, "restarts", fact(status, FACT_RESTARTS));
	integer(writer, "crashes", fact(status, FACT_CRASHES));
	integer(writer, "failed loads", fact(status, FACT_LOADS_FAILED));
	open(writer, "recycled", NEST_OBJECT);
	for (unsigned i = 0; i < SCORE_CAUSES; i++)
		integer(writer, causes[i],
		    fact(status, FACT_RECYCLED + i));
	close(writer, "recycled", NEST_OBJECT);
	put_backoff(status, writer);
}

static void
put_pool(const struct status *status, struct status_writer *writer)
{
	const struct conf_pool *pool = status->pool;
	int64_t started = status->facts[FACT_STARTED];

	text(writer, "pool", pool->name);
	text(writer, "process manager", modes[pool->workers.mode]);
	writer->style->time(writer, "start time", started);
	integer(writer, "start since", status->wall > started ?
	    (uint64_t)(status->wall - started) : 0);
	integer(writer, "accepted conn", status->sum.n[SCORE_BEGUN]);
	integer(writer, "listen queue", status->queue);
	integer(writer, "max listen queue",
	    fact(status, FACT_MAX_QUEUE));
	integer(writer, "listen queue len", pool->backlog);
	put_processes(status, writer);
	integer(writer, "generation", fact(status, FACT_GENERATION));
	integer(writer, "idle connections", status->sum.gauge[GAUGE_CONNECTIONS]);
	integer(writer, "lua heap", status->sum.gauge[GAUGE_HEAP]);
	integer(writer, "resident memory", status->sum.gauge[GAUGE_RSS]);
	put_requests(&status->sum, writer);
	put_history(status, writer);
}

/* ---- a worker ------------------------------------------------------------ */

static void
put_last(const struct score_slot *w, struct status_writer *writer)
{
	text(writer, "request method", w->method);
	text(writer, "request uri", w->uri);
	integer(writer, "content length", w->length > 0 ? w->length : 0);
	text(writer, "user", w->user[0] != '\0' ? w->user : "-");
	text(writer, "script", w->script);
	writer->style->decimal(writer, "last request cpu",
	    w->gauge[GAUGE_CPU] > 0 ? w->gauge[GAUGE_CPU] : 0, 2);
	integer(writer, "last request memory", w->gauge[GAUGE_HEAP]);
	text(writer, "remote", w->remote);
	text(writer, "request id", w->id);
}

/* The duration of the present request so far, or else of the last one. */
static void
put_worker(const struct status *status, const struct score_slot *w,
    struct status_writer *writer)
{
	int64_t age = w->born > 0 ? status->now / 1000 - w->born : 0;
	bool at_it = w->requests > w->done;

	open(writer, "process", NEST_ITEM);
	integer(writer, "pid", w->pid);
	text(writer, "state", states[w->state]);
	writer->style->time(writer, "start time", status->wall - age / 1000);
	integer(writer, "start since", age / 1000);
	integer(writer, "requests", w->requests);
	integer(writer, "request duration", !at_it ? w->took :
	    status->now > w->begun ? status->now - w->begun : 0);
	put_last(w, writer);
	integer(writer, "lua heap", w->gauge[GAUGE_HEAP]);
	integer(writer, "resident memory", w->gauge[GAUGE_RSS]);
	integer(writer, "idle connections", w->gauge[GAUGE_CONNECTIONS]);
	integer(writer, "slot", w->number);
	close(writer, "process", NEST_ITEM);
}

/* ---- a timer ------------------------------------------------------------- */

static void
put_timer(const struct status_timer *t, struct status_writer *writer)
{
	open(writer, "timer", NEST_ITEM);
	text(writer, "name", t->name);
	text(writer, "schedule", t->when);
	text(writer, "state", t->running ? "Running" : "Waiting");
	integer(writer, "pid", (uint64_t)t->pid);
	if (t->last > 0)
		writer->style->time(writer, "last run", t->last / 1000);
	else
		integer(writer, "last run", 0);
	text(writer, "result", t->result);
	text(writer, "reason", t->why);
	writer->style->decimal(writer, "duration", t->took, 3);
	writer->style->time(writer, "next run", t->next);
	integer(writer, "runs", t->runs);
	integer(writer, "failures", t->failures);
	integer(writer, "missed", t->missed);
	close(writer, "timer", NEST_ITEM);
}

static void
put_timers(const struct status *status, struct status_writer *writer)
{
	if (status->ntimers == 0)
		return;
	open(writer, "timers", NEST_LIST);
	for (size_t i = 0; i < status->ntimers; i++)
		put_timer(&status->timers[i], writer);
	close(writer, "timers", NEST_LIST);
}

/* ---- WebSockets ---------------------------------------------------------- */

static void
put_websockets(const struct status *status, struct status_writer *writer)
{
	const uint64_t *n = status->hub;

	if (!status->has_hub)
		return;
	open(writer, "websockets", NEST_OBJECT);
	text(writer, "state", status->hub_state);
	integer(writer, "pid", (uint64_t)status->hub_pid);
	integer(writer, "open", n[HUB_SOCKETS]);
	integer(writer, "limit", n[HUB_LIMIT]);
	integer(writer, "opened", n[HUB_OPENED]);
	integer(writer, "refused", n[HUB_REFUSED] +
	    status->sum.n[SCORE_REFUSED]);
	integer(writer, "messages in", n[HUB_RECEIVED]);
	integer(writer, "messages out", n[HUB_SENT]);
	integer(writer, "messages waiting", n[HUB_WAITING]);
	integer(writer, "bytes waiting", n[HUB_UNSENT]);
	integer(writer, "channels", n[HUB_NAMES]);
	integer(writer, "slow clients", n[HUB_SLOW]);
	integer(writer, "silent clients", n[HUB_SILENT]);
	integer(writer, "faulty clients", n[HUB_FAULTS]);
	integer(writer, "lost", n[HUB_LOST]);
	close(writer, "websockets", NEST_OBJECT);
}

void
status_fields(const struct status *status, bool full,
    struct status_writer *writer)
{
	put_pool(status, writer);
	put_websockets(status, writer);
	put_timers(status, writer);
	if (!full)
		return;
	open(writer, "processes", NEST_LIST);
	for (size_t i = 0; i < status->nworkers; i++)
		put_worker(status, &status->workers[i], writer);
	close(writer, "processes", NEST_LIST);
}

#include <string.h>

#include "status/status_put.h"
#include "status/status_writer.h"

/* OpenMetrics 1.0: each family is in one piece and has all pools. */

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

static const char *const types[] = { "counter", "gauge", "histogram" };

struct metric {
	const char *name; /* after lua_fpm_; ends with its unit */
	enum metric_type type;
	const char *unit;
	const char *help;
	/* The value for one pool, in units of 10^-digits; NULL for the families
	 * with labels of their own, below. */
	int64_t (*value)(const struct status *, unsigned index);
	unsigned index;
	int digits;
};

static int64_t
counter(const struct status *s, unsigned index)
{
	return (int64_t)s->sum.n[index];
}

static int64_t
fact(const struct status *s, unsigned index)
{
	return s->facts[index];
}

static int64_t
gauge(const struct status *s, unsigned index)
{
	return s->sum.gauge[index];
}

static int64_t
queue(const struct status *s, unsigned index)
{
	(void)index;
	return s->queue;
}

static int64_t
backlog(const struct status *s, unsigned index)
{
	(void)index;
	return s->pool->backlog;
}

static int64_t
limit(const struct status *s, unsigned index)
{
	(void)index;
	return s->pool->workers.max;
}

static int64_t
backoff(const struct status *s, unsigned index)
{
	int64_t left = s->facts[index] - s->now / 1000;

	return left > 0 ? left : 0;
}

static int64_t
reload_success(const struct status *s, unsigned index)
{
	return s->facts[index] == 0;
}

static const struct metric metrics[] = {
	{ "start_time_seconds", GAUGE, "seconds",
	    "When the counters of the pool began, as Unix time.", fact,
	    FACT_STARTED, 0 },
	{ "generation", GAUGE, NULL,
	    "Generation of the newest workers of the pool.", fact,
	    FACT_GENERATION, 0 },
	{ "last_reload_success", GAUGE, NULL,
	    "Whether the last reload was not refused.", reload_success,
	    FACT_LAST_REFUSED, 0 },
	{ "reloads", COUNTER, NULL, "Reloads that were put into effect.",
	    fact, FACT_RELOADS, 0 },
	{ "refused_reloads", COUNTER, NULL,
	    "Reloads that were refused: nothing has changed.", fact,
	    FACT_REFUSED, 0 },
	{ "accepted_requests", COUNTER, NULL, "Requests begun.", counter,
	    SCORE_BEGUN, 0 },
	{ "request_timeouts", COUNTER, NULL,
	    "Requests that exceeded timeouts.request.", counter,
	    SCORE_TIMEOUTS, 0 },
	{ "queue_timeouts", COUNTER, NULL,
	    "Requests that waited longer than timeouts.queue.", counter,
	    SCORE_QUEUED, 0 },
	{ "slow_requests", COUNTER, NULL,
	    "Requests that exceeded timeouts.slow.", counter, SCORE_SLOW, 0 },
	{ "failed_requests", COUNTER, NULL,
	    "Requests that ended in an error of the application.", counter,
	    SCORE_ERRORS, 0 },
	{ "killed_requests", COUNTER, NULL,
	    "Requests in the hands of a worker that died.", counter,
	    SCORE_KILLED, 0 },
	{ "abandoned_requests", COUNTER, NULL,
	    "Requests whose client had gone before they were begun.", counter,
	    SCORE_ABANDONED, 0 },
	{ "received_bytes", COUNTER, "bytes", "Bytes of request bodies.",
	    counter, SCORE_BYTES_IN, 0 },
	{ "sent_bytes", COUNTER, "bytes",
	    "Bytes of responses, their headers included.", counter,
	    SCORE_BYTES_OUT, 0 },
	{ "listen_queue_connections", GAUGE, "connections",
	    "Connections that wait to be accepted.", queue, 0, 0 },
	{ "listen_queue_max_connections", GAUGE, "connections",
	    "The longest listen queue that was seen.", fact, FACT_MAX_QUEUE,
	    0 },
	{ "listen_queue_limit_connections", GAUGE, "connections",
	    "Connections that may wait to be accepted.", backlog, 0, 0 },
	{ "idle_connections", GAUGE, "connections",
	    "Connections kept alive without a request.", gauge,
	    GAUGE_CONNECTIONS, 0 },
	{ "lua_heap_bytes", GAUGE, "bytes",
	    "Lua heaps of all workers, as each was after its last request.",
	    gauge, GAUGE_HEAP, 0 },
	{ "lua_heap_max_bytes", GAUGE, "bytes",
	    "The largest Lua heap of a worker that was seen.", fact,
	    FACT_PEAK, 0 },
	{ "resident_memory_bytes", GAUGE, "bytes",
	    "Resident memory of all workers, shared pages in each.", gauge,
	    GAUGE_RSS, 0 },
	{ "workers_limit", GAUGE, NULL, "The most workers, workers.max.",
	    limit, 0, 0 },
	{ "workers_max_active", GAUGE, NULL,
	    "The most workers of a generation active at once.", fact,
	    FACT_MAX_ACTIVE, 0 },
	{ "max_children_reached", COUNTER, NULL,
	    "Times that more workers than workers.max were wanted.", fact,
	    FACT_MAX_CHILDREN, 0 },
	{ "worker_forks", COUNTER, NULL, "Workers forked.", fact, FACT_FORKED,
	    0 },
	{ "worker_restarts", COUNTER, NULL,
	    "Workers forked in the place of another.", fact, FACT_RESTARTS,
	    0 },
	{ "worker_crashes", COUNTER, NULL, "Workers that died unasked.", fact,
	    FACT_CRASHES, 0 },
	{ "worker_failed_loads", COUNTER, NULL,
	    "Workers that died before they were ready.", fact,
	    FACT_LOADS_FAILED, 0 },
	{ "backoff_failures", GAUGE, NULL,
	    "Workers in a row that failed to start or to live.", fact,
	    FACT_FAILURES, 0 },
	{ "backoff_seconds", GAUGE, "seconds",
	    "Time until the next worker may be forked.", backoff, FACT_RETRY,
	    3 },
};

#define PREFIX "lua_fpm_"

static void
put_head(struct buf *out, const struct metric *m)
{
	buf_addf(out, "# TYPE " PREFIX "%s %s\n", m->name, types[m->type]);
	if (m->unit != NULL)
		buf_addf(out, "# UNIT " PREFIX "%s %s\n", m->name, m->unit);
	buf_addf(out, "# HELP " PREFIX "%s %s\n", m->name, m->help);
}

/* NAME_SUFFIX{pool="www",LABEL="VALUE"} and a blank; label NULL: pool only. */
static void
put_name(struct buf *out, const char *name, const char *suffix,
    const struct status *s, const char *label, const char *value)
{
	static const struct status_escape special[] = { { '"', "\\\"" },
		{ '\\', "\\\\" }, { '\0', NULL } };

	buf_addf(out, PREFIX "%s%s{pool=\"", name, suffix);
	status_put_escaped(out, s->pool->name, strlen(s->pool->name),
	    special);
	if (label != NULL)
		buf_addf(out, "\",%s=\"%s", label, value);
	buf_puts(out, "\"} ");
}

static void
put_sample(struct buf *out, const struct metric *m, const struct status *s)
{
	int64_t value = m->value(s, m->index);

	put_name(out, m->name, m->type == COUNTER ? "_total" : "", s, NULL,
	    NULL);
	if (m->digits > 0)
		status_put_decimal(out, value, m->digits);
	else
		buf_addf(out, "%lld", (long long)value);
	buf_putc(out, '\n');
}

static void
put_labelled(struct buf *out, const struct metric *m, const struct status *s,
    const char *label, const char *value, uint64_t n)
{
	put_name(out, m->name, m->type == COUNTER ? "_total" : "", s, label,
	    value);
	buf_addf(out, "%llu\n", (unsigned long long)n);
}

/* ---- families with labels of their own ----------------------------------- */

static void
put_workers(struct buf *out, const struct status *s, size_t n)
{
	static const struct metric m = { .name = "workers", .type = GAUGE,
		.help = "Workers by state." };

	put_head(out, &m);
	for (; n > 0; n--, s++) {
		const struct score_counts *w = &s->sum.workers;

		put_labelled(out, &m, s, "state", "starting", w->starting);
		put_labelled(out, &m, s, "state", "idle", w->idle);
		put_labelled(out, &m, s, "state", "active", w->busy);
		put_labelled(out, &m, s, "state", "leaving", w->leaving);
	}
}

static void
put_recycled(struct buf *out, const struct status *s, size_t n)
{
	static const struct metric m = { .name = "workers_recycled",
		.type = COUNTER,
		.help = "Workers replaced in good order, by cause." };
	static const char *const causes[SCORE_CAUSES] = { "requests", "age",
		"rss", "memory", "restart", "retire" };

	put_head(out, &m);
	for (; n > 0; n--, s++)
		for (unsigned i = 0; i < SCORE_CAUSES; i++)
			put_labelled(out, &m, s, "cause", causes[i],
			    (uint64_t)fact(s, FACT_RECYCLED + i));
}

static void
put_responses(struct buf *out, const struct status *s, size_t n)
{
	static const struct metric m = { .name = "responses",
		.type = COUNTER,
		.help = "Requests that are over, by class of the status sent." };
	static const char *const names[SCORE_CLASSES] = { "none", "1xx",
		"2xx", "3xx", "4xx", "5xx" };

	put_head(out, &m);
	for (; n > 0; n--, s++)
		for (unsigned class = 0; class < SCORE_CLASSES; class++) {
			uint64_t sum = 0;

			for (unsigned i = 0; i < SCORE_BUCKETS; i++)
				sum += s->sum.n[SCORE_SERVED +
				    class * SCORE_BUCKETS + i];
			put_labelled(out, &m, s, "class", names[class], sum);
		}
}

/* "0.001", "1.0", "+Inf": numbers as OpenMetrics requires them in labels. */
static void
bound(struct buf *text, unsigned bucket)
{
	int64_t us = score_bucket_us(bucket);

	buf_clear(text);
	if (us == -1)
		buf_puts(text, "+Inf");
	else
		status_put_seconds(text, us);
	if (us > 0 && us % 1000000 == 0)
		buf_puts(text, ".0");
	buf_string(text);
}

static void
put_latency(struct buf *out, const struct status *s, size_t n)
{
	static const struct metric m = { .name = "request_duration_seconds",
		.type = HISTOGRAM, .unit = "seconds",
		.help = "From the whole head of a request to its end." };
	struct buf le = { 0 };

	put_head(out, &m);
	for (; n > 0; n--, s++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < SCORE_BUCKETS; i++) {
			for (unsigned c = 0; c < SCORE_CLASSES; c++)
				sum += s->sum.n[SCORE_SERVED +
				    c * SCORE_BUCKETS + i];
			bound(&le, i);
			put_name(out, m.name, "_bucket", s, "le",
			    le.failed ? "" : le.data);
			buf_addf(out, "%llu\n", (unsigned long long)sum);
		}
		put_name(out, m.name, "_sum", s, NULL, NULL);
		status_put_decimal(out, (int64_t)s->sum.n[SCORE_LATENCY], 6);
		buf_putc(out, '\n');
		put_name(out, m.name, "_count", s, NULL, NULL);
		buf_addf(out, "%llu\n", (unsigned long long)sum);
	}
	out->failed |= le.failed;
	buf_free(&le);
}

/* ---- timers -------------------------------------------------------------- */

static int64_t
timer_runs(const struct status_timer *t)
{
	return (int64_t)t->runs;
}

static int64_t
timer_failures(const struct status_timer *t)
{
	return (int64_t)t->failures;
}

static int64_t
timer_missed(const struct status_timer *t)
{
	return (int64_t)t->missed;
}

static int64_t
timer_running(const struct status_timer *t)
{
	return t->running;
}

static int64_t
timer_success(const struct status_timer *t)
{
	return strcmp(t->result, "success") == 0;
}

static int64_t
timer_last(const struct status_timer *t)
{
	return t->last;
}

static int64_t
timer_took(const struct status_timer *t)
{
	return t->took;
}

static int64_t
timer_next(const struct status_timer *t)
{
	return t->next;
}

static const struct timer_metric {
	struct metric m; /* without a value */
	int64_t (*value)(const struct status_timer *);
} timer_metrics[] = {
	{ { .name = "timer_runs", .type = COUNTER,
	    .help = "Runs of a timer that are over." }, timer_runs },
	{ { .name = "timer_failures", .type = COUNTER,
	    .help = "Runs that failed, were stopped or killed." },
	    timer_failures },
	{ { .name = "timer_missed", .type = COUNTER,
	    .help = "Times that passed without a run of their own." },
	    timer_missed },
	{ { .name = "timer_running", .type = GAUGE,
	    .help = "Whether it runs, 1 or 0." }, timer_running },
	{ { .name = "timer_success", .type = GAUGE,
	    .help = "Whether its last run ended well, 1 or 0." }, timer_success },
	{ { .name = "timer_last_run_seconds", .type = GAUGE, .unit = "seconds",
	    .help = "When its last run began, as Unix time.", .digits = 3 },
	    timer_last },
	{ { .name = "timer_duration_seconds", .type = GAUGE, .unit = "seconds",
	    .help = "How long its present or last run took.", .digits = 3 },
	    timer_took },
	{ { .name = "timer_next_run_seconds", .type = GAUGE, .unit = "seconds",
	    .help = "When it is due next, as Unix time." }, timer_next },
};

static void
put_timer_samples(struct buf *out, const struct timer_metric *t,
    const struct status *s)
{
	for (size_t i = 0; i < s->ntimers; i++) {
		int64_t value = t->value(&s->timers[i]);

		put_name(out, t->m.name, t->m.type == COUNTER ? "_total" : "",
		    s, "timer", s->timers[i].name);
		if (t->m.digits > 0)
			status_put_decimal(out, value, t->m.digits);
		else
			buf_addf(out, "%lld", (long long)value);
		buf_putc(out, '\n');
	}
}

/* Families without any sample are left out. */
static void
put_timers(struct buf *out, const struct status *s, size_t n)
{
	const size_t families = sizeof(timer_metrics) /
	    sizeof(timer_metrics[0]);
	size_t timers = 0;

	for (size_t i = 0; i < n; i++)
		timers += s[i].ntimers;
	for (size_t m = 0; timers > 0 && m < families; m++) {
		put_head(out, &timer_metrics[m].m);
		for (size_t i = 0; i < n; i++)
			put_timer_samples(out, &timer_metrics[m], &s[i]);
	}
}

/* ---- WebSockets ---------------------------------------------------------- */

static int64_t
hub(const struct status *s, unsigned index)
{
	return (int64_t)s->hub[index];
}

static int64_t
hub_runs(const struct status *s, unsigned index)
{
	(void)index;
	return s->hub_pid != 0;
}

static int64_t
refused(const struct status *s, unsigned index)
{
	return (int64_t)(s->hub[index] + s->sum.n[SCORE_REFUSED]);
}

static const struct metric hub_metrics[] = {
	{ "websocket_process_up", GAUGE, NULL,
	    "Whether the process of the WebSockets is there, 1 or 0.",
	    hub_runs, 0, 0 },
	{ "websocket_connections", GAUGE, "connections",
	    "WebSockets that are open.", hub, HUB_SOCKETS, 0 },
	{ "websocket_limit_connections", GAUGE, "connections",
	    "WebSockets that may be open.", hub, HUB_LIMIT, 0 },
	{ "websocket_opened", COUNTER, NULL, "WebSockets opened.", hub,
	    HUB_OPENED, 0 },
	{ "websocket_refused", COUNTER, NULL,
	    "WebSockets refused with status 503.", refused, HUB_REFUSED, 0 },
	{ "websocket_received_messages", COUNTER, NULL,
	    "Messages that came whole.", hub, HUB_RECEIVED, 0 },
	{ "websocket_sent_messages", COUNTER, NULL,
	    "Messages queued to be sent, once for each WebSocket.", hub,
	    HUB_SENT, 0 },
	{ "websocket_waiting_messages", GAUGE, NULL,
	    "Messages and ends of WebSockets that wait for a worker.", hub,
	    HUB_WAITING, 0 },
	{ "websocket_waiting_bytes", GAUGE, "bytes",
	    "Bytes that wait to be sent, those of a message to many once.",
	    hub, HUB_UNSENT, 0 },
	{ "websocket_channels", GAUGE, NULL, "Channels with a subscriber.",
	    hub, HUB_NAMES, 0 },
};

static void
put_cut(struct buf *out, const struct status *s, size_t n)
{
	static const struct metric m = { .name = "websocket_cut",
		.type = COUNTER,
		.help = "WebSockets ended for a fault, by cause." };
	static const struct {
		const char *cause;
		enum hub_fact fact;
	} causes[] = { { "slow", HUB_SLOW }, { "silent", HUB_SILENT },
		{ "faulty", HUB_FAULTS }, { "lost", HUB_LOST } };

	put_head(out, &m);
	for (size_t i = 0; i < 4 * n; i++)
		if (s[i / 4].has_hub)
			put_labelled(out, &m, &s[i / 4], "cause",
			    causes[i % 4].cause,
			    s[i / 4].hub[causes[i % 4].fact]);
}

static void
put_websockets(struct buf *out, const struct status *s, size_t n)
{
	const size_t families = sizeof(hub_metrics) / sizeof(hub_metrics[0]);
	size_t hubs = 0;

	for (size_t i = 0; i < n; i++)
		hubs += s[i].has_hub;
	if (hubs == 0)
		return;
	for (size_t m = 0; m < families; m++) {
		put_head(out, &hub_metrics[m]);
		for (size_t i = 0; i < n; i++)
			if (s[i].has_hub)
				put_sample(out, &hub_metrics[m], &s[i]);
	}
	put_cut(out, s, n);
}

void
status_metrics(const struct status *status, size_t n, struct buf *out)
{
	const struct metric *m = metrics;
	const struct metric *end = m + sizeof(metrics) / sizeof(metrics[0]);

	for (; m < end; m++) {
		put_head(out, m);
		for (size_t i = 0; i < n; i++)
			put_sample(out, m, &status[i]);
	}
	put_workers(out, status, n);
	put_recycled(out, status, n);
	put_responses(out, status, n);
	put_latency(out, status, n);
	put_timers(out, status, n);
	put_websockets(out, status, n);
	buf_puts(out, "# EOF\n");
}

#include "worker/serve/access_log.h"

#include <sys/resource.h>

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/spool.h"
#include "status/access.h"

#define LINE_KEEP 65536 /* bytes kept for the next line */

static struct {
	const struct worker_args *args;
	const struct lua_app *app;
	struct format format;
	struct buf line;
	struct spool *pending;
	int64_t due; /* clock_ms() for what is pending, -1: nothing is */
	pid_t pid, parent;
	int64_t cpu[3]; /* of the process, when the request began */
} self = { .due = -1 };

static struct sink *
sink(void)
{
	return &self.args->sinks[SINK_ACCESS];
}

int
access_log_init(const struct worker_args *args, const struct lua_app *app)
{
	struct why why;

	self.args = args;
	self.app = app;
	self.pending = spool_of(args->score);
	self.pid = getpid();
	self.parent = getppid();
	if (format_compile(&self.format, args->pool->logs.access_format,
	    &why) == 0)
		return 0;
	errno = ENOMEM; /* the format is valid: it has been checked before */
	return -1;
}

/* ---- what is known of a request ------------------------------------------ */

static struct access_text
param(const void *from, const char *name, size_t len)
{
	const struct param *p = request_find(from, name, len);

	if (p == NULL)
		return (struct access_text){ NULL, 0 };
	return (struct access_text){ p->value, p->value_len };
}

/* The value of the first header of that name in the head as it was sent. */
static struct access_text
header(const void *from, const char *name, size_t len)
{
	const struct request *request = from;
	const char *p = request->head, *end = p + request->head_len, *eol;

	for (; p < end; p = eol + 2) {
		eol = memmem(p, (size_t)(end - p), "\r\n", 2);
		if (eol == NULL)
			break;
		if ((size_t)(eol - p) >= len + 2 && p[len] == ':' &&
		    strncasecmp(p, name, len) == 0)
			return (struct access_text){ p + len + 2,
				(size_t)(eol - p) - len - 2 };
	}
	return (struct access_text){ NULL, 0 };
}

static int64_t
us(const struct timeval *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_usec;
}

static void
read_cpu(int64_t cpu[3])
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	cpu[UNIT_MILLI] = us(&usage.ru_utime);
	cpu[UNIT_MICRO] = us(&usage.ru_stime);
	cpu[UNIT_ONE] = cpu[UNIT_MILLI] + cpu[UNIT_MICRO];
}

static const char *
end_of(const struct request *request, enum access_late late)
{
	if (late == LATE_STUCK)
		return "stuck";
	if (late == LATE_STOPPED)
		return "timeout";
	if (request->aborted)
		return "aborted";
	if (request->app_status != 0)
		return "cut";
	if (late == LATE_QUEUED)
		return "queued";
	return request->failed ? "error" : "ok";
}

static struct access_record
record_of(const struct request *request, int64_t now, enum access_late late)
{
	struct access_record record = { .param = param, .header = header,
		.from = request, .pool = self.args->pool->name,
		.id = request->id, .end = end_of(request, late),
		.pid = self.pid, .parent = self.parent,
		.status = request->status, .app_status = request->app_status,
		.ended = clock_wall_us(), .duration = now - request->begun,
		.first = request->first != 0 ?
		    request->first - request->begun : -1,
		.bytes_in = request->bytes_in,
		.bytes_out = request->bytes_out, .head = request->head_len };

	if (record.status == 0)
		record.status = ACCESS_GONE;
	/* The guard (LATE_STUCK) must not use a state that runs. */
	if (late != LATE_STUCK)
		record.memory = lua_app_memory(self.app);
	if (self.format.cpu) {
		read_cpu(record.cpu);
		for (int i = 0; i < 3; i++)
			record.cpu[i] -= self.cpu[i];
	}
	return record;
}

/* ---- writing ------------------------------------------------------------- */

void
access_log_begin(struct request *request)
{
	if (sink()->way == SINK_NONE)
		return;
	request->timed = self.format.first;
	if (self.format.cpu)
		read_cpu(self.cpu);
}

/* After sink_write has returned `result`, with its errno: tell the master that
 * the log takes no lines, or that it takes them again.  The master logs that
 * once for all workers of the pool. */
static void
tell(int result)
{
	struct score *score = self.args->score;

	if (result == -1 && score_lose_line(score, SINK_ACCESS, errno))
		worker_say(self.args, WORD_LOST);
	else if (result == 0 && score_log_works(score, SINK_ACCESS))
		worker_say(self.args, WORD_LOGS);
}

/* If the access log is the error log, the line is an entry about the request,
 * which is never counted as a repeat.  stuck: called by the guard, while the
 * main thread may be inside the log; so the line is written like the output of
 * the application, and a lost one is not reported. */
static void
write_line(const char *line, size_t n, bool stuck)
{
	int result;

	if (sink()->way == SINK_ERROR_LOG && !stuck) {
		log_write(LEVEL_NOTICE, "%.*s", (int)n - 1, line);
		return;
	}
	result = sink_write(sink(), SINK_ACCESS, line, n);
	if (!stuck)
		tell(result);
}

/* If not all lines can be written at once, each is tried, and lost if it
 * fails. */
void
access_log_flush(void)
{
	self.due = -1;
	if (!spool_any(self.pending))
		return;
	if (spool_push(self.pending, sink()) == 0)
		tell(0);
	while (spool_any(self.pending))
		tell(spool_push_one(self.pending, sink()));
}

/* What fails stays pending, and is reported when the request is over. */
void
access_log_push(void)
{
	spool_push(self.pending, sink());
}

int64_t
access_log_due(void)
{
	return self.due;
}

void
access_log_tick(int64_t now)
{
	if (self.due != -1 && self.due <= now)
		access_log_flush();
}

/* If this process is killed after score_line, the master can tell whether the
 * line was added. */
static void
gather(const char *line, size_t n, int64_t now)
{
	struct spool *pending = self.pending;

	if (!spool_fits(pending, n))
		access_log_flush();
	score_line(self.args->score, spool_mark(pending));
	if (!spool_fits(pending, n)) {
		tell(spool_pass(pending, sink(), line, n));
		return;
	}
	spool_add(pending, line, n);
	if (self.due == -1)
		self.due = now / 1000 + ACCESS_LOG_DELAY;
}

void
access_log_end(const struct request *request, int64_t now,
    enum access_late late)
{
	struct access_record record;
	struct buf *line = &self.line;

	if (sink()->way == SINK_NONE)
		return;
	record = record_of(request, now, late);
	if (access_suppressed(&self.args->pool->logs.access_suppress,
	    &record))
		return;
	buf_clear(line);
	access_line(&self.format, &record, line);
	if (line->len == 0)
		return;
	line->data[line->len - 1] = '\n'; /* if memory ran out, it is cut */
	if (sink()->own && late != LATE_STUCK) {
		gather(line->data, line->len, now);
	} else {
		access_log_push();
		score_line(self.args->score, -1);
		write_line(line->data, line->len, late == LATE_STUCK);
	}
	if (line->cap > LINE_KEEP)
		buf_free(line);
}

#include "worker/serve/slow.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/escape.h"
#include "ipc/sink.h"
#include "worker/lua/lua_trace.h"
#include "worker/serve/snapshot.h"

#define LOOKS_MOST 5 /* attempts to find the place of its code */
#define SHOWN_MOST 2048 /* bytes of a URI or a script's name */

static struct {
	const struct worker_args *args;
	unsigned looks; /* at the present request, 0: it is not slow */
	bool written;	/* its entry has been written */
	struct buf line, script; /* escaped; kept, since its parameters are
				    gone when it ends */
	struct buf text;
	char copied[LUA_TRACE_SIZE];
} self;

void
slow_init(const struct worker_args *args)
{
	self.args = args;
	if (args->pool->timeouts.slow > 0)
		lua_trace_init((unsigned)args->pool->logs.slow_depth);
}

/* ---- text ---------------------------------------------------------------- */

static void
add_param(struct buf *out, const struct request *request,
    enum request_known param, const char *none)
{
	const struct param *p = request->known[param];

	if (p != NULL && p->value_len > 0)
		escape_text(out, p->value, p->value_len < SHOWN_MOST ?
		    p->value_len : SHOWN_MOST);
	else
		buf_puts(out, none);
}

static void
remember(const struct request *request)
{
	buf_clear(&self.line);
	add_param(&self.line, request, PARAM_METHOD, "-");
	buf_putc(&self.line, ' ');
	add_param(&self.line, request, PARAM_URI, "-");
	buf_clear(&self.script);
	add_param(&self.script, request, PARAM_SCRIPT_FILENAME,
	    conf_pool_serves(self.args->pool));
}

/* Time, pool and pid, as far as the log does not add them itself. */
static void
add_origin(void)
{
	enum sink_way way = self.args->sinks[SINK_SLOW].way;
	const char *pool = self.args->pool->name;
	char now[CLOCK_TEXT];

	if (way == SINK_SYSLOG)
		buf_addf(&self.text, "[pool %s] ", pool);
	else if (way != SINK_ERROR_LOG)
		buf_addf(&self.text, "%s [pool %s] [pid %d] ",
		    clock_text(now), pool, (int)getpid());
}

static void
add_head(const struct request *request, const char *what, int64_t now)
{
	int64_t ms = (now - request->begun) / 1000;

	add_origin();
	buf_addf(&self.text, "[request %s] %s %d.%03d s", request->id, what,
	    (int)(ms / 1000), (int)(ms % 1000));
}

static void
add_line(void)
{
	buf_puts(&self.text, ": ");
	buf_add(&self.text, self.line.data, self.line.len);
	buf_putc(&self.text, '\n');
}

/* Line by line, since escape_text escapes a newline. */
static void
add_trace(const char *trace)
{
	size_t len;

	for (; *trace != '\0'; trace += len + 1) {
		len = strcspn(trace, "\n");
		buf_putc(&self.text, '\t');
		escape_text(&self.text, trace, len);
		buf_putc(&self.text, '\n');
		if (trace[len] == '\0')
			return;
	}
}

/* Write the text.  If memory ran out, it is cut, not lost.  For syslog, each
 * line is a message. */
static void
put(void)
{
	struct sink *sink = &self.args->sinks[SINK_SLOW];
	char *line = self.text.data, *end = line + self.text.len, *next = end;

	if (line == end)
		return;
	end[-1] = '\n';
	for (; line < end; line = next) {
		if (sink->way == SINK_SYSLOG)
			next = (char *)memchr(line, '\n',
			    (size_t)(end - line)) + 1;
		sink_write(sink, SINK_SLOW, line, (size_t)(next - line));
	}
	buf_clear(&self.text);
}

/* ---- a request ----------------------------------------------------------- */

/* Write the entry of a request; trace is NULL if the place is not known. */
static void
enter(const struct request *request, const char *trace)
{
	add_head(request, "has been running for", clock_us());
	add_line();
	buf_puts(&self.text, "\tscript ");
	buf_add(&self.text, self.script.data, self.script.len);
	buf_putc(&self.text, '\n');
	add_trace(trace != NULL ? trace : "(where its code is could not be "
					  "found out)");
	put();
	self.written = true;
}

/* The place of the code: its own answer, or else what a copy of the process
 * shows; NULL if neither is to be had. */
static const char *
trace(void)
{
	const char *answer = lua_trace_answer();

	if (answer != NULL)
		return answer;
	if (snapshot_look(lua_trace_look, self.copied, sizeof(self.copied)) > 0)
		return self.copied;
	return NULL;
}

bool
slow_look(const struct request *request)
{
	const char *found = NULL;

	if (self.looks > 0) {
		found = trace();
	} else {
		remember(request);
		score_more(self.args->score, SCORE_SLOW);
	}
	if (self.args->pool->interface == INTERFACE_CGI) {
		self.looks++;
		enter(request, ""); /* what a program does is not known */
		return false;
	}
	if (found != NULL || ++self.looks > LOOKS_MOST) {
		enter(request, found);
		return false;
	}
	lua_trace_ask();
	return true;
}

void
slow_end(const struct request *request, int64_t now)
{
	if (self.looks == 0)
		return;
	if (!self.written)
		enter(request, lua_trace_answer());
	add_head(request, "took", now);
	if (request->status != 0)
		buf_addf(&self.text, ", status %d", request->status);
	else
		buf_puts(&self.text, ", not answered");
	add_line();
	put();
	lua_trace_forget();
	self.looks = 0;
	self.written = false;
}

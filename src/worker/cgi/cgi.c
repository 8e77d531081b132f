#include "worker/cgi/cgi.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "worker/cgi/cgi_body.h"
#include "worker/cgi/cgi_reply.h"
#include "worker/cgi/program.h"
#include "worker/serve/response.h"
#include "worker/serve/script.h"

#define CHUNK	  (64 * 1024) /* bytes that are read at once */
#define TURNS	  16 /* chunks of one stream before the others' turn */
#define LINE_MOST (64 * 1024) /* bytes; a longer line of complaint is split */
#define TICK	  500 /* ms between looks at how long a body takes */
#define PATIENCE  100 /* ms from the end of a program's output to its own, so
			 that its exit code goes along with the response */

enum fate {
	FATE_RUNS,
	FATE_LATE,    /* timeouts.request is over */
	FATE_UNREAD,  /* the body could not be read: body.error */
	FATE_GONE,    /* the client has left, or takes no more */
	FATE_BAD      /* it wrote no valid response: run.why */
};

/* What is polled. */
enum { OUT, ERR, IN, PEER, END, PLACES };

struct run {
	struct request *request; /* NULL: it is over, the program is not */
	struct program program;
	enum fate fate;
	struct why why;
	int64_t due;	/* clock_ms() at which its time is over */
	bool loose;	/* its output is not held back */
	bool deaf;	/* the peer only seemed to have left: watch it less */
	bool complete;	/* the response has been sent to its end */
	bool exited;	/* the program itself, */
	siginfo_t how;	/* and how */
};

static struct {
	const struct worker_args *args;
	pthread_t thread;
	atomic_bool expired;
	char *output; /* CHUNK bytes */
	struct cgi_body body;
	struct buf held; /* output that waits for the end of the body */
	struct cgi_reply reply;
	struct response response; /* of answers of our own */
	struct buf line; /* of a program's complaints, not complete yet */
	struct script script;
	struct run run;
	bool unfinished; /* the program of self.run outlives its request, */
	char method[REQUEST_METHOD], uri[REQUEST_URI]; /* which was this */
} self;

/* ---- what the caller calls ------------------------------------------------- */

static void
interrupted(int signo)
{
	(void)signo;
}

int
cgi_init(const struct worker_args *args, struct why *why)
{
	/* Not restarted: it ends a wait for the client, or for the program. */
	const struct sigaction action = { .sa_handler = interrupted };

	self.args = args;
	self.thread = pthread_self();
	self.output = malloc(CHUNK);
	if (self.output == NULL || cgi_body_init(&self.body) == -1) {
		why_set(why, "out of memory");
		return -1;
	}
	sigaction(SIGRTMIN, &action, NULL);
	return program_init(args, why);
}

void
cgi_expire(void)
{
	atomic_store(&self.expired, true);
	pthread_kill(self.thread, SIGRTMIN);
}

bool
cgi_expired(void)
{
	return atomic_load(&self.expired);
}

/* ---- the log --------------------------------------------------------------- */

static void
complain(struct request *request, enum log_level level, const char *text,
    size_t n)
{
	if (request != NULL) {
		request_method(request, self.method);
		request_uri(request, self.uri);
	}
	log_about(level, self.method, self.uri, text, n);
	if (request == NULL || !self.args->pool->errors_to_server || level < LEVEL_ERROR ||
	    request->ops->complain == NULL || request->aborted)
		return;
	request->ops->complain(request, text, n);
	request->ops->complain(request, "\n", 1);
}

static void
end_line(struct request *request)
{
	if (self.line.len > 0)
		complain(request, LEVEL_ERROR, self.line.data, self.line.len);
	buf_clear(&self.line);
}

/* Each line that the program writes to its stderr is a line of the log. */
static void
take_complaint(struct request *request, const char *data, size_t n)
{
	const char *newline;
	size_t part;

	while (n > 0) {
		part = LINE_MOST - self.line.len;
		part = part < n ? part : n;
		newline = memchr(data, '\n', part);
		if (newline != NULL)
			part = (size_t)(newline - data);
		buf_add(&self.line, data, part);
		if (newline != NULL || self.line.len == LINE_MOST ||
		    self.line.failed)
			end_line(request);
		part += newline != NULL;
		data += part;
		n -= part;
	}
}

/* ---- the streams ------------------------------------------------------------ */

/* What becomes of a run whose body has come to this. */
static void
note_body(struct run *run, enum cgi_body_end end)
{
	if (end == CGI_BODY_FAILED) {
		run->fate = request_body_status(self.body.error) != 0 ?
		    FATE_UNREAD : FATE_GONE;
	} else if (end == CGI_BODY_LOST) {
		why_set(&run->why, "the body cannot be kept: %s",
		    strerror(errno));
		run->fate = FATE_BAD;
	}
}

/* Let the body go on its way into the program. */
static void
feed(struct run *run, int64_t waited)
{
	note_body(run, cgi_body_move(&self.body, &run->program.in, waited));
}

/*
 * nginx sends no more of a body when it has seen the head of the response.  So
 * the output is held back as long as more of the body is to come and the program
 * may read it, or until the output ends.  If it is so much that the program
 * could wait for it to be read, the rest of the body is kept for the program.
 */
static bool
is_held(const struct run *run)
{
	return run->program.in != -1 && !self.body.whole && !run->loose;
}

static bool
has_room(const struct run *run)
{
	return !is_held(run) || self.held.len < CHUNK;
}

static void
take_output(struct run *run, const char *data, size_t n)
{
	switch (cgi_reply_take(&self.reply, data, n, &run->why)) {
	case CGI_REPLY_BAD:
		run->fate = FATE_BAD;
		break;
	case CGI_REPLY_CUT:
		complain(run->request, LEVEL_ERROR, run->why.text,
		    strlen(run->why.text));
		break;
	case CGI_REPLY_GONE:
		run->fate = FATE_GONE;
		break;
	case CGI_REPLY_DONE:
		break;
	}
}

/* Bytes that are collected wait for no others. */
static void
push(struct run *run)
{
	struct request *request = run->request;

	if (self.reply.begun && run->fate == FATE_RUNS &&
	    request->ops->flush(request) == -1)
		run->fate = FATE_GONE;
}

/* What is held back until something is seen of the rest of the body, or no
 * more is. */
static void
hold(struct run *run, size_t n)
{
	if (buf_add(&self.held, self.output, n) == -1) {
		why_set(&run->why, "out of memory");
		run->fate = FATE_BAD;
	} else if (!has_room(run)) {
		run->loose = !cgi_body_keep(&self.body);
	}
}

static void
let_go(struct run *run)
{
	if (self.held.len == 0 || run->fate != FATE_RUNS)
		return;
	take_output(run, self.held.data, self.held.len);
	buf_clear(&self.held);
	push(run);
}

static void
hear_output(struct run *run)
{
	ssize_t n = 1;

	for (int i = 0; i < TURNS && run->fate == FATE_RUNS && n > 0 &&
	    has_room(run); i++) {
		n = read(run->program.out, self.output, CHUNK);
		if (n > 0 && is_held(run)) {
			hold(run, (size_t)n);
		} else if (n > 0) {
			let_go(run); /* hold has found no way to keep a body */
			take_output(run, self.output, (size_t)n);
		}
	}
	if (n == 0)
		fd_close(&run->program.out);
	push(run);
}

static void
hear_complaints(struct run *run)
{
	ssize_t n = 1;

	for (int i = 0; i < TURNS && n > 0; i++) {
		n = read(run->program.err, self.output, CHUNK);
		if (n > 0)
			take_complaint(run->request, self.output, (size_t)n);
	}
	if (n == 0)
		fd_close(&run->program.err);
}

/* What it has complained before its end goes along with the response. */
static void
finish_complaints(struct run *run)
{
	if (run->program.err != -1)
		hear_complaints(run);
	end_line(run->request);
}

/* Something has come from the peer that is not asked for, or it has left. */
static void
hear_peer(struct run *run)
{
	if (run->request->ops->gone(run->request))
		run->fate = FATE_GONE;
	else
		run->deaf = true;
}

/* It stays a zombie, which keeps the number of its group. */
static void
note_exit(struct run *run)
{
	run->exited = waitid(P_PID, (id_t)run->program.pid, &run->how,
	    WEXITED | WNOHANG | WNOWAIT) == 0 && run->how.si_pid != 0;
}

/* ---- waiting ---------------------------------------------------------------- */

static bool
wants_body(const struct run *run)
{
	return run->program.in != -1 && cgi_body_awaits_client(&self.body) &&
	    run->request->ops->take != NULL;
}

static short
peer_events(const struct run *run)
{
	short leaves = run->deaf ? 0 : POLLRDHUP;

	if (wants_body(run))
		return POLLIN | leaves;
	return self.body.whole && !run->deaf ? POLLIN | leaves : leaves;
}

/* How long to wait until `until` at the latest; ms, -1: no limit. */
static int
patience(const struct run *run, int64_t now, int64_t until)
{
	int64_t left = (until < run->due ? until : run->due) - now;

	if (wants_body(run) && left > TICK)
		left = TICK;
	if (left < 0 || (wants_body(run) && self.body.more))
		return 0;
	return left > INT32_MAX ? -1 : (int)left;
}

/* Wait until something happens, or until clock_ms() `until`, and deal with
 * it. */
static void
turn(struct run *run, int64_t until)
{
	const struct request *request = run->request;
	struct pollfd p[PLACES] = {
		[OUT] = { .fd = has_room(run) ? run->program.out : -1,
			.events = POLLIN },
		[ERR] = { .fd = run->program.err, .events = POLLIN },
		[IN] = { .fd = run->program.in,
			.events = cgi_body_awaits_program(&self.body) ?
			    POLLOUT : 0 },
		[PEER] = { .fd = -1, .events = peer_events(run) },
		[END] = { .fd = run->exited ? -1 : run->program.end,
			.events = POLLIN },
	};
	int64_t before = clock_ms(), waited;
	bool wanted = wants_body(run);

	if (request != NULL && request->ops->watched != NULL)
		p[PEER].fd = request->ops->watched(request);
	if (poll(p, PLACES, patience(run, before, until)) == -1)
		memset(p, 0, sizeof(p));
	waited = wanted ? clock_ms() - before : 0;
	if (p[END].revents != 0)
		note_exit(run);
	if (p[IN].revents & POLLERR) /* nobody reads it any more */
		fd_close(&run->program.in);
	else if (wanted || p[IN].revents != 0)
		feed(run, waited);
	if (p[PEER].revents != 0 && !wanted && run->fate == FATE_RUNS)
		hear_peer(run);
	if (!is_held(run))
		let_go(run);
	if (p[OUT].revents != 0)
		hear_output(run);
	if (p[ERR].revents != 0)
		hear_complaints(run);
	if (cgi_expired() || clock_ms() >= run->due)
		run->fate = FATE_LATE;
}

/* ---- answers of our own -------------------------------------------------------- */

static void
answer(struct request *request, int status)
{
	const char *reason = response_reason(status);
	struct response *r = &self.response;
	char text[64];
	struct why why;
	int n = snprintf(text, sizeof(text), "%s\n", reason);

	request->head_most = 0;
	request->result = (uint32_t)status;
	response_init(r);
	r->status = status;
	response_header(r, "Content-Type", 12, "text/plain", 10, &why);
	if (request->ops->head(request, r, n) == 0 && !request->head_only)
		request_write(request, text, (size_t)n);
}

/* Log a text and answer with that status; if part of a response has been sent,
 * mark it as incomplete. */
static void
fail(struct request *request, enum log_level level, int status,
    const char *text)
{
	complain(request, level, text, strlen(text));
	request->failed |= level >= LEVEL_ERROR;
	if (request->sent)
		request->app_status = 1;
	else if (!request->aborted)
		answer(request, status);
}

/* ---- the end --------------------------------------------------------------------- */

static bool
has_crashed(const struct run *run)
{
	return run->exited && run->how.si_code != CLD_EXITED;
}

/* The output has ended: so does the response, whole if it is. */
static void
complete(struct run *run)
{
	struct request *request = run->request;
	char text[64];

	if (run->exited)
		finish_complaints(run);
	if (has_crashed(run)) {
		snprintf(text, sizeof(text), "was killed by signal %d (%s)",
		    run->how.si_status, strsignal(run->how.si_status));
		fail(request, LEVEL_ERROR, 500, text);
		return;
	}
	if (cgi_reply_finish(&self.reply, &run->why) == CGI_REPLY_BAD) {
		run->fate = FATE_BAD;
		return;
	}
	if (run->exited)
		request->result = (uint32_t)run->how.si_status;
	request->last = true;
	run->complete = true;
	request->ops->write(request, NULL, 0);
}

static void
judge(struct run *run)
{
	struct request *request = run->request;
	static const char late[] = "the request exceeds timeouts.request: its "
	    "program was killed";

	switch (run->fate) {
	case FATE_LATE:
		fail(request, LEVEL_ERROR,
		    (int)self.args->pool->timeout_status, late);
		break;
	case FATE_UNREAD:
		fail(request, LEVEL_NOTICE,
		    request_body_status(self.body.error),
		    request_body_fault(self.body.error));
		break;
	case FATE_GONE:
		request->aborted = true;
		complain(request, LEVEL_INFO, "the client has left: its "
		    "program was killed", 44);
		break;
	case FATE_BAD:
		fail(request, LEVEL_ERROR, 500, run->why.text);
		break;
	case FATE_RUNS:
		break;
	}
}

/* The response ends with the program's output, whoever has that open.  If the
 * program goes on after it, the client does not wait for that. */
static void
accompany(struct run *run)
{
	int64_t until;

	while (run->fate == FATE_RUNS && run->program.out != -1)
		turn(run, INT64_MAX);
	let_go(run);
	until = clock_ms() + PATIENCE;
	while (run->fate == FATE_RUNS && !run->exited && clock_ms() < until)
		turn(run, until);
	if (run->fate == FATE_RUNS)
		complete(run);
	if (run->fate == FATE_RUNS && run->complete && !run->exited)
		self.unfinished = true;
}

static void
end(struct run *run)
{
	finish_complaints(run);
	program_end(&run->program);
	cgi_body_end(&self.body);
}

/* ---- a request ------------------------------------------------------------------- */

static struct script_text
named(const struct request *request, const char *name)
{
	struct script_text text = { 0 };

	text.text = request_param(request, name, &text.len);
	return text;
}

/* 0, or the status of the answer and why. */
static int
find(const struct request *request, struct why *why, enum log_level *level)
{
	const struct script_names names = {
		named(request, "SCRIPT_FILENAME"),
		named(request, "DOCUMENT_ROOT"), named(request, "SCRIPT_NAME")
	};
	bool loud;
	int status = script_find(self.args->pool->root, &names,
	    SCRIPT_PROGRAM, &self.script, why, &loud);

	*level = loud ? LEVEL_NOTICE : LEVEL_INFO;
	if (status == 0) {
		*level = LEVEL_ERROR;
		status = program_environment(request, &self.script, why);
		if (status == 400)
			*level = LEVEL_NOTICE;
	}
	return status;
}

static void
begin(struct run *run, struct request *request)
{
	int64_t limit = self.args->pool->timeouts.request;

	*run = (struct run){ .request = request, .due = INT64_MAX,
		.program = { .end = -1, .in = -1, .out = -1, .err = -1 } };
	if (limit > 0)
		run->due = request->begun / 1000 + limit;
	atomic_store(&self.expired, false);
	buf_clear(&self.line);
	buf_clear(&self.held);
	request->head_most = (size_t)self.args->pool->limits.response_head;
	cgi_reply_begin(&self.reply, request);
}

void
cgi_serve(struct request *request)
{
	enum log_level level;
	struct run *run = &self.run;
	int status;

	begin(run, request);
	status = find(request, &run->why, &level);
	if (status == 0) {
		/* Whether there is a body at all decides about a pipe. */
		note_body(run, cgi_body_begin(&self.body, request));
		if (run->fate == FATE_RUNS)
			status = program_start(&run->program, &self.script,
			    !self.body.whole, &run->why);
		level = LEVEL_ERROR;
	}
	if (status != 0) {
		fail(request, level, status, run->why.text);
		return;
	}
	accompany(run);
	if (self.unfinished)
		return;
	end(run);
	judge(run);
}

bool
cgi_is_unfinished(void)
{
	return self.unfinished;
}

void
cgi_outlive(const struct request *request)
{
	request_method(request, self.method);
	request_uri(request, self.uri);
	self.run.request = NULL;
	fd_close(&self.run.program.in);
	cgi_body_end(&self.body);
}

void
cgi_finish(void)
{
	static const char late[] = "its program goes on after its response "
	    "for longer than timeouts.after: it was killed";
	int64_t limit = self.args->pool->timeouts.after;
	struct run *run = &self.run;

	run->due = limit > 0 ? clock_ms() + limit : INT64_MAX;
	atomic_store(&self.expired, false);
	while (run->fate == FATE_RUNS && !run->exited)
		turn(run, INT64_MAX);
	end(run);
	if (run->fate == FATE_LATE)
		complain(NULL, LEVEL_ERROR, late, sizeof(late) - 1);
	self.unfinished = false;
}

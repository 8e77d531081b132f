#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_fold.h"
#include "base/log_pipe.h"
#include "base/log_target.h"
#include "base/log_wire.h"

#define KEEP_MOST 65536 /* memory kept for the next line */

static struct log_state {
	enum log_level min;
	struct log_target target;
	struct log_target next; /* log_prepare */
	const char *request; /* log_request */
	struct log_fold fold;
	pid_t owner;	 /* whose repeats fold counts; a forked child differs */
	bool piped;	 /* written to log_pipe() */
	struct buf text; /* as formatted */
	struct buf line; /* as written */
} state = { .min = LEVEL_NOTICE, .target.out.fd = STDERR_FILENO,
	.next.out.fd = -1 };

/* ---- the target ---------------------------------------------------------- */

int
log_prepare(const char *target, enum log_form form, struct why *why)
{
	struct why reason;

	if (log_target_open(&state.next, target, form, &reason) == -1) {
		why_set(why, "cannot open the log %s: %s", target,
		    reason.text);
		return -1;
	}
	if (state.next.away != 0)
		log_warning("%s is not there (%s): lines are lost until it is",
		    target, strerror(state.next.away));
	return 0;
}

void
log_commit(enum log_level min)
{
	static bool once;

	log_flush();
	log_target_move(&state.target, &state.next);
	state.min = min;
	if (!once)
		once = atexit(log_flush) == 0;
}

void
log_abandon(void)
{
	log_target_take(&state.next, -1, FORM_TEXT, NULL);
}

int
log_open(const char *target, enum log_level min, enum log_form form,
    struct why *why)
{
	if (log_prepare(target, form, why) == -1)
		return -1;
	log_commit(min);
	return 0;
}

struct log_place
log_place(void)
{
	return (struct log_place){ .fd = state.target.out.fd,
		.path = state.target.path, .min = state.min,
		.form = state.target.form };
}

void
log_settle(const struct log_place *place)
{
	if (place->min >= 0 && place->min <= LEVEL_ALERT)
		state.min = (enum log_level)place->min;
	log_target_take(&state.target, place->fd, place->form >= 0 &&
	    place->form < FORM_COUNT ? (enum log_form)place->form : FORM_TEXT,
	    place->path == NULL ? NULL : strdup(place->path));
}

int
log_reopen(struct why *why)
{
	log_flush();
	return log_target_reopen(&state.target, why);
}

enum log_level
log_level_now(void)
{
	return state.min;
}

void
log_set_level(enum log_level min)
{
	state.min = min;
}

void
log_to_master(enum log_level min)
{
	static bool once;

	log_pipe_keep();
	state.piped = true;
	log_target_take(&state.target, STDERR_FILENO, FORM_WIRE, NULL);
	state.min = min;
	if (!once)
		once = atexit(log_flush) == 0;
}

void
log_alone(void)
{
	log_pipe_keep();
	state.piped = true;
}

void
log_request(const char *id)
{
	state.request = id;
}

const char *
log_request_now(void)
{
	return state.request;
}

/* ---- writing ------------------------------------------------------------- */

static int
make(struct buf *line, const struct log_entry *entry)
{
	if (state.target.form != FORM_WIRE)
		return log_line_make(line, state.target.form, entry);
	buf_clear(line);
	log_wire_put(line, entry);
	return line->failed ? -1 : 0;
}

static int
put(const struct log_entry *entry)
{
	struct buf *line = &state.line;
	int result = -1;

	if (state.piped)
		state.target.out.fd = log_pipe();
	if (make(line, entry) == 0)
		result = log_target_write(&state.target, line->data,
		    line->len);
	if (line->cap > KEEP_MOST)
		buf_free(line);
	return result;
}

/* Log the number of lost lines, before the first line that the log takes
 * again.  If it does not take this one, the number stays. */
static void
tell_loss(void)
{
	uint64_t lost = state.target.out.lost;
	int error = state.target.out.error;
	char text[160];
	struct log_entry entry = { .level = LEVEL_WARNING,
		.pid = getpid(), .text = text };

	entry.len = (size_t)snprintf(text, sizeof(text), "the log took no "
	    "lines for a while, %" PRIu64 " from this process are lost: %s",
	    lost, error == EAGAIN ? "nobody read it" : strerror(error));
	state.target.out.lost = 0;
	if (put(&entry) == -1)
		state.target.out.lost = lost;
}

static int
write_entry(const struct log_entry *entry)
{
	if (state.target.out.lost > 0)
		tell_loss();
	return put(entry);
}

/* In a forked child, drop the repeats: the parent writes their count. */
static void
own_fold(void)
{
	pid_t pid = getpid();

	if (state.owner != pid) {
		state.fold.set = false;
		state.fold.count = 0;
	}
	state.owner = pid;
}

/* Every line passes here.  Keeps errno. */
static void
take(const struct log_entry *entry)
{
	int64_t now = clock_ms();
	int error = errno;

	if (entry->level < state.min)
		return;
	own_fold();
	if (!log_fold_takes(&state.fold, entry, now)) {
		log_flush();
		if (write_entry(entry) == 0)
			log_fold_begin(&state.fold, entry, now);
	}
	errno = error;
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	struct log_entry entry = { .level = level, .pid = getpid(),
		.request = state.request };
	int error = errno;
	va_list ap;

	if (level < state.min)
		return;
	buf_clear(&state.text);
	va_start(ap, fmt);
	buf_addv(&state.text, fmt, ap);
	va_end(ap);
	entry.text = state.text.data;
	entry.len = state.text.len;
	if (state.text.failed) { /* no memory: the bare format must do */
		entry.text = fmt;
		entry.len = strlen(fmt);
	}
	take(&entry);
	errno = error;
}

void
log_about(enum log_level level, const char *method, const char *uri,
    const char *text, size_t n)
{
	const struct log_entry entry = { level, getpid(), NULL,
		state.request, method, uri, text, n };

	take(&entry);
}

void
log_relay(const struct log_entry *entry)
{
	take(entry);
}

/* ---- repeats ------------------------------------------------------------- */

int64_t
log_due(void)
{
	return state.fold.count > 0 ? state.fold.until : -1;
}

void
log_tick(int64_t now)
{
	if (state.fold.count > 0 && now >= state.fold.until)
		log_flush();
}

void
log_flush(void)
{
	struct log_entry entry;
	char text[FOLD_TEXT];
	uint64_t count;

	own_fold();
	count = state.fold.count;
	if (log_fold_end(&state.fold, &entry, text) &&
	    write_entry(&entry) == -1)
		state.target.out.lost += count - 1;
	if (state.fold.copy.cap > KEEP_MOST)
		buf_free(&state.fold.copy);
}

void
log_share(_Atomic uint64_t *shared)
{
	state.fold.shared = shared;
}

void
log_bury(uint64_t left, const char *pool, pid_t pid)
{
	struct log_entry entry = { .pool = pool, .pid = pid };
	char text[FOLD_TEXT];

	if (log_fold_left(left, &entry, text))
		take(&entry);
}

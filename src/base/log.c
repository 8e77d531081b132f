#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/outlet.h"
#include "base/show.h"

static struct log_state {
	enum log_level min;
	struct outlet out; /* without a descriptor: syslog */
	char *path;	/* NULL: nothing to reopen */
	char *pool;	/* log_identity */
	const char *request; /* log_request */
	struct buf text; /* as formatted */
	struct buf line; /* as written */
} state = { .min = LEVEL_NOTICE, .out.fd = STDERR_FILENO };

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LEVEL_DEBUG] = { "debug", LOG_DEBUG },
	[LEVEL_INFO] = { "info", LOG_INFO },
	[LEVEL_NOTICE] = { "notice", LOG_NOTICE },
	[LEVEL_WARNING] = { "warning", LOG_WARNING },
	[LEVEL_ERROR] = { "error", LOG_ERR },
	[LEVEL_ALERT] = { "alert", LOG_ALERT },
};

int
log_level_parse(const char *name)
{
	int level;

	for (level = LEVEL_ALERT; level >= LEVEL_DEBUG; level--)
		if (strcmp(levels[level].name, name) == 0)
			break;
	return level;
}

const char *
log_level_name(enum log_level level)
{
	return levels[level].name;
}

static int
log_open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY,
	    0640);
}

/* Take a new target over; the one before it, descriptor 2 apart, closes. */
static void
log_take(int fd, char *path)
{
	if (state.out.fd > STDERR_FILENO)
		close(state.out.fd);
	free(state.path);
	outlet_set(&state.out, fd);
	state.path = path;
}

int
log_open(const char *target, enum log_level min, struct why *why)
{
	bool to_stderr = strcmp(target, "stderr") == 0;
	bool to_syslog = strcmp(target, "syslog") == 0;
	char *path = NULL;
	int fd = -1;

	if (to_syslog)
		openlog("lua-fpm", LOG_NDELAY, LOG_DAEMON);
	else if (to_stderr) /* a copy: a worker's own 2 leads elsewhere */
		fd = outlet_own(STDERR_FILENO);
	else if ((path = strdup(target)) != NULL)
		fd = log_open_file(path);
	if (fd == -1 && !to_syslog) {
		why_set(why, "cannot open the log %s: %s", target,
		    strerror(errno));
		free(path);
		return -1;
	}
	log_take(fd, path);
	state.min = min;
	return 0;
}

int
log_reopen(void)
{
	int fd;

	if (state.path == NULL)
		return 0;
	if ((fd = log_open_file(state.path)) == -1)
		return -1;
	close(state.out.fd);
	outlet_set(&state.out, fd);
	return 0;
}

int
log_send(int sock)
{
	const unsigned char data[] = { LOG_TAG, (unsigned char)state.min };

	return fd_send(sock, state.out.fd, data, sizeof(data)) == -1 ? -1 : 0;
}

void
log_adopt(int fd, const unsigned char *data, size_t n)
{
	if (n > 1 && data[1] <= LEVEL_ALERT)
		state.min = (enum log_level)data[1];
	if (fd == -1 && state.out.fd != -1)
		openlog("lua-fpm", 0, LOG_DAEMON);
	log_take(fd, NULL);
}

void
log_identity(const char *pool)
{
	free(state.pool);
	state.pool = strdup(pool);
	state.out.lost = 0; /* the master tells of its own */
	/* syslog(3) keeps a descriptor that nobody can spare: let it open one
	 * of its own when it is needed. */
	if (state.out.fd == -1) {
		closelog();
		openlog("lua-fpm", 0, LOG_DAEMON);
	}
}

void
log_request(const char *id)
{
	state.request = id;
}

int
log_fd(void)
{
	return state.out.fd;
}

/* As it will be written: in state.line. */
static void
log_format(enum log_level level, const char *pool, pid_t pid,
    const char *request, const char *text, size_t len)
{
	struct buf *line = &state.line;
	char now[CLOCK_TEXT];

	buf_clear(line);
	if (state.out.fd != -1)
		buf_addf(line, "%s %s ", clock_text(now), levels[level].name);
	if (pool != NULL)
		buf_addf(line, "[pool %s] ", pool);
	buf_addf(line, "[pid %d] ", (int)pid);
	if (request != NULL)
		buf_addf(line, "[request %s] ", request);
	show_text(line, text, len);
	buf_putc(line, '\n');
	/* Out of memory, a line is cut, not lost. */
	if (line->len > 0)
		line->data[line->len - 1] = '\n';
}

/* Before the first line that a log takes again.  If it does not take this
 * one either, nothing has changed. */
static void
log_tell_loss(void)
{
	uint64_t lost = state.out.lost;
	int error = state.out.error;
	char text[160];
	int n = snprintf(text, sizeof(text), "the log took no lines for a "
	    "while, %" PRIu64 " from this process are lost: %s", lost,
	    error == EAGAIN ? "nobody read it" : strerror(error));

	log_format(LEVEL_WARNING, state.pool, getpid(), NULL, text,
	    (size_t)n);
	state.out.lost = 0;
	if (outlet_write(&state.out, state.line.data, state.line.len) == -1)
		state.out.lost = lost;
}

static void
log_line(enum log_level level, const char *pool, pid_t pid,
    const char *request, const char *text, size_t len)
{
	struct buf *line = &state.line;

	if (state.out.fd != -1 && state.out.lost > 0)
		log_tell_loss();
	log_format(level, pool, pid, request, text, len);
	if (line->len == 0)
		return;
	if (state.out.fd != -1)
		outlet_write(&state.out, line->data, line->len);
	else
		syslog(levels[level].priority, "%.*s", (int)line->len - 1,
		    line->data);
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	int error = errno;
	va_list ap;

	if (level < state.min)
		return;
	buf_clear(&state.text);
	va_start(ap, fmt);
	buf_addv(&state.text, fmt, ap);
	va_end(ap);
	if (state.text.failed) /* the format alone says something */
		log_line(level, state.pool, getpid(), state.request, fmt,
		    strlen(fmt));
	else
		log_line(level, state.pool, getpid(), state.request,
		    state.text.data, state.text.len);
	errno = error;
}

void
log_relay(enum log_level level, const char *pool, pid_t pid,
    const char *text, size_t len)
{
	int error = errno;

	if (level >= state.min)
		log_line(level, pool, pid, NULL, text, len);
	errno = error;
}

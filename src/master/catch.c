#include "master/catch.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

#define CATCH_LINE 65536	    /* longest line, without its newline */
#define CATCH_TURN 65536	    /* most bytes taken in one turn */
#define CATCH_ROOM (CATCH_LINE + 1) /* with it: such a line is not split */

static void
catch_log(struct catch *c, const char *text, size_t len)
{
	log_relay(LEVEL_NOTICE, c->pool, c->pid, text, len);
}

/* Log every whole line; a full buffer without one is a line by decree. */
static void
catch_lines(struct catch *c)
{
	const char *start = c->line.data, *end = start + c->line.len, *nl;

	while ((nl = memchr(start, '\n', (size_t)(end - start))) != NULL) {
		catch_log(c, start, (size_t)(nl - start));
		start = nl + 1;
	}
	if (end - start == CATCH_ROOM) {
		catch_log(c, start, CATCH_LINE);
		start += CATCH_LINE;
	}
	buf_consume(&c->line, (size_t)(start - c->line.data));
}

/* Take up to budget bytes.  False at end of file. */
static bool
catch_read(struct catch *c, size_t budget)
{
	size_t room;
	ssize_t n;

	for (; budget > 0; budget -= (size_t)n) {
		room = CATCH_ROOM - c->line.len;
		n = read(c->fd, c->line.data + c->line.len,
		    room < budget ? room : budget);
		if (n == -1)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		c->line.len += (size_t)n;
		catch_lines(c);
	}
	return true;
}

static void
catch_end(struct catch *c)
{
	if (c->line.len > 0)
		catch_log(c, c->line.data, c->line.len);
	loop_unwatch(c->loop, c->fd);
	fd_close(&c->fd);
	buf_free(&c->line);
}

static void
catch_ready(void *arg, int fd, short revents)
{
	struct catch *c = arg;

	(void)fd;
	(void)revents;
	if (!catch_read(c, CATCH_TURN))
		catch_end(c);
}

int
catch_open(struct catch *c, struct loop *loop, int fd, const char *pool,
    pid_t pid)
{
	*c = (struct catch){ .loop = loop, .fd = fd, .pid = pid };
	snprintf(c->pool, sizeof(c->pool), "%s", pool);
	if (fd == -1)
		return 0;
	if (buf_reserve(&c->line, CATCH_ROOM) != NULL &&
	    fd_nonblock(fd, true) == 0 &&
	    loop_watch(loop, fd, POLLIN, catch_ready, c) == 0)
		return 0;
	buf_free(&c->line);
	fd_close(&c->fd);
	return -1;
}

/* No more than is there now: whoever holds the other end may write for ever. */
void
catch_close(struct catch *c)
{
	int waiting;

	if (c->fd == -1)
		return;
	if (ioctl(c->fd, FIONREAD, &waiting) == 0 && waiting > 0)
		catch_read(c, (size_t)waiting);
	catch_end(c);
}

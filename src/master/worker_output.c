#include "master/worker_output.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/log_wire.h"

#define CATCH_LINE 1048576 /* longest line, without mark and newline */
#define CATCH_TURN 65536   /* most bytes taken in one turn */
#define CATCH_READ 16384   /* at once */
#define CATCH_KEEP (2 * CATCH_READ) /* memory kept for the next line */
#define CATCH_LEFT 64	   /* most catches without a worker */

#define GOES_ON	 " [line goes on]"
#define WENT_ON	 "[line goes on] "

struct left { /* its worker is gone, some child of that still writes */
	struct catch catch;
	struct left *next;
};

static struct {
	struct left *left;
	unsigned n;
} self;

/* ---- lines --------------------------------------------------------------- */

static void
catch_log(const struct catch *c, const char *text, size_t len)
{
	log_relay(&(struct log_entry) { .level = LEVEL_NOTICE, .pid = c->pid,
	    .pool = c->pool, .text = text, .len = len,
	    .request = c->request[0] != '\0' ? c->request : NULL });
}

/* An entry of the worker's own.  Whose it is the pipe tells; the rest is as
 * hostile as what it prints. */
static bool
catch_entry(const struct catch *c, char *text, size_t len)
{
	struct log_entry entry = { .pid = c->pid, .pool = c->pool };

	if (!log_wire_get(text, len, &entry))
		return false;
	if (entry.level > LEVEL_ERROR)
		entry.level = LEVEL_ERROR;
	if (entry.request != NULL &&
	    !mark_is_id(entry.request, strlen(entry.request)))
		entry.request = NULL;
	log_relay(&entry);
	return true;
}

/* A mark begins a line of its own, even behind what another process wrote
 * without a newline.  A second one was printed by the application. */
static void
catch_text(struct catch *c, const char *text, size_t len)
{
	const char *end = text + len, *from = text, *at = text;
	char request[MARK_ID];
	size_t mark;

	for (; (at = memchr(at, MARK_BEGIN, (size_t)(end - at))) != NULL;
	    at += mark > 0 ? mark : 1) {
		mark = c->request[0] != '\0' ? 0 :
		    mark_parse(at, (size_t)(end - at), request);
		if (mark == 0)
			continue;
		if (at > from)
			catch_log(c, from, (size_t)(at - from));
		from = at + mark;
		memcpy(c->request, request, sizeof(request));
	}
	catch_log(c, from, (size_t)(end - from));
}

/* So does an entry. */
static void
catch_line(struct catch *c, char *text, size_t len)
{
	char *entry = memchr(text, LOG_WIRE_BEGIN, len);
	size_t before = entry == NULL ? len : (size_t)(entry - text);

	if (entry == NULL || !catch_entry(c, entry, len - before)) {
		catch_text(c, text, len);
		return;
	}
	if (before > 0)
		catch_text(c, text, before);
}

/* Up to where p[0..n) holds no half of a character. */
static size_t
whole_characters(const unsigned char *p, size_t n)
{
	size_t i, size;

	for (i = 1; i <= 3 && i <= n && p[n - i] >= 0x80; i++) {
		if (p[n - i] < 0xc0)
			continue;
		size = p[n - i] >= 0xf0 ? 4 : p[n - i] >= 0xe0 ? 3 : 2;
		return size > i ? n - i : n;
	}
	return n;
}

/* The line is too long, or there is no memory for more of it: log what is
 * there as a part. */
static void
catch_split(struct catch *c)
{
	struct buf *line = &c->line;
	char rest[3];
	size_t n = whole_characters((const unsigned char *)line->data,
	    line->len), left = line->len - n;

	memcpy(rest, line->data + n, left);
	line->len = n;
	buf_puts(line, GOES_ON);
	catch_line(c, line->data, line->len);
	buf_clear(line);
	buf_puts(line, WENT_ON);
	buf_add(line, rest, left);
	c->seen = line->len;
}

/* Log every whole line. */
static void
catch_lines(struct catch *c)
{
	struct buf *line = &c->line;
	size_t start = 0, at = c->seen;
	const char *nl;

	while (at < line->len && (nl = memchr(line->data + at, '\n',
	    line->len - at)) != NULL) {
		at = (size_t)(nl - line->data);
		catch_line(c, line->data + start, at - start);
		c->request[0] = '\0';
		start = ++at;
	}
	buf_consume(line, start);
	c->seen = line->len;
	if (line->len > CATCH_LINE + MARK_ID + 1)
		catch_split(c);
	if (line->cap > CATCH_KEEP && line->len == 0) {
		buf_free(line);
		buf_reserve(line, CATCH_KEEP);
	}
}

/* ---- reading ------------------------------------------------------------- */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Room for what may be read; without memory, that of what is there. */
static char *
catch_room(struct catch *c)
{
	char *room = buf_reserve(&c->line, CATCH_READ);

	if (room != NULL)
		return room;
	if (c->line.len > 0)
		catch_split(c);
	return buf_reserve(&c->line, CATCH_READ);
}

/* Take up to budget bytes.  False at end of file. */
static bool
catch_read(struct catch *c, size_t budget)
{
	char *room;
	ssize_t n;

	for (; budget > 0; budget -= (size_t)n) {
		room = catch_room(c);
		if (room == NULL) { /* another turn may have some */
			c->line.failed = false;
			return true;
		}
		n = read(c->fd, room, least(CATCH_READ, budget));
		if (n == -1)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		c->line.len += (size_t)n;
		catch_lines(c);
	}
	return true;
}

/* Take what is there now, no more: whoever holds the other end may write for
 * ever.  An unfinished line is one. */
static void
catch_rest(struct catch *c)
{
	int waiting;

	if (ioctl(c->fd, FIONREAD, &waiting) == 0 && waiting > 0)
		catch_read(c, (size_t)waiting);
	if (c->line.len > 0)
		catch_line(c, c->line.data, c->line.len);
	c->request[0] = '\0';
	buf_clear(&c->line);
	c->seen = 0;
}

static void
catch_end(struct catch *c)
{
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
		catch_close(c);
}

static int
catch_watch(struct catch *c, void (*ready)(void *arg, int fd, short revents),
    void *arg)
{
	if (buf_reserve(&c->line, CATCH_KEEP) != NULL &&
	    loop_watch(c->loop, c->fd, POLLIN, ready, arg) == 0)
		return 0;
	buf_free(&c->line);
	fd_close(&c->fd);
	return -1;
}

int
catch_open(struct catch *c, struct loop *loop, int fd, const char *pool,
    pid_t pid)
{
	*c = (struct catch){ .loop = loop, .fd = fd, .pid = pid };
	snprintf(c->pool, sizeof(c->pool), "%s", pool);
	if (fd == -1)
		return 0;
	if (fd_nonblock(fd, true) == 0)
		return catch_watch(c, catch_ready, c);
	fd_close(&c->fd);
	return -1;
}

void
catch_close(struct catch *c)
{
	if (c->fd == -1)
		return;
	catch_rest(c);
	catch_end(c);
}

/* ---- after the worker ----------------------------------------------------- */

static void
forget(struct left *left)
{
	struct left **p;

	for (p = &self.left; *p != left; p = &(*p)->next)
		;
	*p = left->next;
	self.n--;
	free(left);
}

static void
left_ready(void *arg, int fd, short revents)
{
	struct left *left = arg;

	catch_ready(&left->catch, fd, revents);
	if (left->catch.fd == -1)
		forget(left);
}

/* Does anybody hold the other end? */
static bool
is_held(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0 || (p.revents & POLLHUP) == 0;
}

void
catch_leave(struct catch *c)
{
	struct left *left = NULL;

	if (c->fd == -1)
		return;
	catch_rest(c);
	if (is_held(c->fd) && self.n < CATCH_LEFT)
		left = calloc(1, sizeof(*left));
	if (left == NULL) {
		catch_end(c);
		return;
	}
	loop_unwatch(c->loop, c->fd);
	left->catch = *c;
	*c = (struct catch){ .fd = -1 };
	if (catch_watch(&left->catch, left_ready, left) == -1) {
		free(left);
		return;
	}
	left->next = self.left;
	self.left = left;
	self.n++;
}

void
catch_finish(void)
{
	while (self.left != NULL) {
		catch_close(&self.left->catch);
		forget(self.left);
	}
}

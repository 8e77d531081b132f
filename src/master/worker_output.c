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
#include "base/num.h"

#define OUTPUT_LINE 1048576 /* bytes; the longest line, without its tag */
#define OUTPUT_TURN 65536   /* most bytes read in one turn */
#define OUTPUT_READ 16384   /* bytes of one read(2) */
#define OUTPUT_KEEP (2 * OUTPUT_READ) /* memory kept for the next line */
#define OUTPUT_LEFT 64	   /* most outputs without a worker */

#define GOES_ON	 " [line goes on]"
#define WENT_ON	 "[line goes on] "

struct left { /* the worker is gone, a child of it may still write */
	struct worker_output catch;
	struct left *next;
};

static struct {
	struct left *left;
	unsigned n;
} self;

/* ---- lines --------------------------------------------------------------- */

static void
worker_output_log(const struct worker_output *c, const char *text, size_t len)
{
	log_relay(&(struct log_entry) { .level = LEVEL_NOTICE, .pid = c->pid,
	    .pool = c->pool, .text = text, .len = len,
	    .request = c->request[0] != '\0' ? c->request : NULL });
}

/* Log an entry of the worker's own.  Pool and pid are those of the pipe; the
 * rest is as hostile as what it prints, so that level and id are checked.
 * False if it is no entry. */
static bool
worker_output_entry(const struct worker_output *c, char *text, size_t len)
{
	struct log_entry entry = { .pid = c->pid, .pool = c->pool };

	if (!log_wire_get(text, len, &entry))
		return false;
	if (entry.level > LEVEL_ERROR)
		entry.level = LEVEL_ERROR;
	if (entry.request != NULL &&
	    !output_tag_is_id(entry.request, strlen(entry.request)))
		entry.request = NULL;
	log_relay(&entry);
	return true;
}

/* A tag begins a line of its own, even behind what another process wrote
 * without a newline.  A second tag was printed by the application. */
static void
worker_output_text(struct worker_output *c, const char *text, size_t len)
{
	const char *end = text + len, *from = text, *at = text;
	char request[OUTPUT_TAG_ID];
	size_t mark;

	for (; (at = memchr(at, OUTPUT_TAG_BEGIN, (size_t)(end - at))) != NULL;
	    at += mark > 0 ? mark : 1) {
		mark = c->request[0] != '\0' ? 0 :
		    output_tag_parse(at, (size_t)(end - at), request);
		if (mark == 0)
			continue;
		if (at > from)
			worker_output_log(c, from, (size_t)(at - from));
		from = at + mark;
		memcpy(c->request, request, sizeof(request));
	}
	worker_output_log(c, from, (size_t)(end - from));
}

/* An entry begins a line of its own as well. */
static void
worker_output_line(struct worker_output *c, char *text, size_t len)
{
	char *entry = memchr(text, LOG_WIRE_BEGIN, len);
	size_t before = entry == NULL ? len : (size_t)(entry - text);

	if (entry == NULL || !worker_output_entry(c, entry, len - before)) {
		worker_output_text(c, text, len);
		return;
	}
	if (before > 0)
		worker_output_text(c, text, before);
}

/* n, less the bytes of a UTF-8 character that is cut at the end of p. */
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

/* The line is too long, or memory ran out: log what has come of it as a
 * part. */
static void
worker_output_split(struct worker_output *c)
{
	struct buf *line = &c->line;
	char rest[3];
	size_t n = whole_characters((const unsigned char *)line->data,
	    line->len), left = line->len - n;

	memcpy(rest, line->data + n, left);
	line->len = n;
	buf_puts(line, GOES_ON);
	worker_output_line(c, line->data, line->len);
	buf_clear(line);
	buf_puts(line, WENT_ON);
	buf_add(line, rest, left);
	c->seen = line->len;
}

/* Log every whole line. */
static void
worker_output_lines(struct worker_output *c)
{
	struct buf *line = &c->line;
	size_t start = 0, at = c->seen;
	const char *nl;

	while (at < line->len && (nl = memchr(line->data + at, '\n',
	    line->len - at)) != NULL) {
		at = (size_t)(nl - line->data);
		worker_output_line(c, line->data + start, at - start);
		c->request[0] = '\0';
		start = ++at;
	}
	buf_consume(line, start);
	c->seen = line->len;
	if (line->len > OUTPUT_LINE + OUTPUT_TAG_ID + 1)
		worker_output_split(c);
	if (line->cap > OUTPUT_KEEP && line->len == 0) {
		buf_free(line);
		buf_reserve(line, OUTPUT_KEEP);
	}
}

/* ---- reading ------------------------------------------------------------- */

/* Room for one read; if memory ran out, what has come of the line is logged to
 * make room.  NULL: there is none even then. */
static char *
worker_output_room(struct worker_output *c)
{
	char *room = buf_reserve(&c->line, OUTPUT_READ);

	if (room != NULL)
		return room;
	if (c->line.len > 0)
		worker_output_split(c);
	return buf_reserve(&c->line, OUTPUT_READ);
}

/* Read up to budget bytes.  False at end of file, or on error. */
static bool
worker_output_read(struct worker_output *c, size_t budget)
{
	char *room;
	ssize_t n;

	for (; budget > 0; budget -= (size_t)n) {
		room = worker_output_room(c);
		if (room == NULL) { /* there may be some in another turn */
			c->line.failed = false;
			return true;
		}
		n = read(c->fd, room,
		    (size_t)num_least(OUTPUT_READ, (int64_t)budget));
		if (n == -1)
			return errno == EAGAIN || errno == EINTR;
		if (n == 0)
			return false;
		c->line.len += (size_t)n;
		worker_output_lines(c);
	}
	return true;
}

/* Log what is in the pipe now, an unfinished line too, and no more: another
 * process may write to it for ever. */
static void
worker_output_rest(struct worker_output *c)
{
	int waiting;

	if (ioctl(c->fd, FIONREAD, &waiting) == 0 && waiting > 0)
		worker_output_read(c, (size_t)waiting);
	if (c->line.len > 0)
		worker_output_line(c, c->line.data, c->line.len);
	c->request[0] = '\0';
	buf_clear(&c->line);
	c->seen = 0;
}

static void
worker_output_end(struct worker_output *c)
{
	loop_unwatch(c->loop, c->fd);
	fd_close(&c->fd);
	buf_free(&c->line);
}

static void
worker_output_ready(void *arg, int fd, short revents)
{
	struct worker_output *c = arg;

	(void)fd;
	(void)revents;
	if (!worker_output_read(c, OUTPUT_TURN))
		worker_output_close(c);
}

static int
worker_output_watch(struct worker_output *c,
    void (*ready)(void *arg, int fd, short revents), void *arg)
{
	if (buf_reserve(&c->line, OUTPUT_KEEP) != NULL &&
	    loop_watch(c->loop, c->fd, POLLIN, ready, arg) == 0)
		return 0;
	buf_free(&c->line);
	fd_close(&c->fd);
	return -1;
}

int
worker_output_open(struct worker_output *c, struct loop *loop, int fd,
    const char *pool, pid_t pid)
{
	*c = (struct worker_output){ .loop = loop, .fd = fd, .pid = pid };
	snprintf(c->pool, sizeof(c->pool), "%s", pool);
	if (fd == -1)
		return 0;
	if (fd_nonblock(fd, true) == 0)
		return worker_output_watch(c, worker_output_ready, c);
	fd_close(&c->fd);
	return -1;
}

void
worker_output_close(struct worker_output *c)
{
	if (c->fd == -1)
		return;
	worker_output_rest(c);
	worker_output_end(c);
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

	worker_output_ready(&left->catch, fd, revents);
	if (left->catch.fd == -1)
		forget(left);
}

/* True if a process holds the other end. */
static bool
is_held(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0 || (p.revents & POLLHUP) == 0;
}

void
worker_output_leave(struct worker_output *c)
{
	struct left *left = NULL;

	if (c->fd == -1)
		return;
	worker_output_rest(c);
	if (is_held(c->fd) && self.n < OUTPUT_LEFT)
		left = calloc(1, sizeof(*left));
	if (left == NULL) {
		worker_output_end(c);
		return;
	}
	loop_unwatch(c->loop, c->fd);
	left->catch = *c;
	*c = (struct worker_output){ .fd = -1 };
	if (worker_output_watch(&left->catch, left_ready, left) == -1) {
		free(left);
		return;
	}
	left->next = self.left;
	self.left = left;
	self.n++;
}

void
worker_output_finish(void)
{
	while (self.left != NULL) {
		worker_output_close(&self.left->catch);
		forget(self.left);
	}
}

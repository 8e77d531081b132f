#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/num.h"
#include "base/tuning.h"
#include "hub/hub_impl.h"

#define PUBLISHERS 16
#define READ	   (64 * 1024)

/* ---- its end ------------------------------------------------------------------- */

static void
end(struct hub *hub, struct hub_publisher *p)
{
	struct hub_publisher **at = &hub->publishers;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	hub->npublishers--;
	hub_unwatch(hub, p->fd);
	buf_free(&p->in);
	free(p);
}

/* A few bytes, for which the connection has room; or the client has gone. */
static void
say(int fd, bool good, const char *text)
{
	struct buf answer = { 0 };

	buf_addf(&answer, "%s\n%s\n", good ? "ok" : "failed", text);
	if (!answer.failed)
		send(fd, answer.data, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	buf_free(&answer);
}

static void
refuse(struct hub *hub, struct hub_publisher *p, const char *why)
{
	say(p->fd, false, why);
	end(hub, p);
}

static const char *
fault(int error)
{
	switch (error) {
	case EMSGSIZE:
		return "the data is longer than 16M";
	case EILSEQ:
		return "the data is no UTF-8: publish it as binary";
	default:
		return strerror(error);
	}
}

static void
tell(const struct hub_publisher *p, const struct hub_part *name, size_t len, long n)
{
	char shown[4 * HUB_CHANNEL + 1], text[64];

	snprintf(text, sizeof(text), "queued to %ld WebSocket%s", n,
	    n == 1 ? "" : "s");
	say(p->fd, true, text);
	escape_cut(name->data, name->len, shown, sizeof(shown));
	log_info("%zu bytes were published to the channel %s: %s", len, shown,
	    text);
}

/* ---- what it sends --------------------------------------------------------------- */

/* All has come. */
static void
publish(struct hub *hub, struct hub_publisher *p)
{
	const struct hub_part name = { p->in.data, p->name };
	struct hub_part data;
	long n;

	if (p->in.len < p->name) {
		refuse(hub, p, "the channel is cut");
		return;
	}
	data = (struct hub_part){ p->in.data + p->name, p->in.len - p->name };
	n = hub_publish(hub, p->kind, &name, &data);
	if (n == -1) {
		refuse(hub, p, fault(errno));
		return;
	}
	tell(p, &name, data.len, n);
	end(hub, p);
}

static void
ready(struct hub *hub, struct hub_watch *watch, uint32_t events)
{
	struct hub_publisher *p = (struct hub_publisher *)((char *)watch -
	    offsetof(struct hub_publisher, watch));
	char *room = buf_reserve(&p->in, READ);
	ssize_t n;

	(void)events;
	if (room == NULL) {
		refuse(hub, p, strerror(ENOMEM));
		return;
	}
	n = recv(p->fd, room, READ, MSG_DONTWAIT);
	if (n > 0) {
		p->in.len += (size_t)n;
		p->due = hub->now + tuning.control;
		if (p->in.len > p->name + HUB_DATA)
			refuse(hub, p, fault(EMSGSIZE));
	} else if (n == 0) {
		publish(hub, p);
	} else if (errno != EAGAIN && errno != EINTR) {
		end(hub, p);
	}
}

/* ---- its beginning ------------------------------------------------------------------ */

/* "publish KIND LENGTH": the words, as they were sent to the master. */
static const char *
read_line(struct hub_publisher *p, char *line)
{
	char *rest = line, *kind, *length;
	int64_t n;

	strtok_r(rest, " ", &rest);
	kind = strtok_r(rest, " ", &rest);
	length = strtok_r(rest, " ", &rest);
	if (kind != NULL && strcmp(kind, "text") == 0)
		p->kind = WS_TEXT;
	else if (kind != NULL && strcmp(kind, "binary") == 0)
		p->kind = WS_BINARY;
	else
		return "expected text or binary";
	if (length == NULL || num_integer(length, 1, HUB_CHANNEL, &n) == -1)
		return "a channel has from 1 to 255 bytes";
	p->name = (size_t)n;
	return NULL;
}

static const char *
begin(struct hub *hub, struct hub_publisher *p, char *text, size_t n)
{
	char *end_of_line = memchr(text, '\n', n);
	const char *why;

	if (end_of_line == NULL)
		return "the line is too long";
	*end_of_line++ = '\0';
	why = read_line(p, text);
	if (why != NULL)
		return why;
	if (hub->npublishers >= PUBLISHERS)
		return "busy: 16 others publish already";
	if (buf_add(&p->in, end_of_line, n - (size_t)(end_of_line - text)) ==
	    -1 || fd_nonblock(p->fd, true) == -1 ||
	    hub_watch(hub, &p->watch, p->fd, EPOLLIN) == -1)
		return strerror(errno);
	return NULL;
}

static void
add(struct hub *hub, struct hub_publisher *p)
{
	p->next = hub->publishers;
	hub->publishers = p;
	hub->npublishers++;
}

void
hub_hear_publisher(struct hub *hub, int fd, char *text, size_t n)
{
	struct hub_publisher *p = calloc(1, sizeof(*p));
	const char *why = strerror(ENOMEM);

	if (p != NULL) {
		*p = (struct hub_publisher){ .watch.ready = ready, .fd = fd,
			.due = hub->now + tuning.control };
		why = begin(hub, p, text, n);
	}
	if (why == NULL) {
		add(hub, p);
		return;
	}
	say(fd, false, why);
	fd_discard(fd);
	if (p != NULL)
		buf_free(&p->in);
	free(p);
}

bool
hub_publisher_adopt(struct hub *hub, int fd,
    const struct hub_state_publisher *from)
{
	struct hub_publisher *p = calloc(1, sizeof(*p));

	if (p == NULL || buf_add(&p->in, from->in.data, from->in.len) == -1 ||
	    fd_nonblock(fd, true) == -1 ||
	    hub_watch(hub, &p->watch, fd, EPOLLIN) == -1) {
		if (p != NULL)
			buf_free(&p->in);
		free(p);
		fd_discard(fd);
		return false;
	}
	p->watch.ready = ready;
	p->fd = fd;
	p->kind = (unsigned)from->kind;
	p->name = (size_t)from->name;
	p->due = hub->now + tuning.control;
	add(hub, p);
	return true;
}

/* ---- time -------------------------------------------------------------------------- */

int64_t
hub_publishers_due(const struct hub *hub)
{
	int64_t due = -1;

	for (struct hub_publisher *p = hub->publishers; p != NULL; p = p->next)
		if (due == -1 || p->due < due)
			due = p->due;
	return due;
}

void
hub_publishers_expire(struct hub *hub)
{
	struct hub_publisher *p, *next;

	for (p = hub->publishers; p != NULL; p = next) {
		next = p->next;
		if (p->due <= hub->now)
			refuse(hub, p, "the end of the data has not come");
	}
}

void
hub_publishers_end(struct hub *hub, const char *why)
{
	while (hub->publishers != NULL)
		refuse(hub, hub->publishers, why);
}

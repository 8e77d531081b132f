#include "worker/net/handoff.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/record.h"
#include "worker/net/allow.h"

#define PAUSE	 5 /* ms between two attempts */
#define ENVELOPE 1024 /* bytes of a message besides `bytes`, at most */

static bool told; /* a refusal has been logged */

/* ---- giving -------------------------------------------------------------- */

static int
write_message(const struct conn *c, struct buf *out)
{
	struct buf bytes = { 0 };
	bool fits = conn_kind(c)->pack(c, &bytes) == 0 &&
	    bytes.len + c->out.len <= HANDOFF_BYTES;

	record_put_number(out, "handoff", HANDOFF_VERSION);
	record_put_text(out, "protocol", conn_kind(c)->name);
	record_put_number(out, "idle", c->state == CONN_IDLE);
	if (c->since > 0)
		record_put_number(out, "since", c->since);
	record_put(out, "bytes", bytes.data, bytes.len);
	if (c->state == CONN_FLUSH) {
		record_put(out, "output", c->out.data, c->out.len);
		record_put_number(out, "then", c->then);
	}
	buf_free(&bytes);
	errno = fits ? ENOMEM : EMSGSIZE;
	return fits && !out->failed ? 0 : -1;
}

int
handoff_give(struct conn *c, int exchange)
{
	struct buf message = { 0 };
	long sent = -1;
	int error;

	if (write_message(c, &message) == 0)
		sent = fd_send(exchange, c->fd, message.data, message.len);
	error = errno;
	buf_free(&message);
	if (sent != -1)
		conn_close(c);
	errno = error;
	return sent == -1 ? -1 : 0;
}

/* After handoff_give has failed with this errno.  True if there may be room by
 * now.  ETOOMANYREFS is a limit of the user on descriptors in transit: no event
 * tells when some have been taken, so it is tried again after a pause. */
static bool
await_room(int exchange, int64_t until)
{
	struct pollfd p = { .fd = exchange, .events = POLLOUT };
	int64_t left = until - clock_ms();

	if (errno == ETOOMANYREFS && left > 0)
		return poll(NULL, 0, left < PAUSE ? (int)left : PAUSE) == 0;
	return errno == EAGAIN && left > 0 && poll(&p, 1, (int)left) == 1;
}

/* True if it has sent no byte of a request since its last response. */
static bool
is_silent(const struct conn *c)
{
	return c->in.len == 0 &&
	    (c->state == CONN_IDLE || c->state == CONN_HEAD);
}

static void
give_state(enum conn_state state, int exchange, int64_t until, bool silent)
{
	struct conn *c, *next;

	for (unsigned kind = 0; kind < CONN_KINDS; kind++)
		for (c = conn_oldest(kind, state); c != NULL; c = next) {
			next = c->next;
			if (silent && !is_silent(c))
				continue;
			while (handoff_give(c, exchange) == -1 &&
			    await_room(exchange, until))
				;
		}
}

void
handoff_give_all(int exchange, int64_t patience)
{
	static const enum conn_state states[] = { CONN_READY, CONN_IDLE,
		CONN_HEAD, CONN_BODY, CONN_FLUSH };
	int64_t until = clock_ms() + patience;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		give_state(states[i], exchange, until, false);
}

void
handoff_give_silent(int exchange, int64_t patience)
{
	int64_t until = clock_ms() + patience;

	give_state(CONN_IDLE, exchange, until, true);
	give_state(CONN_HEAD, exchange, until, true);
}

void
handoff_give_fresh(int exchange, int64_t age)
{
	int64_t now = clock_ms();
	struct conn *c, *older;

	for (unsigned kind = 0; kind < CONN_KINDS; kind++)
		for (c = conn_newest(kind, CONN_HEAD);
		    c != NULL && conn_age(c, now) < age; c = older) {
			older = c->prev;
			handoff_give(c, exchange);
		}
}

void
handoff_nudge(int exchange)
{
	fd_send(exchange, -1, "", 1);
}

/* ---- taking -------------------------------------------------------------- */

/* True if a descriptor is free or can be made so.  Without one a message would
 * be lost with its connection when it is received. */
static bool
room(int exchange)
{
	bool has;

	do
		has = fd_has_room(exchange);
	while (!has && conn_make_room());
	return has;
}

/* recv(2) returns 0 for an empty message as well, so the state is asked for. */
bool
handoff_has_ended(int exchange)
{
	struct pollfd p = { .fd = exchange, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP)) != 0;
}

static int
option(int fd, int name)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == -1 ? -1 :
	    value;
}

/* True if a listener of ours might have accepted it. */
static bool
is_connection(int fd)
{
	int domain = option(fd, SO_DOMAIN);

	return (domain == AF_UNIX || domain == AF_INET ||
	    domain == AF_INET6) && option(fd, SO_TYPE) == SOCK_STREAM &&
	    option(fd, SO_ACCEPTCONN) == 0;
}

struct parcel { /* points into the message */
	int kind;
	bool idle;
	bool fresh;
	int64_t since;
	int64_t then;
	struct record bytes, output;
};

static struct record
text_of(const struct record *whole, const char *name)
{
	struct record part;

	return record_find(whole, name, &part) ? part :
	    (struct record){ .value = "" };
}

/* What is wrong with the message; NULL: nothing. */
static const char *
parse(const char *message, size_t n, struct parcel *out)
{
	const struct record whole = { .value = message, .len = n };
	struct record part;

	if (!record_find(&whole, "handoff", &part) || part.name != message ||
	    !record_is_whole(&whole))
		return "not a message of this kind";
	if (record_number(&whole, "handoff", 0) != HANDOFF_VERSION)
		return "of an unknown version";
	part = text_of(&whole, "protocol");
	out->kind = conn_kind_find(part.value, part.len);
	if (out->kind == -1)
		return "of an unknown protocol";
	out->bytes = text_of(&whole, "bytes");
	out->output = text_of(&whole, "output");
	out->idle = record_number(&whole, "idle", 0) != 0;
	out->fresh = record_number(&whole, "fresh", 0) != 0;
	out->since = record_number(&whole, "since", 0);
	out->then = record_number(&whole, "then", CONN_THEN_CLOSE);
	if (out->bytes.len + out->output.len > HANDOFF_BYTES)
		return "a length that cannot be";
	return NULL;
}

/* Logged once: what sends one such message may send a flood of them. */
static struct conn *
refuse(int fd, const char *reason)
{
	fd_discard(fd);
	if (!told)
		log_warning("refused what another worker hands over: %s",
		    reason);
	told = true;
	errno = EPROTO;
	return NULL;
}

/* The socket may still hold what other workers wrote: close(2) must not wait
 * until that is sent, and the next write may block. */
static struct conn *
adopt(int fd, const struct parcel *parcel)
{
	const struct linger never = { 0 };
	struct conn *c;

	if (parcel->fresh && !allow_admit(fd)) {
		close(fd);
		errno = ENOMSG;
		return NULL;
	}
	c = conn_add(fd, (unsigned)parcel->kind);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &never, sizeof(never));
	c->written = CONN_WRITTEN_UNKNOWN;
	c->since = parcel->since;
	if (parcel->idle)
		c->state = CONN_IDLE;
	if (parcel->output.len > 0) {
		c->state = CONN_FLUSH;
		c->pending = clock_ms();
		c->then = parcel->then == CONN_THEN_KEEP ||
		    parcel->then == CONN_THEN_LINGER ?
		    (enum conn_then)parcel->then : CONN_THEN_CLOSE;
	}
	if (conn_put_back(c, parcel->bytes.value, parcel->bytes.len) == 0 &&
	    buf_add(&c->out, parcel->output.value, parcel->output.len) == 0)
		return c;
	conn_close(c);
	return refuse(-1, strerror(ENOMEM));
}

struct conn *
handoff_take(int exchange)
{
	static char message[HANDOFF_BYTES + ENVELOPE];
	struct parcel parcel;
	const char *fault;
	long n;
	int fd;

	if (!room(exchange)) {
		errno = EMFILE;
		return NULL;
	}
	n = fd_receive(exchange, &fd, message, sizeof(message));
	if (n == -1)
		return NULL;
	if (fd == -1 && n == 0 && handoff_has_ended(exchange)) {
		errno = EPIPE;
		return NULL;
	}
	if (fd == -1 && n == 1 && message[0] == '\0') {
		errno = ENOMSG;
		return NULL;
	}
	fault = parse(message, (size_t)n, &parcel);
	if (fault == NULL && !is_connection(fd))
		fault = "not a connection";
	return fault == NULL ? adopt(fd, &parcel) : refuse(fd, fault);
}

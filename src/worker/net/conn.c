#include "worker/net/conn.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "worker/net/poller.h"

#define RECEIVE_KEEP  (2 * CONN_RECEIVE) /* a larger buffer is freed */
#define LINGER_CHUNK  (64 * 1024)
#define HELD_MOST     (32 << 20) /* bytes of all heads that are not complete */
#define NOTE_BATCH    64
#define SETTLED	      1000 /* ms in a state before conn_make_room may close */

struct queue { /* oldest first; every member has the same patience, so the
		  order of arrival is the order of deadlines */
	struct conn *first, *last;
	unsigned n;
};

static struct {
	int wait_set;
	struct conn_limits limits;
	struct conn *place; /* limits.max of them, */
	char *proto;	    /* and a protocol's state for each */
	struct conn *free;  /* free places that were in use, linked by next */
	int used; /* places that were ever in use: the others cost no memory */
	struct queue queue[CONN_STATES];
	size_t held; /* the sum of conn.held */
	struct buf receive; /* the large buffer; empty while a connection has
			       it */
} set;

int
conn_init(int wait_set, const struct conn_limits *limits)
{
	set.wait_set = wait_set;
	set.limits = *limits;
	set.place = calloc((size_t)limits->max, sizeof(*set.place));
	set.proto = calloc((size_t)limits->max, limits->state_size);
	return set.place == NULL || set.proto == NULL ? -1 : 0;
}

static uint64_t
key_of(const struct conn *c)
{
	return (uint64_t)c->serial << 32 | (uint32_t)(c - set.place);
}

struct conn *
conn_find(uint64_t key)
{
	struct conn *c;

	if ((uint32_t)key >= (uint32_t)set.limits.max)
		return NULL;
	c = &set.place[(uint32_t)key];
	return c->state != CONN_FREE && c->serial == key >> 32 ? c : NULL;
}

/* ---- what has been received ---------------------------------------------- */

static void
buffer_take(struct conn *c)
{
	if (c->in.cap > 0)
		return;
	c->in = set.receive;
	memset(&set.receive, 0, sizeof(set.receive));
	if (c->in.cap == 0)
		buf_reserve(&c->in, CONN_RECEIVE);
}

/* An idle connection keeps no memory.  A buffer of a fitting size is kept as
 * the large one, if there is none. */
static void
buffer_give(struct conn *c)
{
	if (set.receive.cap == 0 && c->in.cap >= CONN_RECEIVE &&
	    c->in.cap <= RECEIVE_KEEP) {
		buf_clear(&c->in);
		set.receive = c->in;
		memset(&c->in, 0, sizeof(c->in));
	} else {
		buf_free(&c->in);
	}
}

/* An incomplete head is moved to memory of about its size, so that the large
 * buffer is free for the next connection. */
static int
buffer_leave(struct conn *c)
{
	struct buf own = { 0 };

	if (c->in.cap < CONN_RECEIVE / 2 || c->in.len > c->in.cap / 2)
		return 0;
	if (buf_add(&own, c->in.data, c->in.len) == -1)
		return -1;
	buffer_give(c);
	c->in = own;
	return 0;
}

/* ---- queues -------------------------------------------------------------- */

static void
enqueue(struct conn *c)
{
	struct queue *q = &set.queue[c->state];

	q->n++;
	c->next = NULL;
	c->prev = q->last;
	if (q->last != NULL)
		q->last->next = c;
	else
		q->first = c;
	q->last = c;
}

static void
dequeue(struct conn *c)
{
	struct queue *q = &set.queue[c->state];

	q->n--;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		q->first = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		q->last = c->prev;
	c->prev = c->next = NULL;
	c->due = 0;
}

/* age: ms that it must have been in its state, unless it is idle. */
static bool
close_oldest(int64_t age)
{
	static const enum conn_state order[] = { CONN_IDLE, CONN_LINGER,
		CONN_HEAD };
	int64_t now = clock_ms();

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct conn *c = set.queue[order[i]].first;

		if (c == NULL ||
		    (order[i] != CONN_IDLE && conn_age(c, now) < age))
			continue;
		conn_close(c);
		return true;
	}
	return false;
}

bool
conn_make_room(void)
{
	return close_oldest(SETTLED);
}

static struct conn *
take_place(void)
{
	struct conn *c;

	if (set.free == NULL && set.used < set.limits.max)
		return &set.place[set.used++];
	if (set.free == NULL)
		close_oldest(0);
	/* At most one connection is in no queue, the one being served, and
	 * limits.max is larger than 1: close_oldest has found one. */
	c = set.free;
	set.free = c->next;
	return c;
}

struct conn *
conn_add(int fd)
{
	struct conn *c = take_place();
	uint32_t serial = c->serial == UINT32_MAX ? 1 : c->serial + 1;

	memset(c, 0, sizeof(*c));
	c->proto = set.proto + (size_t)(c - set.place) * set.limits.state_size;
	memset(c->proto, 0, set.limits.state_size);
	c->serial = serial;
	c->fd = fd;
	c->state = CONN_HEAD;
	return c;
}

static void
account(struct conn *c, size_t held)
{
	set.held += held - c->held;
	c->held = held;
}

/* Close the oldest incomplete heads until the memory of all is within its
 * bound.  False if c was one of them. */
static bool
fits(const struct conn *c)
{
	struct conn *slow = set.queue[CONN_HEAD].first, *next;

	for (; set.held > HELD_MOST && slow != NULL; slow = next) {
		next = slow->next;
		if (slow->held == 0)
			continue;
		conn_close(slow);
		if (slow == c)
			return false;
	}
	return true;
}

/* `due` is set exactly while a connection is in a queue. */
int
conn_park(struct conn *c, enum conn_state state)
{
	c->since = 0;
	if (c->in.len == 0)
		buffer_give(c);
	else if (buffer_leave(c) == -1) {
		conn_close(c);
		return -1;
	}
	if (c->due != 0 && c->state == state) {
		account(c, c->in.cap);
		return fits(c) ? 0 : -1;
	}
	if (c->due != 0)
		dequeue(c);
	c->state = state;
	c->due = clock_ms() + set.limits.patience[state];
	enqueue(c);
	account(c, c->in.cap);
	if (!c->waited &&
	    poller_add(set.wait_set, c->fd, key_of(c), false) == -1) {
		conn_close(c);
		return -1;
	}
	c->waited = true;
	return fits(c) ? 0 : -1;
}

static void
note_waiting(enum conn_state state, int64_t now)
{
	struct conn *seen[NOTE_BATCH];
	struct pollfd p[NOTE_BATCH];
	nfds_t n = 0;

	for (struct conn *c = conn_oldest(state); c != NULL; c = c->next) {
		if (c->since == 0) {
			p[n] = (struct pollfd){ c->fd, POLLIN, 0 };
			seen[n++] = c;
		}
		if (n < NOTE_BATCH && c->next != NULL)
			continue;
		poll(p, n, 0);
		while (n > 0)
			if (p[--n].revents != 0)
				seen[n]->since = now;
	}
}

void
conn_note_waiting(int64_t now)
{
	note_waiting(CONN_IDLE, now);
	note_waiting(CONN_HEAD, now);
}

void
conn_take(struct conn *c)
{
	account(c, 0);
	if (c->due != 0)
		dequeue(c);
	c->state = CONN_HEAD;
}

void
conn_close(struct conn *c)
{
	if (c->due != 0)
		dequeue(c);
	/* close(2) alone would leave it in the wait set if a process that the
	 * application forked has a copy of the descriptor. */
	if (c->waited)
		poller_remove(set.wait_set, c->fd);
	close(c->fd);
	c->fd = -1;
	c->state = CONN_FREE;
	account(c, 0);
	buffer_give(c);
	c->next = set.free;
	set.free = c;
}

void
conn_linger(struct conn *c)
{
	buf_clear(&c->in);
	if (shutdown(c->fd, SHUT_WR) == -1 || !conn_discard(c)) {
		conn_close(c);
		return;
	}
	conn_park(c, CONN_LINGER);
}

ssize_t
conn_receive(struct conn *c, size_t most)
{
	char *room;
	ssize_t got;
	size_t n;

	buffer_take(c);
	room = buf_reserve(&c->in, CONN_ROOM);
	if (room == NULL) {
		errno = ENOMEM;
		return -1;
	}
	n = c->in.cap - c->in.len;
	got = recv(c->fd, room, n < most ? n : most, MSG_DONTWAIT);
	if (got > 0)
		c->in.len += (size_t)got;
	return got;
}

int
conn_put_back(struct conn *c, const char *bytes, size_t n)
{
	if (n == 0)
		return 0;
	buffer_take(c);
	return buf_add(&c->in, bytes, n);
}

bool
conn_discard(struct conn *c)
{
	char trash[LINGER_CHUNK];
	ssize_t n;

	/* One chunk a turn: a peer that floods does not hold the worker. */
	n = recv(c->fd, trash, sizeof(trash), MSG_DONTWAIT);
	return n > 0 || (n == -1 && errno == EAGAIN);
}

int64_t
conn_next_due(void)
{
	int64_t due = -1;

	for (int i = 0; i < CONN_STATES; i++) {
		struct conn *c = set.queue[i].first;

		if (c != NULL && (due == -1 || c->due < due))
			due = c->due;
	}
	return due;
}

void
conn_expire(int64_t now, void (*late)(struct conn *))
{
	for (int i = 0; i < CONN_STATES; i++) {
		struct conn *c;

		while ((c = set.queue[i].first) != NULL && c->due <= now) {
			if (i == CONN_HEAD)
				late(c);
			conn_close(c);
		}
	}
}

unsigned
conn_count(enum conn_state state)
{
	return set.queue[state].n;
}

struct conn *
conn_oldest(enum conn_state state)
{
	return set.queue[state].first;
}

struct conn *
conn_newest(enum conn_state state)
{
	return set.queue[state].last;
}

int64_t
conn_age(const struct conn *c, int64_t now)
{
	return now - (c->due - set.limits.patience[c->state]);
}

#include "worker/net/conn.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "base/clock.h"
#include "worker/net/poller.h"

#define RECEIVE_KEEP  (2 * CONN_RECEIVE) /* a larger buffer is freed */
#define LINGER_CHUNK  (64 * 1024)
#define HELD_MOST     (64 << 20) /* bytes of all that wait for their peers */
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
	char *proto;	    /* and a protocol's state for each, */
	size_t state_size;  /* of the kind that needs most */
	struct conn *free;  /* free places that were in use, linked by next */
	int used; /* places that were ever in use: the others cost no memory */
	struct queue queue[CONN_KINDS][CONN_STATES];
	size_t held; /* the sum of conn.held */
	struct buf receive; /* the large buffer; empty while a connection has
			       it */
} set;

/* Zero at first, and no memory before it is written to, which calloc does not
 * promise: it may clear what was in use.  Of size 0 there is something too. */
static void *
reserve(int n, size_t size)
{
	void *p = mmap(NULL, (size_t)n * size + 1, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
#ifdef __SANITIZE_ADDRESS__
	/* It looks for pointers only where malloc(3) has been. */
	__lsan_register_root_region(p, (size_t)n * size);
#endif
	return p;
}

int
conn_init(int wait_set, const struct conn_limits *limits)
{
	set.wait_set = wait_set;
	set.limits = *limits;
	set.state_size = 1; /* nothing cannot be reserved */
	for (unsigned i = 0; i < limits->nkinds; i++)
		if (limits->kinds[i].state_size > set.state_size)
			set.state_size = limits->kinds[i].state_size;
	set.place = reserve(limits->max, sizeof(*set.place));
	set.proto = reserve(limits->max, set.state_size);
	return set.place == NULL || set.proto == NULL ? -1 : 0;
}

int
conn_kind_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < set.limits.nkinds; i++)
		if (strlen(set.limits.kinds[i].name) == len &&
		    memcmp(set.limits.kinds[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

const struct conn_kind *
conn_kind(const struct conn *c)
{
	return &set.limits.kinds[c->kind];
}

static uint64_t
key_of(const struct conn *c)
{
	return (uint64_t)c->serial << 32 | (uint32_t)(c - set.place);
}

struct conn *
conn_hear(uint64_t key, bool marked)
{
	struct conn *c;

	if ((uint32_t)key >= (uint32_t)set.limits.max)
		return NULL;
	c = &set.place[(uint32_t)key];
	if (c->state == CONN_FREE || c->serial != key >> 32)
		return NULL;
	c->drained = false;
	c->marked |= marked;
	return c;
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

static struct queue *
queue_of(const struct conn *c)
{
	return &set.queue[c->kind][c->state];
}

static void
enqueue(struct conn *c)
{
	struct queue *q = queue_of(c);

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
	struct queue *q = queue_of(c);

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

static struct conn *
older(struct conn *a, struct conn *b, int64_t now)
{
	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	return conn_age(b, now) > conn_age(a, now) ? b : a;
}

/* The oldest of all kinds. */
static struct conn *
oldest(enum conn_state state, int64_t now)
{
	struct conn *c = NULL;

	for (unsigned i = 0; i < set.limits.nkinds; i++)
		c = older(c, set.queue[i][state].first, now);
	return c;
}

/* That has been waiting for its peer in a request or a response. */
static struct conn *
slowest(int64_t now)
{
	return older(older(oldest(CONN_HEAD, now), oldest(CONN_BODY, now), now),
	    oldest(CONN_FLUSH, now), now);
}

/* age: ms that it must have been in its state, unless it is idle. */
static bool
close_oldest(int64_t age)
{
	int64_t now = clock_ms();
	struct conn *c = oldest(CONN_IDLE, now);

	if (c == NULL) {
		c = oldest(CONN_LINGER, now);
		if (c == NULL || conn_age(c, now) < age)
			c = slowest(now);
		if (c == NULL || conn_age(c, now) < age)
			c = age == 0 ? oldest(CONN_READY, now) : NULL;
	}
	if (c == NULL)
		return false;
	conn_close(c);
	return true;
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
conn_add(int fd, unsigned kind)
{
	struct conn *c = take_place();
	uint32_t serial = c->serial == UINT32_MAX ? 1 : c->serial + 1;

	memset(c, 0, sizeof(*c));
	c->proto = set.proto + (size_t)(c - set.place) * set.state_size;
	memset(c->proto, 0, set.state_size);
	c->serial = serial;
	c->fd = fd;
	c->kind = kind;
	c->state = CONN_HEAD;
	return c;
}

static void
account(struct conn *c, size_t held)
{
	set.held += held - c->held;
	c->held = held;
}

/* Close those that wait for their peer for the longest until the memory of all
 * is within its bound.  False if c was one of them. */
static bool
fits(const struct conn *c)
{
	int64_t now;
	struct conn *slow;
	bool closed = false;

	if (set.held <= HELD_MOST)
		return true;
	now = clock_ms();
	while (set.held > HELD_MOST && !closed &&
	    (slow = slowest(now)) != NULL) {
		closed = slow == c;
		conn_close(slow);
	}
	return !closed;
}

/*
 * Wait for what its state needs.  The wait set is asked again for what it may
 * have told already and is not received; not in CONN_READY, where nothing is
 * awaited.  While a part has come it is asked in any case: behind a descriptor,
 * for one, there may be more than one call receives.  0, or -1.
 */
static int
await(struct conn *c)
{
	bool outward = c->state == CONN_FLUSH, again = c->waited;

	if (again && c->outward == outward && (outward ||
	    c->state == CONN_READY || (c->drained && c->in.len == 0)))
		return 0;
	c->waited = true;
	c->outward = outward;
	return poller_await(set.wait_set, c->fd, key_of(c), outward, again);
}

/* True if a connection that is parked again in its state keeps its deadline. */
static bool
keeps_deadline(const struct conn *c, enum conn_state state)
{
	return c->due != 0 && c->state == state && state != CONN_BODY &&
	    state != CONN_FLUSH;
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
	if (c->out.len == 0)
		buf_free(&c->out);
	if (!keeps_deadline(c, state)) {
		if (c->due != 0)
			dequeue(c);
		c->state = state;
		c->due = clock_ms() + conn_kind(c)->patience[state];
		enqueue(c);
	}
	account(c, c->in.cap + c->out.cap);
	if (await(c) == -1) {
		conn_close(c);
		return -1;
	}
	return fits(c) ? 0 : -1;
}

static void
note_waiting(unsigned kind, enum conn_state state, int64_t now)
{
	struct conn *seen[NOTE_BATCH];
	struct pollfd p[NOTE_BATCH];
	nfds_t n = 0;

	for (struct conn *c = conn_oldest(kind, state); c != NULL;
	    c = c->next) {
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
	for (unsigned i = 0; i < set.limits.nkinds; i++) {
		note_waiting(i, CONN_IDLE, now);
		note_waiting(i, CONN_HEAD, now);
		note_waiting(i, CONN_BODY, now);
	}
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
conn_reset(const struct conn *c)
{
	const struct linger never = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &never, sizeof(never));
}

void
conn_close(struct conn *c)
{
	if (c->out.len > 0)
		conn_reset(c);
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
	buf_free(&c->out);
	c->next = set.free;
	set.free = c;
}

void
conn_linger(struct conn *c)
{
	buf_clear(&c->in);
	buf_clear(&c->out);
	if (shutdown(c->fd, SHUT_WR) == -1)
		conn_close(c);
	else
		conn_discard(c);
}

/* Less than there was room for is all there was, unless there are marks.  The
 * peer's end is to be met again by whoever reads next. */
ssize_t
conn_read(struct conn *c, struct iovec *piece, int n)
{
	const struct msghdr message = { .msg_iov = piece,
		.msg_iovlen = (size_t)n };
	size_t room = 0;
	ssize_t got;

	for (int i = 0; i < n; i++)
		room += piece[i].iov_len;
	got = n == 1 ? recv(c->fd, piece->iov_base, room, MSG_DONTWAIT) :
		       recvmsg(c->fd, (struct msghdr *)&message, MSG_DONTWAIT);
	c->drained = got != 0 && got < (ssize_t)room && !c->marked;
	return got;
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
	got = conn_read(c, &(struct iovec){ room, n < most ? n : most }, 1);
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

/* One chunk a turn: a peer that floods does not hold the worker. */
void
conn_discard(struct conn *c)
{
	char trash[LINGER_CHUNK];
	ssize_t n = conn_read(c, &(struct iovec){ trash, sizeof(trash) }, 1);

	if (n > 0 || (n == -1 && errno == EAGAIN))
		conn_park(c, CONN_LINGER);
	else
		conn_close(c);
}

int64_t
conn_next_due(void)
{
	int64_t due = -1;

	for (unsigned i = 0; i < set.limits.nkinds; i++) {
		if (set.queue[i][CONN_READY].first != NULL)
			return 0;
		for (int j = 0; j < CONN_STATES; j++) {
			struct conn *c = set.queue[i][j].first;

			if (c != NULL && (due == -1 || c->due < due))
				due = c->due;
		}
	}
	return due;
}

static void
expire(struct queue *q, int64_t now, void (*late)(struct conn *))
{
	struct conn *c;

	while ((c = q->first) != NULL && c->due <= now)
		if (c->state == CONN_HEAD || c->state == CONN_BODY ||
		    c->state == CONN_FLUSH)
			late(c);
		else
			conn_close(c);
}

void
conn_expire(int64_t now, void (*late)(struct conn *))
{
	for (unsigned i = 0; i < set.limits.nkinds; i++)
		for (int j = 0; j < CONN_STATES; j++)
			if (j != CONN_READY)
				expire(&set.queue[i][j], now, late);
}

static void
close_silent(struct conn *c)
{
	struct conn *next;

	for (; c != NULL; c = next) {
		next = c->next;
		if (poller_readable(c->fd, 0) == 0)
			conn_close(c);
	}
}

void
conn_close_silent(void)
{
	for (unsigned i = 0; i < set.limits.nkinds; i++)
		close_silent(set.queue[i][CONN_IDLE].first);
}

unsigned
conn_count(enum conn_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < set.limits.nkinds; i++)
		n += set.queue[i][state].n;
	return n;
}

struct conn *
conn_oldest(unsigned kind, enum conn_state state)
{
	return set.queue[kind][state].first;
}

struct conn *
conn_newest(unsigned kind, enum conn_state state)
{
	return set.queue[kind][state].last;
}

int64_t
conn_age(const struct conn *c, int64_t now)
{
	return now - (c->due - conn_kind(c)->patience[c->state]);
}

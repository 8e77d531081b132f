#ifndef WORKER_NET_CONN_H
#define WORKER_NET_CONN_H

/*
 * The connections of a worker that nobody serves right now: those whose
 * request head is not complete, kept-alive ones between requests, and those
 * that only wait for their peer to close.  Each costs a descriptor and never
 * the worker; each has a deadline.  There is one set in a worker.  Knows
 * bytes and time, not what the bytes mean (proto.h judges them).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

enum conn_state {
	CONN_FREE,
	CONN_HEAD,   /* a request head is awaited, perhaps begun */
	CONN_IDLE,   /* kept alive, nothing has come */
	CONN_LINGER, /* all is said; discard what still comes (RFC 9112, 9.6
			gives the reason: an early close may destroy the
			response on its way) */
	CONN_STATES
};

struct conn {
	int fd;
	enum conn_state state;
	bool limited;	 /* SO_SNDTIMEO is set */
	size_t written;	 /* bytes of all responses so far, or more */
	bool waited;	 /* is in the wait set */
	uint32_t serial; /* changes with every use of this place */
	int64_t due;	 /* clock_ms() at which patience ends */
	struct buf in;	 /* received, not yet consumed; of a connection that
			    is served, the worker's one large buffer */
	size_t held;	 /* bytes of that, as it was parked */
	void *proto;	 /* what its protocol keeps about it */
	struct conn *prev, *next; /* the queue of its state, by due */
};

#define CONN_RECEIVE (128 * 1024) /* a head, and a body behind it */
#define CONN_ROOM    4096	  /* for fewer, a buffer grows first */
#define CONN_FIRST   (16 * 1024)  /* enough for a head: a long body behind it
				   * is better received elsewhere */
#define CONN_WRITTEN_UNKNOWN (SIZE_MAX / 2)

struct conn_limits {
	int64_t patience[CONN_STATES]; /* ms */
	int max; /* connections at once */
	size_t state_size; /* bytes of conn.proto, zero at first */
};

/* Make the set, on the wait set given.  0, or -1 with errno. */
int conn_init(int wait_set, const struct conn_limits *limits);

/* Take over a connected descriptor, in state HEAD but neither waited for nor
 * in a queue.  If all places are taken, the connection that is worth least is
 * closed: the oldest idle, else lingering, else silent one. */
struct conn *conn_add(int fd);

/* The same for the sake of a descriptor, but without harm: a peer that has
 * only just come, or that has only just been answered, is left alone.  False:
 * nobody was found. */
bool conn_make_room(void);

/* Leave it until its peer sends something or its patience ends; 0, or -1 and
 * it is closed.  A deadline already running for the same state goes on.  What
 * all of them hold is bounded: the oldest incomplete heads are closed. */
int conn_park(struct conn *c, enum conn_state state);

/* It is about to be served: out of its queue, deadline stopped. */
void conn_take(struct conn *c);

void conn_close(struct conn *c);

/* Say that all is said (shutdown(2)), then linger. */
void conn_linger(struct conn *c);

/* The connection an event's key stands for; NULL if it is gone by now. */
struct conn *conn_find(uint64_t key);

/*
 * Receive what is there, or the first of it, at most `most` bytes, without
 * waiting; in.data stays where it is if there is CONN_ROOM behind in.len.  > 0
 * bytes came; 0 the peer closed; -1 with errno (EAGAIN: nothing there).
 */
ssize_t conn_receive(struct conn *c, size_t most);

/* Bytes that were received on c elsewhere, in front of what comes.  0, or -1
 * with errno. */
int conn_put_back(struct conn *c, const char *bytes, size_t n);

/* Throw away what a lingering connection sends.  False: it ended. */
bool conn_discard(struct conn *c);

/* The time of the next deadline, -1: none.  Close what is overdue; late is
 * called first for a connection whose head did not come in time. */
int64_t conn_next_due(void);
void conn_expire(int64_t now, void (*late)(struct conn *));

/* How many are in a state. */
unsigned conn_count(enum conn_state state);

/* The oldest and the newest connection in a state, NULL if there is none, and
 * for how many ms a parked one has been in its state. */
struct conn *conn_oldest(enum conn_state state);
struct conn *conn_newest(enum conn_state state);
int64_t conn_age(const struct conn *c, int64_t now);

#endif

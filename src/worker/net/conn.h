#ifndef WORKER_NET_CONN_H
#define WORKER_NET_CONN_H

/*
 * The connections of a worker that are not being served: those whose request
 * has not come yet or not entirely, kept-alive ones between requests, those
 * whose peer has not taken its response yet, and those that only wait for their
 * peer to close.  Each costs a descriptor and never blocks the worker; each has
 * a deadline.  A worker has one set of them.  Knows bytes and time, not what
 * the bytes mean (proto.h judges them).
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/buf.h"

enum conn_state {
	CONN_FREE,
	CONN_HEAD,   /* a request head is awaited; a part may have come */
	CONN_BODY,   /* so is the rest of a body; each arrival renews the
			deadline */
	CONN_READY,  /* kept alive, and bytes of a next request are here: it is
			judged in its turn */
	CONN_IDLE,   /* kept alive, no byte of a next request has come */
	CONN_FLUSH,  /* the peer has to take `out`; each part that it takes
			renews the deadline */
	CONN_LINGER, /* all is sent; discard what still comes (RFC 9112, 9.6:
			an early close may destroy the response on its
			way) */
	CONN_STATES
};

enum conn_then { /* what becomes of a connection when a response is sent */
	CONN_THEN_KEEP,	  /* it may carry another request */
	CONN_THEN_LINGER, /* the peer is still sending */
	CONN_THEN_CLOSE
};

struct conn {
	int fd;
	enum conn_state state;
	unsigned kind;	 /* of conn_limits.kinds */
	bool limited;	 /* SO_SNDTIMEO is set */
	size_t written;	 /* bytes written to it so far, or more */
	bool waited;	 /* is in the wait set, */
	bool outward;	 /* where room for output is awaited, not input */
	bool drained;	 /* all that has come is received: of what comes now
			    the wait set tells, which it does but once */
	bool marked;	 /* it has had a mark, so that this is not known */
	enum conn_then then; /* after CONN_FLUSH */
	uint32_t serial; /* changes with every use of this place */
	int64_t due;	 /* clock_ms() of its deadline, 0: not in a queue */
	int64_t since;	 /* clock_ms() at which a request was waiting unread
			    already; 0: not known */
	struct buf in;	 /* received, not yet consumed; the worker's one
			    large buffer until the connection is parked */
	struct buf out;	 /* of a response, not yet taken by the peer */
	size_t held;	 /* bytes of both buffers while it is parked, else 0 */
	int64_t pending; /* clock_ms() since which `out` has bytes, */
	uint64_t flushed; /* and bytes that were taken of it since */
	void *proto;	 /* its protocol's state, conn_kind.state_size */
	struct conn *prev, *next; /* in the queue of its kind and state, by
				     due */
};

#define CONN_RECEIVE (128 * 1024) /* bytes for a head and a body behind it */
#define CONN_ROOM    4096	  /* bytes that a receive has room for */
#define CONN_FIRST   (16 * 1024)  /* bytes for a first receive: a long body
				   * behind the head is received elsewhere */
#define CONN_WRITTEN_UNKNOWN (SIZE_MAX / 2) /* another worker wrote to it */

#define CONN_KINDS 2 /* at most */

struct conn_kind { /* a protocol, for those below it */
	const char *name;  /* in messages of handoff.h */
	size_t state_size; /* bytes of conn.proto, zero at first */
	int64_t patience[CONN_STATES]; /* ms in a state until the deadline */
	/* Append the bytes that lead to the protocol's state of a parked
	 * connection.  0, or -1 if it cannot be handed over. */
	int (*pack)(const struct conn *c, struct buf *out);
};

struct conn_limits {
	struct conn_kind kinds[CONN_KINDS];
	unsigned nkinds;
	int max; /* connections at once */
};

/* Once: make the set; limits are copied.  Its connections are waited for in
 * wait_set (poller.h).  0, or -1 with errno. */
int conn_init(int wait_set, const struct conn_limits *limits);

/* The kind with that name; -1: none has it.  The kind of a connection. */
int conn_kind_find(const char *name, size_t len);
const struct conn_kind *conn_kind(const struct conn *c);

/*
 * Take over a connected descriptor.  The connection is in CONN_HEAD, and the
 * caller parks, serves or closes it.  If all places are taken, one is freed:
 * the oldest idle connection is closed, else the oldest lingering one, else
 * the oldest whose request or response is on its way.  Never NULL.
 */
struct conn *conn_add(int fd, unsigned kind);

/* Close a connection in the same order, to free a descriptor; but one that is
 * not idle only after a second in its state.  False if none is found. */
bool conn_make_room(void);

/*
 * Put it into the queue of that state until something can be received, or, in
 * CONN_FLUSH, be sent, or until its patience ends.  Parked again in the same
 * state it keeps its deadline, but see the states.  If the buffers of all
 * parked connections exceed a bound, those that wait for their peer for the
 * longest are closed, which may be c itself.  0, or -1 if c has been closed.
 */
int conn_park(struct conn *c, enum conn_state state);

/* Set conn.since to now for parked connections that have something to be
 * received, unless it is known. */
void conn_note_waiting(int64_t now);

/* Take it out of its queue and stop its deadline, since it is to be served. */
void conn_take(struct conn *c);

/* Close the descriptor and free the place: c is not to be used any more.  If
 * `out` has not been sent, the peer is to notice: conn_reset. */
void conn_close(struct conn *c);

/* Closing resets a TCP connection from now on, whatever is still to be sent: its
 * end is not to look like that of a response. */
void conn_reset(const struct conn *c);

/* Send end of file (shutdown(2)) and park it as CONN_LINGER, or close it if its
 * peer has ended it already. */
void conn_linger(struct conn *c);

/* The connection that an event (struct poller_event) is about: something has
 * come.  NULL if it has been closed since. */
struct conn *conn_hear(uint64_t key, bool marked);

/* Receive what has come into the pieces, without waiting, as recvmsg(2).  Only
 * this and what is below receives from c->fd. */
ssize_t conn_read(struct conn *c, struct iovec *piece, int n);

/*
 * Receive into c->in what has come, at most `most` bytes and as far as there is
 * room, without waiting.
 * in.data does not move if CONN_ROOM bytes are free behind in.len.  Returns the
 * number of bytes, 0 if the peer closed, -1 with errno (EAGAIN: nothing has
 * come).
 */
ssize_t conn_receive(struct conn *c, size_t most);

/* Append to c->in n bytes that were received on this connection before it was
 * added.  0, or -1 with errno. */
int conn_put_back(struct conn *c, const char *bytes, size_t n);

/* Receive and drop one chunk of what a lingering peer has sent, and wait for
 * more; or close it, if it has ended. */
void conn_discard(struct conn *c);

/* clock_ms() of the next deadline, 0 if one is in CONN_READY, -1 if nothing is
 * parked. */
int64_t conn_next_due(void);

/* Close the connections whose deadline has come by `now`; but those in
 * CONN_HEAD, CONN_BODY or CONN_FLUSH are for `late` to close or park. */
void conn_expire(int64_t now, void (*late)(struct conn *));

/* Close the idle connections over which nothing has come. */
void conn_close_silent(void);

/* How many are parked in a state. */
unsigned conn_count(enum conn_state state);

/* Of one kind, the connection that has been parked in a state for the longest
 * and for the shortest time; NULL if none is. */
struct conn *conn_oldest(unsigned kind, enum conn_state state);
struct conn *conn_newest(unsigned kind, enum conn_state state);

/* For how many ms a parked connection has been in its state. */
int64_t conn_age(const struct conn *c, int64_t now);

#endif

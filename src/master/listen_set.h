#ifndef MASTER_LISTEN_SET_H
#define MASTER_LISTEN_SET_H

/*
 * Where the workers of one generation take connections from: its listeners, and
 * its exchange, the pair of sockets over which a busy worker hands on what it
 * cannot serve now.  Runs in the master, which watches and counts; it accepts
 * connections only at a listener that it is about to shut down, and hands them
 * on.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "base/why.h"
#include "conf/conf.h"
#include "master/forward.h"
#include "master/listen.h"

struct listen_set {
	struct listener **listeners;
	int *fds; /* of the listeners; and what clients speak there: */
	enum sock_protocol *protocols;
	size_t n;
	int exchange[2]; /* read end, write end; shared by generations */
	bool ended; /* a worker has shut the exchange down: it is not used any
		       more */
	bool left;  /* listens nowhere any more */
	struct loop *loop; /* of listen_set_watch; NULL: not watched */
	struct forward *forward; /* of listen_set_forward, or NULL */
	struct loop_timer timer; /* set: a listener is to be shut down */
	struct loop *timers;	 /* of timer; NULL: listen_set_shut was not
				    called */
	int held;		 /* accepted, and waits for room in the
				    exchange; -1 */
	enum sock_protocol held_protocol;
	int64_t held_since;	 /* as for exchange_give_fresh */
};

/* Get a listener for each address of conf->listen (`leaving` as for
 * listen_get), and the exchange of `before` if that still works, or a new one
 * (`before` may be NULL).  0, or -1 and why; listen_set_close has to follow in
 * either case, and may be called on a set that is all zero. */
int listen_set_open(struct listen_set *set, const struct conf_pool *conf,
    const struct listen_set *before, bool leaving, struct why *why);
void listen_set_close(struct listen_set *set);

/* Take the exchange of another set instead (NULL, or it was shut down: a new
 * one), whatever its addresses.  0, or -1 with errno, and the set has none. */
int listen_set_follow(struct listen_set *set, const struct listen_set *other);

/* True if both have the same exchange. */
bool listen_set_shares(const struct listen_set *set,
    const struct listen_set *other);

/*
 * Several other generations have its addresses now, heirs[i] the one at
 * listeners[i]: forward to them what its workers hand over (forward.h).  0, or
 * -1 with errno.  listen_set_unforward ends that.
 */
int listen_set_forward(struct listen_set *set, struct loop *loop,
    const struct listen_set *const *heirs);
void listen_set_unforward(struct listen_set *set);

/* True if nothing waits to be forwarded, and no listener is still to be shut
 * down. */
bool listen_set_settled(const struct listen_set *set);

/* As listen_set_open, for the addresses in `list`, and without an exchange. */
int listen_set_bind(struct listen_set *set, const struct conf_pool *conf,
    const struct conf_list *list, struct why *why);

/* listen_adjust for all its listeners, up to the first that fails.  0, or -1
 * and why. */
int listen_set_adjust(struct listen_set *set, const struct conf_pool *conf,
    struct why *why);

/* listen_mend for all its listeners. */
void listen_set_mend(struct listen_set *set, const struct conf_pool *conf);

/* Shut the exchange down: no generation comes after this one, so nothing may be
 * handed on any more. */
void listen_set_end(struct listen_set *set);

/* Call came in every turn in which a connection waits at a listener or in the
 * exchange; or stop that.  A set that is watched stays so, and a socket that
 * another set watches is left out. */
void listen_set_watch(struct listen_set *set, struct loop *loop,
    void (*came)(void *arg, int fd, short revents), void *arg);
void listen_set_unwatch(struct listen_set *set);

/* The number of connections that wait at the listeners, and 1 more if any waits
 * in the exchange.  If a worker has shut the exchange down, it is given up,
 * which is logged: the next generation gets a new one. */
unsigned listen_set_waiting(struct listen_set *set);

/* The number of connections that wait at one of the listeners. */
unsigned listen_set_waiting_at(const struct listen_set *set, size_t listener);

/* Accept at most n connections, which have waited at this listener since then
 * (clock_ms()) at least, and put them into the exchange.  Returns how many were
 * accepted: fewer, if the exchange is full or no more wait. */
unsigned listen_set_hand_on(struct listen_set *set, size_t listener,
    unsigned n, int64_t since);

/* Put a connection that listen_set_hand_on has accepted and the exchange has not
 * taken there now.  False: it still waits for room; try again. */
bool listen_set_release(struct listen_set *set);

/* exchange_note_waiting for its exchange, unless a worker has shut that
 * down. */
void listen_set_note_waiting(struct listen_set *set, int64_t now);

/*
 * Stop listening: a socket at which no other generation listens takes no new
 * connections.  hand_on: the pool goes on reading its exchange; connections
 * that wait at TCP listeners are put there, and each of these listeners is shut
 * down as soon as none waits or is about to.  True if there is another queue,
 * which the workers have to empty.
 *
 * The workers' slots have to be marked leaving before (board_leaving), so that
 * workers call sock_hear for what they accept: a connection whose handshake
 * ends after the refusal needs that.
 */
bool listen_set_leave(struct listen_set *set, struct loop *loop,
    bool hand_on);

/* Shut down the listeners that listen_set_leave has left open, now or by a
 * timer.  After an upgrade in place: go on with that. */
void listen_set_shut(struct listen_set *set, struct loop *loop);

#endif

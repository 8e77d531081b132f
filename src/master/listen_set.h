#ifndef MASTER_LISTEN_SET_H
#define MASTER_LISTEN_SET_H

/*
 * Where the workers of one generation of a pool take connections from: its
 * listeners, and the pair of sockets over which a busy worker hands on what
 * it cannot serve now.  Runs in the master, which watches and counts, but
 * never takes a connection itself.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "base/why.h"
#include "conf/conf.h"
#include "master/forward.h"
#include "master/listen.h"

struct inlet {
	struct listener **listeners;
	int *fds; /* theirs */
	size_t n;
	int exchange[2]; /* one pair for all generations of the pool */
	bool ended; /* a worker has shut it down: nothing comes over it */
	struct loop *loop; /* not NULL: watched */
	struct forward *forward; /* not NULL: inlet_forward */
	struct loop_timer timer; /* set: the exchange is full, some wait */
	struct loop *timers;	 /* its loop; NULL: inlet_refuse was not called */
	int held;		 /* the next of these, or -1 */
};

/* Bind, or share what other generations hold; `before`: the one to share the
 * exchange with, as long as it works, or NULL.  On failure, -1 and why, it is
 * left to inlet_close, which may be called on one that is all zero too. */
int inlet_open(struct inlet *inlet, const struct conf_pool *conf,
    const struct inlet *before, struct why *why);
void inlet_close(struct inlet *inlet);

/* Have the exchange of another instead (NULL: one of its own), whatever its
 * addresses.  0, or -1 with errno and it has none. */
int inlet_follow(struct inlet *inlet, const struct inlet *other);

/* Both have the same exchange. */
bool inlet_shares(const struct inlet *inlet, const struct inlet *other);

bool inlet_has(const struct inlet *inlet, const struct listener *listener);

/*
 * Several others have its addresses now, heirs[i] the nth: what its workers hand
 * over goes on to them (forward.h).  0, or -1 with errno.  inlet_settled:
 * nothing is on that way any more, nor on that of inlet_refuse.
 */
int inlet_forward(struct inlet *inlet, struct loop *loop,
    const struct inlet *const *heirs);
void inlet_unforward(struct inlet *inlet);
bool inlet_settled(const struct inlet *inlet);

/* As inlet_open, for addresses of the pool that are in another list, and
 * without an exchange. */
int inlet_bind(struct inlet *inlet, const struct conf_pool *conf,
    const struct conf_list *list, struct why *why);

/* All its sockets are the pool's from now on: listen_adjust. */
int inlet_adjust(struct inlet *inlet, const struct conf_pool *conf,
    struct why *why);

/* Nothing is to be handed on any more: no generation comes after this one. */
void inlet_end(struct inlet *inlet);

/* Call came(arg) once, as soon as a connection waits; or stop watching. */
void inlet_watch(struct inlet *inlet, struct loop *loop,
    void (*came)(void *arg, int fd, short revents), void *arg);
void inlet_unwatch(struct inlet *inlet);

/* Connections that wait at the listeners, and one more if any was handed
 * on.  An exchange that a worker has shut down is given up then, which is
 * logged: the next generation has another. */
unsigned inlet_waiting(struct inlet *inlet);

/*
 * No new connections, where no other generation goes on listening, or (all)
 * anywhere.  hand_on: the pool goes on reading its exchange; then what waits at
 * TCP listeners is put there, so that they can be shut at once.  True: there is
 * a queue that the workers have to empty.
 */
bool inlet_refuse(struct inlet *inlet, struct loop *loop, bool all,
    bool hand_on);

#endif

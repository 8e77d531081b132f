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

struct listen_set {
	struct listener **listeners;
	int *fds; /* theirs */
	size_t n;
	int exchange[2]; /* one pair for all generations of the pool */
	bool ended; /* a worker has shut it down: nothing comes over it */
	bool left;  /* goes on listening nowhere */
	struct loop *loop; /* not NULL: watched */
	struct forward *forward; /* not NULL: listen_set_forward */
	struct loop_timer timer; /* set: some listener is not yet shut */
	struct loop *timers;	 /* its loop; NULL: nothing has been refused */
	int held;		 /* the next of these, or -1 */
};

/* Bind, or share what other generations hold; `before`: the one to share the
 * exchange with, as long as it works, or NULL.  On failure, -1 and why, it is
 * left to listen_set_close, which may be called on one that is all zero too. */
int listen_set_open(struct listen_set *set, const struct conf_pool *conf,
    const struct listen_set *before, struct why *why);

/* Likewise, for a generation that leaves and comes over an upgrade. */
int listen_set_open_leaving(struct listen_set *set,
    const struct conf_pool *conf, const struct listen_set *before,
    struct why *why);
void listen_set_close(struct listen_set *set);

/* Have the exchange of another instead (NULL: one of its own), whatever its
 * addresses.  0, or -1 with errno and it has none. */
int listen_set_follow(struct listen_set *set, const struct listen_set *other);

/* Both have the same exchange. */
bool listen_set_shares(const struct listen_set *set,
    const struct listen_set *other);

bool listen_set_has(const struct listen_set *set,
    const struct listener *listener);

/*
 * Several others have its addresses now, heirs[i] the nth: what its workers
 * hand over goes on to them (forward.h).  0, or -1 with errno.
 * listen_set_settled: nothing is on that way any more, nor on that of
 * listen_set_refuse.
 */
int listen_set_forward(struct listen_set *set, struct loop *loop,
    const struct listen_set *const *heirs);
void listen_set_unforward(struct listen_set *set);
bool listen_set_settled(const struct listen_set *set);

/* As listen_set_open, for addresses of the pool that are in another list, and
 * without an exchange. */
int listen_set_bind(struct listen_set *set, const struct conf_pool *conf,
    const struct conf_list *list, struct why *why);

/* All its sockets are the pool's from now on: listen_adjust. */
int listen_set_adjust(struct listen_set *set, const struct conf_pool *conf,
    struct why *why);

/* Nothing is to be handed on any more: no generation comes after this one. */
void listen_set_end(struct listen_set *set);

/* Call came(arg) once, as soon as a connection waits; or stop watching. */
void listen_set_watch(struct listen_set *set, struct loop *loop,
    void (*came)(void *arg, int fd, short revents), void *arg);
void listen_set_unwatch(struct listen_set *set);

/* Connections that wait at the listeners, and one more if any was handed
 * on.  An exchange that a worker has shut down is given up then, which is
 * logged: the next generation has another. */
unsigned listen_set_waiting(struct listen_set *set);

/*
 * Go on listening nowhere: no new connections where no other generation does.
 * hand_on: the pool goes on reading its exchange; then what waits at TCP
 * listeners is put there, so that they can be shut as soon as nobody is about
 * to.  True: there is a queue that the workers have to empty.  Workers have to
 * know before that their slots leave: who is let in from then on is not heard
 * without sock_hear.
 */
bool listen_set_leave(struct listen_set *set, struct loop *loop,
    bool hand_on);

/* Go on with that after an upgrade in place. */
void listen_set_shut(struct listen_set *set, struct loop *loop);

#endif

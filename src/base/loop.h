#ifndef BASE_LOOP_H
#define BASE_LOOP_H

/*
 * The master's poll loop: descriptors, timers, signals, one turn at a time.
 * A signal is blocked from loop_signal on and is let in only inside the wait
 * (ppoll with an empty mask); its handler does no more than set a flag, and
 * the turn calls back.  Only loop_watch allocates memory.  A watch that is
 * removed leaves a hole, so a callback may remove any watch, its own included.
 */

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop_timer { /* owned by the caller; not set if all zero */
	int64_t due;	/* clock_ms() at which it fires */
	void (*fire)(void *arg);
	void *arg;
	bool set;
	struct loop_timer *child, *next, **back; /* the loop's, while set */
	uint64_t serial;
};

/* At most one loop in a process, because the signals' flags are static.  NULL
 * with errno. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Call fn whenever poll(2) reports one of `events`, an error or a hang-up, from
 * the next turn on.  0, or -1 with errno (EEXIST if fd is watched already).
 * Unwatch before fd is closed; no effect if it is not watched. */
int loop_watch(struct loop *loop, int fd, short events,
    void (*fn)(void *arg, int fd, short revents), void *arg);
void loop_unwatch(struct loop *loop, int fd);

/* Call timer->fire once, at `due` (clock_ms()); a timer that is set already is
 * moved.  And cancel it; no effect if it is not set. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* Block signo and call fn once in each turn in which it has arrived; fn NULL:
 * only end the wait (SIGCHLD).  0, or -1 with errno. */
int loop_signal(struct loop *loop, int signo,
    void (*fn)(void *arg, int signo), void *arg);

/*
 * Sleep until a descriptor is ready, a timer is due or a signal arrives, at
 * most limit_ms (-1: for ever); then call back: descriptors first, then timers,
 * then signals.  While RLIMIT_NOFILE is below the number of watches, which is
 * logged once, the descriptors are polled ten times a second.  0, or -1 with
 * errno if ppoll failed for a reason that does not pass.
 */
int loop_turn(struct loop *loop, int limit_ms);

/* In a child after fork(2): reset each signal of loop_signal to its default
 * action and free the loop.  The signals stay blocked until the child has its
 * own handlers and unblocks them, so that none sent meanwhile is lost. */
void loop_leave(struct loop *loop);

#endif

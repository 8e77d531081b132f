#ifndef BASE_LOOP_H
#define BASE_LOOP_H

/*
 * The master's poll loop: descriptors, timers, signals, one turn at a time.
 * Signals named here are blocked from loop_signal on and are let in only
 * inside the wait (ppoll with an empty mask); a handler does no more than set
 * a flag, and the callback runs from the turn.  Nothing is allocated while
 * turning except by loop_watch, and a watch that is removed leaves a hole, so
 * a callback may remove any watch, its own included.
 */

#include <stdbool.h>
#include <stdint.h>

struct loop;

struct loop_timer { /* owned by the caller; all zero is a timer not set */
	int64_t due;	/* clock_ms() at which it fires */
	void (*fire)(void *arg);
	void *arg;
	struct loop_timer *next; /* the loop's, while set */
	bool set;
};

/* One loop to a process (signal flags are static).  NULL with errno. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Call fn whenever poll(2) reports one of `events`, an error or a hang-up.
 * -1 with errno (EEXIST if fd is watched already). */
int loop_watch(struct loop *loop, int fd, short events,
    void (*fn)(void *arg, int fd, short revents), void *arg);
void loop_unwatch(struct loop *loop, int fd);

/* Fire once at timer->due; setting a set timer moves it. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* Block signo and call fn once per turn in which it has arrived; fn NULL
 * means: just end the wait (SIGCHLD).  -1 with errno. */
int loop_signal(struct loop *loop, int signo,
    void (*fn)(void *arg, int signo), void *arg);

/*
 * Sleep until something is due (at most limit_ms, -1 for ever), then call
 * back: descriptors first, then timers, then signals.  If RLIMIT_NOFILE is
 * below the number of watches, which is logged once, it looks ten times a
 * second.  -1 with errno if ppoll failed for a reason that does not pass.
 */
int loop_turn(struct loop *loop, int limit_ms);

/* In a child, after fork: default dispositions for every signal that
 * loop_signal took, which all stay blocked (the child lets in what it handles,
 * so that nothing sent meanwhile is lost), and the loop's memory given back. */
void loop_leave(struct loop *loop);

#endif

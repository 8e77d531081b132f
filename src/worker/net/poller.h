#ifndef WORKER_NET_POLLER_H
#define WORKER_NET_POLLER_H

/*
 * What a worker sleeps on: listeners, connections, its channel, signals, time.
 * A connection that arrives wakes one of the workers that sleep on a listener,
 * not all of them (EPOLLEXCLUSIVE, epoll_ctl(2)).  Signals are read from a
 * descriptor (signalfd(2)) and stay blocked: none interrupts the application,
 * and a worker that never has to sleep sees them too.  Time is another
 * descriptor, a timer.  It is set only when a deadline is sooner than what it
 * is set for, as setting it before every sleep would cost a busy worker more
 * than the sleep itself.
 */

#include <stdbool.h>
#include <stdint.h>

/* Once, by the main thread: make the wait set of the process.  Its descriptor,
 * close-on-exec; -1 with errno, and then the process is to end. */
int poller_open(void);

/* Watch fd for input until it is closed or removed.  shared: other processes
 * wait for it too, and it is enough to wake one of them.  0, or -1 with
 * errno. */
int poller_add(int set, int fd, uint64_t key, bool shared);

/*
 * Watch a connected socket of this process alone: for room for output, or for
 * input, which is told once, when it comes (EPOLLET, epoll(7)).  What has come
 * unread before is told once, too; so is what a socket that is watched already
 * has, `again`.  0, or -1 with errno.
 */
int poller_await(int set, int fd, uint64_t key, bool outward, bool again);

/* Watch fd no longer; no effect if it is not watched. */
void poller_remove(int set, int fd);

/* True if the set still watches fd, which was not added as shared. */
bool poller_has(int set, int fd);

/* True if `set` still is the wait set and still has its timer. */
bool poller_is_whole(int set);

struct poller_event {
	uint64_t key;
	bool marked; /* the input of a socket has a mark at which a receive
			stops: an urgent byte, or the peer's end */
};

/*
 * Sleep until a descriptor has input or has ended, or until `due` (clock_ms();
 * -1: no limit), sometimes for less; not at all if `due` is not after `now`.
 * Stores what has happened to which descriptors, and returns their number,
 * which may be 0.  -1 with errno (EINTR: poller_interrupt).
 */
#define POLLER_BATCH 64
int poller_turn(int set, struct poller_event events[POLLER_BATCH], int64_t now,
    int64_t due);

/* From another thread: end the present wait of the thread that called
 * poller_open, with EINTR.  No effect if that thread does not wait yet. */
void poller_interrupt(void);

/* Block the signals in `numbers`, which ends with 0.  A non-blocking,
 * close-on-exec descriptor from which they can be read, or -1 with errno. */
int poller_signals(const int *numbers);

/* The number of the next signal that has arrived, 0 if none has. */
int poller_signal_next(int fd);

/* Wait until fd is readable or the deadline (clock_ms()) has passed.
 * 1 readable, 0 the deadline has passed, -1 with errno.  EINTR: the time of the
 * request is over (lua_deadline.h), or poller_interrupt was called; no other
 * signal ends the wait. */
int poller_readable(int fd, int64_t deadline);

/* The same for room for output. */
int poller_writable(int fd, int64_t deadline);

#endif

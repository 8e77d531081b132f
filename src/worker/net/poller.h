#ifndef WORKER_NET_POLLER_H
#define WORKER_NET_POLLER_H

/*
 * What a worker sleeps on: listeners, connections, its channel, signals.  A
 * connection that arrives wakes one of the workers that sleep on a listener,
 * not all of them (EPOLLEXCLUSIVE, epoll_ctl(2)).  Signals come as a
 * descriptor among the others: they stay blocked for ever, so nothing ever
 * interrupts the application, and a worker that never has to sleep sees them
 * all the same.  So does the end of a time: a timer is set only for one that is
 * sooner than what it is set for, not for every sleep, which would cost a busy
 * worker more than the sleep.
 */

#include <stdbool.h>
#include <stdint.h>

/* The descriptor of the process's wait set, close-on-exec; -1 with errno. */
int poller_open(void);

/* Watch fd for input until it is closed or removed.  shared: other processes
 * wait on it too and one of them is enough.  0, or -1 with errno. */
int poller_add(int set, int fd, uint64_t key, bool shared);
void poller_remove(int set, int fd);

/* Does the set still wait for fd, which is not shared?  Is it a set, with the
 * timer that ends its waits in time? */
bool poller_has(int set, int fd);
bool poller_is_whole(int set);

/* Sleep until `due` (clock_ms(); -1: for ever), perhaps less; if that is not
 * after `now`, only look.  The number of keys whose descriptors have input or
 * have ended, at most POLLER_BATCH, and perhaps 0; -1 with errno. */
#define POLLER_BATCH 64
int poller_turn(int set, uint64_t keys[POLLER_BATCH], int64_t now, int64_t due);

/* From another thread: end the wait of the thread that has called poller_open,
 * with EINTR; in vain if it is only about to wait. */
void poller_interrupt(void);

/* Block the signals of `numbers` (0 ends it) and return a descriptor on which
 * they arrive; the next one that has arrived, 0 if none. */
int poller_signals(const int *numbers);
int poller_signal_next(int fd);

/* Wait until fd can be read or the deadline (clock_ms()) has passed.
 * 1 readable, 0 too late, -1 with errno: EINTR means that the time of the
 * request is over (lua_deadline.h), or that nothing will be as it should be
 * (poller_interrupt), since no other signal gets through. */
int poller_readable(int fd, int64_t deadline);

#endif

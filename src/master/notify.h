#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

/*
 * What the service manager is told, by the protocol of sd_notify(3) and
 * without its library.  Runs in the master, which holds a socket for it from
 * the start: there may be no descriptor left when there is something to tell.
 */

#include "base/loop.h"

/* Take NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment
 * (workers must not see them). */
void notify_init(void);

/* Put back what notify_init took, for an image that this process is about to
 * execute; and take it out again when that came to nothing. */
void notify_hand_on(void);
void notify_take_back(void);

/*
 * If the service manager wants signs of life, give it one now and at half the
 * interval that it named from then on.  They come from the loop: a master
 * that does not turn it any more is not kept alive by them.
 */
void notify_watchdog(struct loop *loop);

/* Send one datagram, "READY=1\nSTATUS=...".  Without a socket, and whenever
 * it fails, nothing happens: the daemon does not depend on being heard. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

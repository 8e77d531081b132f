#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

/*
 * What the service manager is told, by the protocol of sd_notify(3) and without
 * its library.  Runs in the master, which makes the socket at the start: when
 * there is something to tell, it may have no descriptor left.
 */

#include "base/loop.h"

/* Take NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment
 * (children must not see them), and note them. */
void notify_init(void);

/* notify_hand_on: put back what notify_init took, for an image that this
 * process is about to execute.  notify_take_back: take it out again if exec(3)
 * failed. */
void notify_hand_on(void);
void notify_take_back(void);

/*
 * If the service manager wants signs of life, send one now, and then at half
 * the interval that it named.  They come from a timer of the loop, so a master
 * that hangs sends none.
 */
void notify_watchdog(struct loop *loop);

/* Send one datagram, "READY=1\nSTATUS=...", cut at 511 bytes.  Without a
 * socket, or if sending fails, nothing happens: the daemon does not depend on
 * being heard. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

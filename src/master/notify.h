#ifndef MASTER_NOTIFY_H
#define MASTER_NOTIFY_H

/*
 * What the service manager is told, by the protocol of sd_notify(3) and
 * without its library.  Runs in the master.  No descriptor is held between
 * two messages, so workers inherit none.
 */

/* Take NOTIFY_SOCKET out of the environment (workers must not see it). */
void notify_init(void);

/* Send one datagram, "READY=1\nSTATUS=...".  Without a socket, and whenever
 * it fails, nothing happens: the daemon does not depend on being heard. */
void notify_send(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

#ifndef WORKER_NET_ACCEPTOR_H
#define WORKER_NET_ACCEPTOR_H

/*
 * The two ways by which connections enter a worker: the pool's listeners, and
 * the exchange over which other workers hand theirs over (handoff.h).  When
 * descriptors or memory run out, the acceptor pauses for a moment instead of
 * retrying in a loop, logs that once, and nudges the other workers to accept:
 * a client that waits may have woken this worker alone.  Does not know what a
 * connection carries.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ipc/worker_args.h"

/* Once, before the other calls.  In wait_set (poller.h) the exchange gets the
 * key `key`, and listener i gets key + 1 + i.  args must live as long as the
 * process. */
void acceptor_init(const struct worker_args *args, int wait_set, uint64_t key);

/* Wait for the listeners and the exchange.  A worker that is marked as leaving
 * at this moment has declined to leave: acceptor_passes_on is false from now
 * on. */
void acceptor_open(void);

/* Wait for neither of them until acceptor_open is called again. */
void acceptor_shut(void);

/*
 * Give the listeners up for good, so that a new master can bind their
 * addresses while this worker still serves.  If acceptor_open was ever called,
 * the connections in their queues are accepted and parked first, for the
 * worker to serve before it leaves.  The caller holds the lock of watchdog.h.
 */
void acceptor_abandon(void);

/* True if this worker is marked as leaving and others stay, to which it can
 * hand its connections.  The mark (score_is_leaving) is set before the signal
 * is sent. */
bool acceptor_passes_on(void);

/*
 * True if a connection may be taken now; false if acceptor_passes_on is true.
 * Then the listeners and the exchange are no longer waited for, and the other
 * workers have been nudged to accept.  So a client that connects after a reload
 * is reported as done never meets a worker that the reload has replaced.
 */
bool acceptor_admits(void);

/* Taking a connection failed, and errno is the reason.  EMFILE, ENFILE, ENOMEM
 * and ENOBUFS start a pause; EPIPE, from handoff_take, ends the wait for the
 * exchange for good; any other has no effect. */
void acceptor_failed(void);

/* This listener (a descriptor) was shut down and would be readable for ever:
 * no longer wait for it, and ask for a successor, which will have one that is
 * whole. */
void acceptor_lose(int listener);

/* Accepting a connection succeeded: log that, if a failure was logged. */
void acceptor_passed(void);

/* clock_ms() at which the pause ends, -1 if there is no pause.  acceptor_tick
 * ends it if it is over by `now`. */
int64_t acceptor_due(void);
void acceptor_tick(int64_t now);

#endif

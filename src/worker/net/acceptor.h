#ifndef WORKER_NET_ACCEPTOR_H
#define WORKER_NET_ACCEPTOR_H

/*
 * Where connections come into a worker: the pool's listeners, and the
 * exchange over which other workers hand theirs.  A worker for which the
 * machine has nothing left (descriptors, memory) shuts its door for a moment
 * instead of trying without end, says so once, and sends whoever else is idle
 * to the clients that wait: their arrival may have woken this worker alone.
 * Knows nothing of what a connection carries.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ipc/worker_args.h"

/* Events of the exchange have this key in the wait set, those of listener i
 * the key + 1 + i. */
void acceptor_init(const struct worker_args *args, int wait_set, uint64_t key);

/* Take connections from now on; or no more, for good. */
void acceptor_open(void);
void acceptor_shut(void);

/*
 * Let go of the listeners for good, so that a master may take their addresses
 * while this worker still serves.  Clients that wait there at this moment
 * become connections of this worker, for it to serve before it leaves; unless
 * it has never opened its door.  For the main thread, or for whoever has the
 * lock of watchdog.h.
 */
void acceptor_abandon(void);

/* Has this worker been told to leave, if perhaps it has not heard it yet, and
 * do others stay, to whom its connections may go? */
bool acceptor_passes_on(void);

/*
 * May one be taken?  False: this worker has been told to leave, if perhaps it
 * has not heard it yet, and others stay; they have been called, and it waits
 * for none any more.  So nobody who comes after a reload was answered meets
 * what it has replaced.
 */
bool acceptor_admits(void);

/* errno says why a connection could not be taken.  If that is a want that
 * passes, the door is shut for a moment; if the exchange has ended (EPIPE), it
 * is waited for no more. */
void acceptor_failed(void);

/* That listener will have none any more, and would be readable for ever. */
void acceptor_lose(int listener);

/* A connection was taken: what was wanted is there again. */
void acceptor_passed(void);

/* When acceptor_tick is due (clock_ms()), -1: it is not.  It opens the door
 * again. */
int64_t acceptor_due(void);
void acceptor_tick(int64_t now);

#endif

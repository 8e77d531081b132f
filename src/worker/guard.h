#ifndef WORKER_GUARD_H
#define WORKER_GUARD_H

/*
 * Watches how long the present request has been running, from a thread of its
 * own: no signal interrupts the application or a write, and a quick request
 * pays two uncontended lock operations.  Runs in the worker.
 *
 * The lock is the worker's right to touch its connections.  The main thread
 * holds it always but while it serves; then the guard may take it.
 */

#define GUARD_TICK 50 /* ms; a request is long after one to two of them */

/* Take the lock and start the thread, which calls `late`, with the lock, once
 * for each request that turns out to be long.  late must not log.  0, or -1
 * with errno. */
int guard_start(void (*late)(void));

/* A request begins; it has ended. */
void guard_enter(void);
void guard_leave(void);

#endif

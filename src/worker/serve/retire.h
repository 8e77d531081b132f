#ifndef WORKER_SERVE_RETIRE_H
#define WORKER_SERVE_RETIRE_H

/*
 * Asks the master to send a successor when the worker has done enough
 * (recycle.h); the worker goes on serving until it is told to leave.  Without a
 * master a fresh worker takes its place in the same process.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ipc/worker_args.h"

/* Once, before the worker gives up its privileges and its view of /proc. */
void retire_prepare(const struct worker_args *args);

/* The application is loaded: age and memory count from here. */
void retire_begin(void);

/* A request has been served by clock_ms() now; exhausted: the Lua heap has hit
 * its limit.  Asks the master if a successor is due, and logs why. */
void retire_served(int64_t now, bool exhausted);

/* The application wants a successor: the next retire_served asks for it. */
void retire_wish(void);

/* As retire_served when only time has passed. */
void retire_consider(void);

/* True, once at a time, if the worker has no master and a fresh one is to take
 * its place.  If the application declines, it is true again later. */
bool retire_renews(void);

/* clock_ms() at which to call retire_consider even if nothing happens, -1:
 * never. */
int64_t retire_due(void);

#endif

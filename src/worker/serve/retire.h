#ifndef WORKER_SERVE_RETIRE_H
#define WORKER_SERVE_RETIRE_H

/*
 * When a worker has done enough (recycle.h), the master is asked to send a
 * successor; the worker goes on serving until it is told to leave.  One in
 * each worker; without a master nothing here does anything.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ipc/worker_args.h"

/* Before privileges and the view of /proc are given up. */
void retire_prepare(const struct worker_args *args);

/* The application is loaded: age and memory count from here. */
void retire_begin(void);

/* A request has been served by clock_ms() now; the Lua heap has reached its
 * limit by then, or not.  Time has passed.  Each may ask the master, and logs
 * why. */
void retire_served(int64_t now, bool exhausted);
void retire_consider(void);

/* clock_ms() at which to consider it though nothing happens, -1: never. */
int64_t retire_due(void);

#endif

#ifndef WORKER_SERVE_SLOW_H
#define WORKER_SERVE_SLOW_H

/*
 * The slow log of a pool: requests that take longer than timeouts.slow.  Each
 * has an entry, written while it runs, with its URI, its script and the place
 * of its Lua code, and a line when it is over.  Runs in the worker, with the
 * lock of watchdog.h: slow_look in the guard, the others in the main thread
 * (slow_end in the guard if the request is stuck).  Knows nothing of FastCGI.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ipc/worker_args.h"
#include "worker/serve/request.h"

/* Once, by the main thread, when the application has started. */
void slow_init(const struct worker_args *args);

/* The request has been running for timeouts.slow: find the place of its code
 * and write its entry.  True: the place is not known yet, call this again after
 * a while. */
bool slow_look(const struct request *request);

/* The request is over, at clock_us() now: write its line if slow_look was
 * called for it.  Does not use its parameters. */
void slow_end(const struct request *request, int64_t now);

#endif

#ifndef WORKER_SERVE_SLOW_H
#define WORKER_SERVE_SLOW_H

/*
 * The slow log of a pool: requests that take longer than timeouts.slow.  Each
 * has an entry, written while it runs, with what it is and where its Lua code
 * is, and a line when it is over.  Runs in the worker, under the lock of
 * watchdog.h: slow_look beside the thread that serves, the others in it.  Knows
 * nothing of FastCGI.
 */

#include <stdbool.h>
#include <stdint.h>

#include "ipc/worker_args.h"
#include "worker/serve/request.h"

/* Once, by the thread that serves, when the application has started. */
void slow_init(const struct worker_args *args);

/* This request has been running for timeouts.slow by now.  True: call this
 * once more, some time later; it is not clear yet where its code is. */
bool slow_look(const struct request *request);

/* A request is over, `now` in us, its parameters may be gone; does nothing if
 * it was not looked at. */
void slow_end(const struct request *request, int64_t now);

#endif

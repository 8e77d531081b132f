#ifndef WORKER_SERVE_BUILTIN_H
#define WORKER_SERVE_BUILTIN_H

/*
 * Requests that the worker answers itself, before any Lua code runs: the
 * pool's status and its ping; all of them, where there is no application
 * (status_listen).  Runs in the worker.
 */

#include <stdbool.h>

#include "ipc/worker_args.h"
#include "worker/serve/request.h"

/* Once, before the first request. */
/* await_status: the descriptor that the master sends on WORD_STATUS, or -1
 * when it sent none in time. */
void builtin_init(const struct worker_args *args, int (*await_status)(void));

/* Is the request for status_path or ping_path?  Then it has been answered,
 * as far as its client took it. */
bool builtin_serve(struct request *request);

#endif

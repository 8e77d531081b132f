#ifndef WORKER_SERVE_BUILTIN_H
#define WORKER_SERVE_BUILTIN_H

/*
 * Requests that the worker answers itself, without Lua code: the pool's status
 * and its ping; and all requests of a worker without an application
 * (status_listen).  Runs in the worker.
 */

#include <stdbool.h>

#include "ipc/worker_args.h"
#include "worker/serve/request.h"

/* Once, before the first request.  await_status() waits for the descriptor that
 * the master sends after WORD_STATUS, and returns it, or -1 if none came in
 * time; it is closed here. */
void builtin_init(const struct worker_args *args, int (*await_status)(void));

/* True if the request was one of these, and has been answered as far as its
 * client took it.  False: nothing was done. */
bool builtin_serve(struct request *request);

/* Answer the request with that status, and its reason as the body. */
void builtin_refuse(struct request *request, int status);

#endif

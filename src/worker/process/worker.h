#ifndef WORKER_PROCESS_WORKER_H
#define WORKER_PROCESS_WORKER_H

/*
 * A worker: becomes the pool's user, loads and starts the application, says
 * READY, serves requests until it is told to leave.  It owns its process and
 * never returns into the master's code.
 */

#include "ipc/worker_args.h"

/* Exit codes: 0; 70 the application could not be loaded or raised in start
 * (EX_SOFTWARE); 71 privileges (EX_OSERR); the application's own. */
void worker_main(const struct worker_args *args) __attribute__((noreturn));

#endif

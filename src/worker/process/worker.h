#ifndef WORKER_PROCESS_WORKER_H
#define WORKER_PROCESS_WORKER_H

/*
 * A worker: becomes the pool's user, loads and starts the application, says
 * READY, serves requests until it is told to leave.  It owns its process and
 * never returns into the master's code.
 */

#include "ipc/worker_args.h"

/* Exit codes: 0 if it left in good order or, under a master, ended after
 * answering a request that hung; 70 (EX_SOFTWARE) if the application could not
 * be loaded, failed in start, hung elsewhere or closed a vital descriptor, or if
 * the worker outlived the master by timeouts.stop; 71 (EX_OSERR) if the system
 * refused privileges or resources; the integer that start returned. */
void worker_main(const struct worker_args *args) __attribute__((noreturn));

#endif

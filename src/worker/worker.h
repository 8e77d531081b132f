#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

/*
 * A worker: becomes the pool's user, loads and starts the application, says
 * READY, serves requests until it is told to leave.  It owns its process and
 * never returns into the master's code.
 */

#include "base/why.h"
#include "share/birth.h"

/* Exit codes: 0; 70 the application could not be loaded or raised in start
 * (EX_SOFTWARE); 71 privileges (EX_OSERR); the application's own. */
void worker_main(const struct birth *birth) __attribute__((noreturn));

/* The same for a trial: become the pool's user and load the application.  What
 * is wrong goes to the channel as text; then the exit code is 1. */
void worker_try(const struct birth *birth) __attribute__((noreturn));

#endif

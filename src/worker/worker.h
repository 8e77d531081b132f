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

/* -t: in the calling process, which must be a throw-away one: become the
 * pool's user and load the application.  0, or -1 and why. */
int worker_check(const struct conf_pool *pool, struct why *why);

#endif

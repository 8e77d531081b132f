#ifndef WORKER_PRIVS_H
#define WORKER_PRIVS_H

/*
 * How a worker gives up what the master may do, in visible order.  Runs in
 * the worker, right after fork, before any application code.
 */

#include "base/why.h"
#include "conf/conf.h"

/*
 * Become the pool's user and group (with its supplementary groups), for
 * good; no-new-privileges always.  Without a user: nothing is changed but
 * no-new-privileges.  0, or -1 and why; then the process must exit.
 */
int privs_drop(const struct conf_pool *pool, struct why *why);

#endif

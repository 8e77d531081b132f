#ifndef WORKER_PROCESS_ENV_SETUP_H
#define WORKER_PROCESS_ENV_SETUP_H

/*
 * The environment of a pool's processes.  Runs in the worker, before any
 * application code.
 */

#include "base/why.h"
#include "conf/conf.h"
#include "ipc/identity.h"

/*
 * Replace the environment by the pool's: what it inherits (variables.h); USER,
 * LOGNAME and HOME of that user, where the pool has one of its own or nothing
 * was taken over; the pool's own variables.  0, or -1 and why.
 */
int env_setup(const struct conf_pool *pool,
    const struct conf_list *inherited, const struct identity *who,
    struct why *why);

#endif

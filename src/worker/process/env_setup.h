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
 * Replace the environment of the process by the pool's: a default PATH; the
 * inherited variables (variables.h); USER, LOGNAME and HOME of `who`, if the
 * pool has a user of its own or clears the environment; the pool's own
 * variables.  A later one replaces an earlier one of that name.  0, or -1 and
 * why.
 */
int env_setup(const struct conf_pool *pool,
    const struct conf_list *inherited, const struct identity *who,
    struct why *why);

#endif

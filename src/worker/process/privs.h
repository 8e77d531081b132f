#ifndef WORKER_PROCESS_PRIVS_H
#define WORKER_PROCESS_PRIVS_H

/*
 * How a process of a pool takes its user and limits and gives up the rights of
 * the master, in visible order.  Runs in the worker and in the throw-away
 * process of -t, before any application code.
 */

#include "base/why.h"
#include "conf/conf.h"
#include "ipc/identity.h"

/*
 * Set, for good, the environment of the pool (env_setup.h), its limits,
 * priority and umask, its root directory, its user and groups, and its working
 * directory.  What the pool does not set stays as the master has it.
 * no-new-privileges is always set, and all capabilities are dropped, those of
 * root too.  0, or -1 and why; then the process must exit.
 */
int privs_drop(const struct conf_pool *pool,
    const struct conf_list *inherited, const struct identity *who,
    struct why *why);

#endif

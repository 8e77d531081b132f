#ifndef WORKER_PROCESS_PRIVS_H
#define WORKER_PROCESS_PRIVS_H

/*
 * What a pool's process is, and how it gives up what the master may do, in
 * visible order.  Runs in the worker, right after fork, before any
 * application code, and in the throw-away process of -t.
 */

#include "base/why.h"
#include "conf/conf.h"
#include "ipc/identity.h"

/*
 * Take the pool's environment (`inherited`: variables.h), limits, priority and umask, its root, its user
 * and group (with the supplementary groups), for good, and its directory.
 * What the pool does not say stays as the master has it; no-new-privileges
 * always, and no capability, not even as root.  0, or -1 and why; then the
 * process must exit.
 */
int privs_drop(const struct conf_pool *pool,
    const struct conf_list *inherited, const struct identity *who,
    struct why *why);

#endif

#ifndef WORKER_PROCESS_PEERS_H
#define WORKER_PROCESS_PEERS_H

/*
 * What a worker grants to its peers, from the pool's configuration: which
 * protocol, how many connections, how large a head, how much patience.  Runs
 * in the worker.
 */

#include "base/why.h"
#include "ipc/worker_args.h"
#include "worker/proto/proto.h"

/* Once, before the first connection; they are waited for in wait_set.  What
 * they speak; NULL and why. */
const struct proto *peers_init(const struct worker_args *args, int wait_set,
    struct why *why);

#endif

#ifndef WORKER_PROCESS_PEERS_H
#define WORKER_PROCESS_PEERS_H

/*
 * Sets up, from the pool's configuration, what a worker grants to its peers:
 * the protocol, the number of connections, the size of a head, the time limits
 * and the allowed clients.  Runs in the worker.
 */

#include "base/why.h"
#include "ipc/worker_args.h"
#include "worker/proto/proto.h"

/* Once, before the first connection; connections are waited for in wait_set
 * (poller.h).  Returns the protocol of all of them; NULL and why. */
const struct proto *peers_init(const struct worker_args *args, int wait_set,
    struct why *why);

#endif

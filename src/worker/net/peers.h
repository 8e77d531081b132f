#ifndef WORKER_NET_PEERS_H
#define WORKER_NET_PEERS_H

/*
 * What a worker grants to its peers, from the pool's configuration: how many
 * connections, how large a head, how much patience.  Runs in the worker.
 */

#include "base/why.h"
#include "ipc/worker_args.h"

/* Once, before the first connection; they are waited for in wait_set.  0, or
 * -1 and why. */
int peers_init(const struct birth *birth, int wait_set, struct why *why);

#endif

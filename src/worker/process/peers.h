#ifndef WORKER_PROCESS_PEERS_H
#define WORKER_PROCESS_PEERS_H

/*
 * Sets up, from the pool's configuration, what a worker grants to its peers:
 * the protocols, the number of connections, the size of a head, the time limits
 * and the allowed clients.  Runs in the worker.
 */

#include <stdbool.h>

#include "base/why.h"
#include "ipc/worker_args.h"
#include "worker/proto/proto.h"

/* Once, before the first connection; connections are waited for in wait_set
 * (poller.h).  Returns the protocols, by the kind of a connection, which is the
 * enum sock_protocol of its listener; NULL and why. */
const struct proto *const *peers_init(const struct worker_args *args,
    int wait_set, struct why *why);

/* Serve requests of these roles from now on (proto.h). */
void peers_serve(unsigned roles);

/* Take upgrades to WebSocket from now on, or refuse them. */
void peers_take_upgrades(bool websocket);

/* True if one of the listeners is for HTTP. */
bool peers_have_http(void);

#endif

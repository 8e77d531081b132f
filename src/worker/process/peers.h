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

/* From now on an answer is the last one of its connection, or no more: the
 * worker leaves, and nobody takes its connections; idle peers are told, if they
 * can be.  Answers are the last ones without a call, too, once the master has
 * marked the worker as one of the last. */
void peers_end(bool last);

/* ms in which a kept connection may still send a request before its worker
 * ends: a client of HTTP may be far away, a web server is near. */
int64_t peers_idle(void);

#endif

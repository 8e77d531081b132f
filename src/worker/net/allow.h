#ifndef WORKER_NET_ALLOW_H
#define WORKER_NET_ALLOW_H

/*
 * The `allowed_clients` of a pool: which addresses may connect.  Runs in the
 * worker.  Knows descriptors just accepted, no protocol.
 */

#include <stdbool.h>

#include "conf/conf.h"

/* Once, with a list whose entries are known to be valid.  An empty list allows
 * every client.  0, or -1 with errno. */
int allow_init(const struct conf_list *allowed);

/* True if the peer of this connection is allowed.  A peer over a unix socket
 * always is: the owner and the mode of the socket's file decide there.  False
 * also if the peer has left already.  A refusal is logged, at most once a
 * second. */
bool allow_admit(int fd);

#endif

#ifndef WORKER_NET_ALLOW_H
#define WORKER_NET_ALLOW_H

/*
 * Who may connect: the `allowed_clients` of a pool.  Runs in the worker.
 * Knows descriptors just accepted, no protocol.
 */

#include <stdbool.h>

#include "conf/conf.h"

/* Once; the list has been checked.  Empty: everyone.  0, or -1 with errno. */
int allow_init(const struct conf_list *allowed);

/* May the peer of this connection talk to us?  One over a unix socket always
 * may: its file has an owner and a mode.  A refusal is logged, once a second
 * at most. */
bool allow_admit(int fd);

#endif

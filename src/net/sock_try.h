#ifndef NET_SOCK_TRY_H
#define NET_SOCK_TRY_H

/*
 * Check whether an address can be listened on, without listening: no file is
 * made or removed, and a process that listens does not notice.  Runs in -t.
 */

#include <sys/types.h>

#include "net/sock_address.h"

/*
 * Check whether sock_listen would succeed if the process `holder` (0: none)
 * closed its sockets.  Descriptors that are passed at the start (fd:N,
 * systemd:NAME) are not checked.  0, or -1 and why.
 */
int sock_try(struct sock_address *address, pid_t holder, struct why *why);

#endif

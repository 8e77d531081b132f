#ifndef NET_SOCK_TRY_H
#define NET_SOCK_TRY_H

/*
 * Could an address be listened on?  Found out without doing it: no file is
 * made or removed, and nobody who listens notices.  Runs in -t.
 */

#include <sys/types.h>

#include "net/sock_address.h"

/*
 * What sock_listen would say of the address if the process `holder` (0: none)
 * had given up its own sockets.  Descriptors that are passed at a start are
 * not looked at.  0, or -1 and why.
 */
int sock_try(struct sock_address *address, pid_t holder, struct why *why);

#endif

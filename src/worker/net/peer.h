#ifndef WORKER_NET_PEER_H
#define WORKER_NET_PEER_H

/*
 * What is true of every peer, whatever it speaks: its faults are logged, and it
 * may have left.  Runs in the worker.
 */

#include <stdbool.h>

#include "worker/net/conn.h"

/* Log what a peer did wrong, and its address, once a second at most for all. */
void peer_blame(const struct conn *c, const char *fault);

/*
 * True if poll(2) with POLLRDHUP has shown by `revents` that the peer of fd has
 * left.  A TCP peer that has closed cannot be told from one that only stopped
 * sending (POLLRDHUP): both count as gone.  A unix peer that has closed shows
 * POLLHUP; with POLLRDHUP alone it still reads.
 */
bool peer_hung_up(int fd, short revents);

#endif

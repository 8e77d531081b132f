#ifndef NET_SOCK_QUEUE_H
#define NET_SOCK_QUEUE_H

/*
 * What the kernel knows of a socket: how many connections wait in the queue of
 * a listener, whether another is about to, and which file a socket is bound to.
 * Runs in master and worker; keeps no state.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The number of connections that wait to be accepted, or -1 with errno.  unix:
 * sock_diag(7) with UDIAG_SHOW_RQLEN; TCP: tcp_info.tcpi_unacked. */
int sock_queue_length(int fd);

/* True if a client is about to enter the queue of a TCP listener: the kernel
 * has answered its SYN, after which the client may believe that it is
 * connected, and waits for the last packet of the handshake (sock_diag(7),
 * state SYN_RECV).  False if the kernel cannot tell. */
bool sock_is_awaited(int fd);

/* True if the unix socket with that inode (socket:[...] in /proc) is bound to a
 * file other than `file`.  Its address alone does not tell, because a path is
 * relative to the directory and file systems of its process. */
bool sock_is_elsewhere(ino_t socket, const struct stat *file);

#endif

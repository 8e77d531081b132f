#ifndef NET_SOCK_QUEUE_H
#define NET_SOCK_QUEUE_H

/*
 * What the kernel knows of a socket: how many clients wait at one that listens,
 * who is about to, and which file it is bound to.  In master and worker alike;
 * keeps nothing.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Connections that wait to be accepted, or -1 with errno.  unix: sock_diag(7)
 * with UDIAG_SHOW_RQLEN; TCP: tcp_info.tcpi_unacked. */
int sock_queue_length(int fd);

/* Somebody is half way into that queue: the kernel has answered a SYN, so that
 * to the client it is connected, and the handshake's last packet has not come
 * yet (sock_diag(7), state SYN_RECV; kernels that cannot tell say false). */
bool sock_is_awaited(int fd);

/* The unix socket of that inode (of sockets, socket:[...] in /proc) is known to
 * be bound to another file, whatever its address says: one is relative to its
 * process's directory and file systems. */
bool sock_is_elsewhere(ino_t socket, const struct stat *file);

#endif

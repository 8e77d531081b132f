#ifndef SHARE_SOCK_QUEUE_H
#define SHARE_SOCK_QUEUE_H

/*
 * How many clients wait at a listening socket.  Asks the kernel, in master
 * and worker alike; keeps nothing.
 */

/* Connections that wait to be accepted, or -1 with errno.  unix: sock_diag(7)
 * with UDIAG_SHOW_RQLEN; TCP: tcp_info.tcpi_unacked. */
int sock_queue_length(int fd);

#endif

#ifndef BASE_FD_H
#define BASE_FD_H

/*
 * What is done to file descriptors everywhere.  Runs in master and worker;
 * knows nothing of either.  Every function returns -1 with errno on failure.
 */

#include <stdbool.h>
#include <stddef.h>

int fd_cloexec(int fd, bool on);
int fd_nonblock(int fd, bool on);

/* Write all n bytes to a blocking descriptor, going on after EINTR. */
int fd_write_all(int fd, const void *data, size_t n);

/* A pair of connected, close-on-exec descriptors: pipe [read, write];
 * SOCK_SEQPACKET unix sockets. */
int fd_pipe(int fds[2]);
int fd_pair(int fds[2]);

/*
 * Pass descriptor `fd` (or none: -1) with n > 0 bytes over a unix socket
 * without waiting; receive such a message (*fd is -1 if none came; it is
 * close-on-exec).  Return the bytes moved, 0 at end of file.  A message whose
 * descriptor found no place here is lost: EMFILE.  Of several descriptors,
 * which fd_send does not send, the first is received and the others are
 * closed.
 */
long fd_send(int sock, int fd, const void *data, size_t n);
long fd_receive(int sock, int *fd, void *data, size_t n);

/* The same of a peer that has none to pass: descriptors that come all the same
 * are closed. */
long fd_receive_bytes(int sock, void *data, size_t n);

/* Close one (-1: none) that somebody else has chosen: it may be a socket that
 * is set so that who closes it waits until its peer has taken everything. */
void fd_discard(int fd);

/* Open once more what `fd` leads to, by whatever name it has now; close-on-exec,
 * with flags and a position of its own (open(2)). */
int fd_open_again(int fd, int flags);

/* At a program's start: 0, 1 and 2 are open, on /dev/null those that were
 * not, so that nothing else is ever taken for one of them. */
int fd_standard(void);

/* Close *fd if it is not -1, and make it -1. */
void fd_close(int *fd);

#endif

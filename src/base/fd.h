#ifndef BASE_FD_H
#define BASE_FD_H

/*
 * Operations on file descriptors: flags, pairs, passing over a socket, opening
 * again.  Runs in master and worker.  A function that returns an int or a long
 * returns -1 with errno on failure.
 */

#include <stdbool.h>
#include <stddef.h>

/* Set or clear FD_CLOEXEC; O_NONBLOCK, which all copies of the descriptor
 * share (dup(2), fork(2)).  0 or -1. */
int fd_cloexec(int fd, bool on);
int fd_nonblock(int fd, bool on);

/* Write all n bytes, going on after EINTR, and waiting as long as it takes for
 * room if the descriptor does not block.  0 or -1. */
int fd_write_all(int fd, const void *data, size_t n);

/* Make a pair of connected, close-on-exec descriptors: a pipe, [0] to read and
 * [1] to write; unix sockets of type SOCK_SEQPACKET.  0 or -1. */
int fd_pipe(int fds[2]);
int fd_pair(int fds[2]);

/*
 * Send n bytes over a unix socket, with descriptor `fd` (-1: none), which stays
 * open here; n > 0 unless it is a datagram socket.  Receive such a message:
 * *fd becomes its descriptor, close-on-exec, or -1 if it has none.  Neither
 * waits.  Both return the number of bytes, fd_receive 0 at end of file.
 * EMFILE: this process has no room for the descriptor, and the message is
 * lost.  Of several descriptors (fd_send sends at most one) fd_receive takes
 * the first and closes the others.
 */
long fd_send(int sock, int fd, const void *data, size_t n);
long fd_receive(int sock, int *fd, void *data, size_t n);

/* As fd_receive, with all descriptors of the message: *nfds of them, which the
 * caller closes. */
#define FD_MOST 253 /* of one message: SCM_MAX_FD of the kernel */
long fd_receive_all(int sock, int fds[FD_MOST], size_t *nfds, void *data,
    size_t n);

/* True if this process has room for one more descriptor, like `fd`, so that the
 * next fd_receive loses none.  False with errno. */
bool fd_has_room(int fd);

/* True if there is something to be read, or an end to be told of. */
bool fd_is_readable(int fd);

/* True if a listening socket, or an end of a pair, was shut down, which whoever
 * has it can do; poll(2) then reports it as readable for ever. */
bool fd_is_shut(int fd);

/* As fd_receive, for a peer that has no descriptor to send: if one arrives, it
 * is closed. */
long fd_receive_bytes(int sock, void *data, size_t n);

/* Close a descriptor (-1: none) that another process has sent, without
 * waiting: clears SO_LINGER first, with which close(2) of a socket can wait
 * for its peer.  A hostile sender can make it wait (base/fd_leave.h). */
void fd_discard(int fd);

/* Open the file of `fd` once more, under whatever name it has now.  Returns a
 * close-on-exec descriptor with a position and `flags` (open(2)) of its own. */
int fd_open_again(int fd, int flags);

/* At a program's start: open /dev/null on each of 0, 1 and 2 that is closed,
 * so that no other file gets that number.  0 or -1. */
int fd_standard(void);

/* Close *fd if it is not -1, and make it -1. */
void fd_close(int *fd);

#endif

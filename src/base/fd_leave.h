#ifndef BASE_FD_LEAVE_H
#define BASE_FD_LEAVE_H

/*
 * Closing what a hostile process may have had in its hands, in a process that
 * must not wait: close(2) of a socket with SO_LINGER waits for its peer, and so
 * does close(2) of a unix socket in whose queue such a one was left.  "When the
 * socket is closed as part of exit(2), it always lingers in the background"
 * (socket(7)): a child holds the descriptors until they are closed here, and
 * exits.  The caller reaps children that it does not know.
 */

#include <stddef.h>

/* Close n descriptors; -1 among them is none.  If no child can be forked they
 * are closed all the same, which may wait. */
void fd_leave(const int *fds, size_t n);

/* The same for a pair of unix sockets that nobody uses any more: whoever has a
 * copy of an end can send nothing.  Without a child if nothing lies in it. */
void fd_leave_pair(const int pair[2]);

/* As fd_receive (base/fd.h).  fd NULL: the peer has no descriptor to send.
 * Descriptors that are not given to the caller are left. */
long fd_receive_leaving(int sock, int *fd, void *data, size_t n);

#endif

#ifndef NET_SOCK_H
#define NET_SOCK_H

/*
 * Listening sockets: bind them with backlog, owner, group, mode and access
 * control list; check inherited descriptors (fd:N).  Runs in the master, and
 * partly in workers.  Includes the headers for addresses, files and queues.
 */

#include <stdbool.h>

#include "base/why.h"
#include "net/sock_address.h"
#include "net/sock_file.h"
#include "net/sock_queue.h"

/*
 * Bind and listen; for fd:N check that it is a listening stream socket and
 * take it over.  A unix socket gets its owner, mode and list before it listens,
 * and no other file can get them in its place (sock_file.h).  A stale socket
 * file is replaced; a socket on which a process listens, a file that is no
 * socket, and a link that base/path.h does not follow are errors.  IPv6 sockets
 * are IPv6 only.  Returns a descriptor, close-on-exec and non-blocking, or -1
 * and why.
 */
int sock_listen(struct sock_address *address,
    const struct sock_options *options, struct why *why);

/* Bind a socket to an internet address with the options of sock_listen, without
 * listening.  0, or -1 with errno and why. */
int sock_bind_inet(int fd, const struct sock_address *address,
    struct why *why);

/* True if the connection fd can have come through the listener: their own
 * addresses are the same, or overlap (sock_overlap). */
bool sock_came_by(int listener, int fd);

/*
 * Refuse new connections from here on, while those in the queue can still be
 * accepted: remove the path of a unix socket (only if it is still this socket),
 * let a TCP listener drop the packets that arrive.  No effect on inherited
 * descriptors.
 */
void sock_refuse(int fd, const struct sock_address *address);

/* Accept packets again on a TCP connection that inherited the refusal of its
 * listener, because its handshake ended after sock_refuse.  No effect on other
 * sockets. */
void sock_hear(int fd);

/* True if the descriptor is a listening socket. */
bool sock_is_listening(int fd);

/* Stop listening, once the queue of a TCP listener that refuses is empty:
 * clients get "connection refused" at once. */
void sock_end(int fd);

#endif

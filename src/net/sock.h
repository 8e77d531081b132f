#ifndef NET_SOCK_H
#define NET_SOCK_H

/*
 * Listening sockets: bound with backlog, owner, group, mode and list of who
 * else may connect; inherited descriptors (fd:N) checked.  Runs in the master;
 * knows nothing of pools.
 * Their addresses and queues come along with this header.
 */

#include <stdbool.h>

#include "base/why.h"
#include "net/sock_address.h"
#include "net/sock_file.h"
#include "net/sock_queue.h"

/*
 * Bind and listen; for fd:N check that it is a listening stream socket and
 * take it over.  Nobody can connect to a unix socket before it has its
 * owner, mode and list, which no other file gets in its place (sock_file.h).
 * It replaces a stale socket file; one on which somebody listens, a file that
 * is no socket, and a link of another user on the way are errors.
 * IPv6 sockets are IPv6 only.  The result is close-on-exec and non-blocking;
 * -1 and why.
 */
int sock_listen(struct sock_address *address,
    const struct sock_options *options, struct why *why);

/* The first half of it, for a socket and an internet address: nobody can
 * connect yet.  0, or -1 with errno and why. */
int sock_bind_inet(int fd, const struct sock_address *address,
    struct why *why);

/* Did the connection fd come through that listener, or one like it? */
bool sock_came_by(int listener, int fd);

/*
 * No new connection from here on, while those that wait in the queue can
 * still be accepted: the path of a unix socket is removed (only if it is
 * still this socket), a TCP listener drops what arrives.  Nothing is done to
 * inherited descriptors.
 */
void sock_refuse(int fd, const struct sock_address *address);

/* A TCP connection whose handshake ended after its listener began to refuse has
 * inherited that, and drops all that its peer sends: no more.  Of no effect on
 * others. */
void sock_hear(int fd);

/* The queue of a TCP listener that refuses is empty: whoever comes learns at
 * once that nobody listens. */
void sock_end(int fd);

#endif

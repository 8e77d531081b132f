#ifndef SHARE_SOCK_H
#define SHARE_SOCK_H

/*
 * Listening sockets: the addresses of lua-fpm.conf(5), bound with backlog,
 * owner, group and mode; inherited descriptors (fd:N) checked.  Runs in the
 * master (bind) and in the worker (queue length).  Knows nothing of pools.
 */

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <netinet/in.h>

#include "base/why.h"

struct sock_address {
	enum { SOCK_UNIX, SOCK_INET, SOCK_FD } kind;
	int fd; /* SOCK_FD */
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} sa;
	socklen_t len;
	dev_t dev; /* unix: the socket file that sock_listen made, */
	ino_t ino; /* by which sock_refuse knows it again; else 0 */
};

struct sock_options {
	int backlog;
	uid_t owner; /* (uid_t)-1: not changed */
	gid_t group;
	mode_t mode;
};

/*
 * "/path" or "./path" (unix), "127.0.0.1:9000", "[::1]:9000", "*:9000"
 * (IPv4, every interface), "fd:3".  Numeric addresses only; ports 1..65535.
 * Pure.  0, or -1 and why.
 */
int sock_parse(const char *text, struct sock_address *address,
    struct why *why);
/* Do both name the same place?  What sock_listen noted does not count. */
bool sock_same(const struct sock_address *a, const struct sock_address *b);

/*
 * Bind and listen; for fd:N check that it is a listening stream socket and
 * take it over.  A unix socket appears at its path complete with owner and
 * mode (bound beside it, then renamed over), replacing a stale socket file;
 * one on which somebody listens, and a file that is no socket, are errors.
 * IPv6 sockets are IPv6 only.  The result is close-on-exec and non-blocking;
 * -1 and why.
 */
int sock_listen(struct sock_address *address,
    const struct sock_options *options, struct why *why);

/*
 * No new connection from here on, while those that wait in the queue can
 * still be accepted: the path of a unix socket is removed (only if it is
 * still this socket), a TCP listener drops what arrives.  Nothing is done to
 * inherited descriptors.
 */
void sock_refuse(int fd, const struct sock_address *address);

/* Connections that wait to be accepted, or -1 with errno.  unix: sock_diag(7)
 * with UDIAG_SHOW_RQLEN; TCP: tcp_info.tcpi_unacked. */
int sock_queue_length(int fd);

#endif

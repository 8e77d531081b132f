#ifndef NET_SOCK_ADDRESS_H
#define NET_SOCK_ADDRESS_H

/*
 * Where a pool listens, as the `listen` of lua-fpm.conf(5) says it: from text
 * to what bind(2) takes.  Pure but for sock_locate.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/why.h"

struct sock_address {
	enum { SOCK_UNIX, SOCK_INET, SOCK_FD } kind;
	int fd; /* SOCK_FD; as inherit_find says for a socket by name */
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} sa;
	socklen_t len;
	dev_t dev; /* unix: the socket file that sock_listen made, */
	ino_t ino; /* by which sock_refuse knows it again; else 0 */
	dev_t directory_dev; /* unix, after sock_locate: where the file lies; */
	ino_t directory_ino; /* else 0 */
};

/*
 * "/path" or "./path" (unix), "127.0.0.1:9000", "[::1]:9000", "*:9000"
 * (IPv4, every interface), "fd:3", "systemd:www" (inherit.h).  Numeric
 * addresses only; ports 1..65535.  0, or -1 and why.
 */
int sock_parse(const char *text, struct sock_address *address,
    struct why *why);

/* Find the directory of a unix socket, so that sock_same knows the address
 * again however it is written.  A directory that is missing stays unknown. */
void sock_locate(struct sock_address *address);

/* Do both name the same place?  What sock_listen noted does not count. */
bool sock_same(const struct sock_address *a, const struct sock_address *b);

/* The same, or a port of one interface and the same port of all of them:
 * only one of them can be bound. */
bool sock_overlap(const struct sock_address *a, const struct sock_address *b);

#endif

#ifndef NET_SOCK_ADDRESS_H
#define NET_SOCK_ADDRESS_H

/*
 * The addresses in `listen` of lua-fpm.conf(5): from text to what bind(2)
 * takes.  Pure but for sock_locate.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/why.h"
#include "net/sock_protocol.h"

struct sock_address {
	enum { SOCK_UNIX, SOCK_INET, SOCK_FD } kind;
	enum sock_protocol protocol;
	int fd; /* SOCK_FD; for a socket by name the result of inherit_find */
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} sa;
	socklen_t len;
	dev_t dev; /* unix: the file that sock_listen made, which */
	ino_t ino; /* sock_refuse removes; 0 before */
	dev_t directory_dev; /* unix: the file's directory, after */
	ino_t directory_ino; /* sock_locate; 0 before */
};

/*
 * Parse "/path" or "./path" (unix), "127.0.0.1:9000", "[::1]:9000", "*:9000"
 * (IPv4, all interfaces), "fd:3", "systemd:www" (ipc/inherit.h): FastCGI; or
 * HTTP, if "http:" stands before it.  Numeric addresses only; ports 1..65535.
 * 0, or -1 and why.
 */
int sock_parse(const char *text, struct sock_address *address,
    struct why *why);

/* Look up the directory of a unix socket, so that sock_same can compare paths
 * that are written differently.  No effect if the directory is missing, or on
 * other addresses. */
void sock_locate(struct sock_address *address);

/* True if both name the same place; the protocol and the file that sock_listen
 * made do not count. */
bool sock_same(const struct sock_address *a, const struct sock_address *b);

/* True if only one of both can be bound: they are the same, or one is a port on
 * all interfaces and the other the same port on one of them. */
bool sock_overlap(const struct sock_address *a, const struct sock_address *b);

/* Equal for any two of which sock_same or sock_overlap is true (base/index.h):
 * of a unix socket only the name of the file counts, of a port only that. */
uint64_t sock_hash(const struct sock_address *address);

#endif

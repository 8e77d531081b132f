#ifndef NET_FCGI_ADDRESS_H
#define NET_FCGI_ADDRESS_H

/*
 * Where a client finds a FastCGI server: from text to what connect(2) takes.
 * Unlike sock_address.h, it knows names of hosts.
 */

#include <sys/socket.h>

#include "base/why.h"

struct fcgi_address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/*
 * Parse a unix path (with a slash, or without a colon), "HOST:PORT" or
 * "[v6]:PORT", and look up the host.  Of several addresses the first IPv4 one
 * is taken, else the first.  0, or -1 and why.
 */
int fcgi_address_parse(const char *text, struct fcgi_address *address,
    struct why *why);

#endif

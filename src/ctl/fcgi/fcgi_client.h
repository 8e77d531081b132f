#ifndef CTL_FCGI_FCGI_CLIENT_H
#define CTL_FCGI_FCGI_CLIENT_H

/*
 * A FastCGI server's address and one request over a connection to it, every
 * wait bounded by one deadline.  Runs in the control tool; what is sent comes
 * from fcgi_request, what arrives goes to fcgi_reply.
 */

#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/why.h"
#include "ctl/fcgi/fcgi_reply.h"

struct fcgi_address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/*
 * A unix path (with a slash, or without a colon), "HOST:PORT" or "[v6]:PORT".
 * A host with several addresses: its first IPv4 one, else its first.  0, or
 * -1 and why.
 */
int fcgi_address_parse(const char *text, struct fcgi_address *address,
    struct why *why);

/*
 * Connect, send the request, read the response into reply (initialised by the
 * caller), close.  deadline is in clock_ms().  why is filled unless the
 * result is REPLY_DONE.  A server that stops reading but answers is fine.
 */
enum fcgi_verdict fcgi_fetch(const struct fcgi_address *address,
    const struct buf *request, struct fcgi_reply *reply, int64_t deadline,
    struct why *why);

#endif

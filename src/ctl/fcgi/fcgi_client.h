#ifndef CTL_FCGI_FCGI_CLIENT_H
#define CTL_FCGI_FCGI_CLIENT_H

/*
 * The address of a FastCGI server, and one request over a connection to it; one
 * deadline limits all waits.  fcgi_request makes what is sent, fcgi_reply reads
 * what arrives.  Runs in lua-fcgi.
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
 * Parse a unix path (with a slash, or without a colon), "HOST:PORT" or
 * "[v6]:PORT", and look up the host.  Of several addresses the first IPv4 one
 * is taken, else the first.  0, or -1 and why.
 */
int fcgi_address_parse(const char *text, struct fcgi_address *address,
    struct why *why);

/*
 * Connect, send the request, read the response into reply (initialised by the
 * caller), close.  deadline is in clock_ms().  why is filled unless the
 * result is REPLY_DONE.  A server may answer without reading all of the
 * request.
 */
enum fcgi_verdict fcgi_fetch(const struct fcgi_address *address,
    const struct buf *request, struct fcgi_reply *reply, int64_t deadline,
    struct why *why);

#endif

#ifndef CTL_FCGI_FCGI_CLIENT_H
#define CTL_FCGI_FCGI_CLIENT_H

/*
 * One request over a connection to a FastCGI server; one deadline limits all
 * waits.  fcgi_request makes what is sent, fcgi_reply reads what arrives.  Runs
 * in lua-fcgi.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "net/fcgi_address.h"
#include "net/fcgi_reply.h"

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

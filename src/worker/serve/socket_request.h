#ifndef WORKER_SERVE_SOCKET_REQUEST_H
#define WORKER_SERVE_SOCKET_REQUEST_H

/*
 * A WebSocket between a worker and its hub, as requests: what a handshake says
 * becomes what the hub keeps with the socket, its context; and a message
 * becomes a request again, so that logs, limits and counts are as for others.
 * Its method is WEBSOCKET; it has no body and cannot be answered.
 */

#include "base/buf.h"
#include "net/ws_handshake.h"
#include "worker/net/hub_client.h"
#include "worker/serve/request.h"

/* Append the context, for socket_request_begin; 0, or -1 without memory. */
int socket_context(const struct request *upgrade, struct buf *out);

/* Append the answer to a handshake, with that subprotocol ("": none).  0, or -1
 * without memory. */
int socket_answer(const struct request *upgrade, const char *protocol,
    struct buf *out);

/* The subprotocols that the client offers. */
struct http_span socket_offers(const struct request *upgrade);

/* The request for a piece of work, which is valid as long as that, and until
 * the next one. */
struct request *socket_request_begin(const struct hub_job *job);

#endif

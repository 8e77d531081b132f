#ifndef WORKER_PROTO_HTTP_HTTP_H
#define WORKER_PROTO_HTTP_HTTP_H

/*
 * HTTP/1.1 as a struct proto (RFC 9110, RFC 9112).  http_scan judges what a peer
 * sends; a request is begun when as much of its body has come as may wait
 * outside the application.  One request at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "net/ws_handshake.h"
#include "worker/proto/http/http_scan.h"
#include "worker/proto/proto.h"

struct http_options {
	struct http_limits limits;
	size_t request_buffer; /* bytes of a body that are awaited before the
				  request begins */
	int64_t body_most;     /* bytes that a body may have, 0: any number */
	int64_t read_timeout;  /* ms between two arrivals of body bytes */
	int64_t min_rate;      /* bytes of a body a second, 0: no limit */
	unsigned keep_most;    /* requests of a connection, 0: any number */
	bool proxy_protocol;   /* each connection begins with its header */
	const char *root;      /* DOCUMENT_ROOT, NULL: there is none */
	bool (*ends)(void);    /* the worker leaves, and no other takes its
				  connections */
};

/* Once in a worker, before http_proto is used, and after http_forwarded_init. */
void http_init(const struct http_options *options);

/* Once the application is loaded: whether it takes upgrades to WebSocket, and
 * from pages of which origins, whose list is kept. */
void http_take_upgrades(bool websocket, const struct ws_origins *origins);

extern const struct proto http_proto;

#endif

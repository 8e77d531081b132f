#ifndef NET_WS_HANDSHAKE_H
#define NET_WS_HANDSHAKE_H

/*
 * The opening handshake of WebSocket, the server's side (RFC 6455, section
 * 4.2): whether a request may have a WebSocket, and what the answer says.  Works
 * on the values of header fields, so that any protocol can call it.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "net/http_span.h"

#define WS_ACCEPT  28	/* characters of Sec-WebSocket-Accept */
#define WS_VERSION "13" /* of the protocol, the only one there is */

struct ws_request {
	bool get;   /* its method is GET */
	bool body;  /* it has one, if only an empty one that is chunked */
	int minor;  /* of its version, which is HTTP/1.minor */
	struct http_span host, key, version, origin;
};

struct ws_origins { /* that may open a WebSocket */
	const char *const *item;
	size_t n; /* 0: those with the host that was asked */
};

/*
 * Judge a request to upgrade to WebSocket: 101; or the status of a refusal, and *fault is a
 * constant that says why.
 *   400  not GET, HTTP/1.0, a body, Host missing, a key that is not 16 bytes
 *   403  the origin is not allowed: neither the host that was asked, with the
 *	  port, nor one of `origins`, where that is not empty.  An item is "*",
 *	  an origin ("https://example.com"), or a host with any scheme and port
 *	  ("example.com"); a host may begin with "*." for all below it; "same"
 *	  is the host that was asked.  No browser omits Origin, so a request
 *	  without one is allowed.
 *   426  another version of the protocol; the answer has to name WS_VERSION
 */
int ws_handshake_judge(const struct ws_request *request,
    const struct ws_origins *origins, const char **fault);

/* The value of Sec-WebSocket-Accept for a key of a request that was judged
 * 101, without a terminating NUL. */
void ws_handshake_accept(const struct http_span *key, char out[WS_ACCEPT]);

/* True if an item of ws_origins is in one of the forms above. */
bool ws_origin_is_valid(const char *item);

#endif

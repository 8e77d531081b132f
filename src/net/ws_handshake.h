#ifndef NET_WS_HANDSHAKE_H
#define NET_WS_HANDSHAKE_H

/*
 * The opening handshake of WebSocket, the server's side (RFC 6455, section
 * 4.2): whether a request asks for a WebSocket, whether it may have one, and
 * what the answer says.  Works on the values of header fields, repeated ones
 * joined by a comma, so that any protocol can call it.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#define WS_ACCEPT  28	/* characters of Sec-WebSocket-Accept */
#define WS_VERSION "13" /* of the protocol, the only one there is */

struct ws_text { /* not terminated; NULL: the field is missing */
	const char *at;
	size_t len;
};

struct ws_request {
	bool get;   /* its method is GET */
	bool body;  /* it has one, if only an empty one that is chunked */
	int minor;  /* of its version, which is HTTP/1.minor */
	struct ws_text host, upgrade, connection, key, version, origin;
};

struct ws_origins { /* that may open a WebSocket */
	const char *const *item;
	size_t n; /* 0: those with the host that was asked */
};

/* True if the request is one to upgrade to WebSocket: Upgrade lists it, and
 * Connection lists Upgrade, without which the field is meant for another hop
 * (RFC 9110, 7.8).  Any other is an ordinary request. */
bool ws_is_upgrade(const struct ws_request *request);

/*
 * Judge such a request: 101; or the status of a refusal, and *fault is a
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
void ws_handshake_accept(const struct ws_text *key, char out[WS_ACCEPT]);

/* Take the next element of a comma-separated list; *list moves behind it.  An
 * empty one is passed over.  False: there is none. */
bool ws_list_next(struct ws_text *list, struct ws_text *element);

/* True if the list has an element like that, which is a token: letter by
 * letter, as subprotocols are compared; or whatever the case. */
bool ws_list_has(struct ws_text list, const char *token, size_t len,
    bool any_case);

/* True if the text is a token (RFC 9110, 5.6.2), as a subprotocol has to be. */
bool ws_is_token(const char *text, size_t len);

/* True if an item of ws_origins is in one of the forms above. */
bool ws_origin_is_valid(const char *item);

#endif

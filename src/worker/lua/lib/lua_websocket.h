#ifndef WORKER_LUA_LIB_LUA_WEBSOCKET_H
#define WORKER_LUA_LIB_LUA_WEBSOCKET_H

/*
 * A WebSocket as an application sees it: ws is a handle that knows the id of a
 * socket and its session, and stays usable after its call; the socket itself is
 * the hub's (worker/net/hub_client.h).
 *
 *   ws.id        16 hexadecimal digits
 *   ws.session   a string of at most HUB_SESSION bytes, kept with the socket
 *   ws.protocol  in open: a subprotocol that the client offers, or nil
 *   ws:send(data[, kind])  ws:close([code[, reason]])
 *   ws:subscribe(channel)  ws:unsubscribe(channel)
 *
 * What they do is queued: that it succeeds does not say that it arrives.
 */

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "ipc/hub_record.h"
#include "net/ws_handshake.h"

struct lua_opening { /* of a socket that is not the hub's yet */
	uint64_t id;
	struct buf first; /* what the application does meanwhile */
	struct http_span offered;	/* subprotocols */
	char protocol[256];	/* chosen, or "" */
	char session[HUB_SESSION];
	size_t session_len;
};

/* Make the type of handles; may raise. */
void lua_websocket_setup(lua_State *L);

/* Push a handle of a socket that listens to so many channels.  opening: NULL, or
 * it has not been opened yet, until lua_websocket_opened. */
void lua_websocket_push(lua_State *L, uint64_t id,
    const struct hub_part *session, unsigned channels,
    struct lua_opening *opening);
void lua_websocket_opened(void);

/* fpm.core.websocket: publish, send. */
int lua_websocket_open(lua_State *L);

#endif

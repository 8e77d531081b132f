#ifndef WORKER_LUA_LIB_LUA_REPLY_H
#define WORKER_LUA_LIB_LUA_REPLY_H

/*
 * What accept returned, checked and sent: headers (lua_head.h) and a body,
 * which is nil, a string or number, an array of those (raw), or something to
 * be called until it returns nil, each string it returns being sent at once.
 * What can be checked is checked before the first byte is sent; with a body
 * that is called, that is after the first call.
 */

#include <lua.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "worker/serve/request.h"
#include "worker/serve/response.h"

struct lua_reply { /* memory that serves one response after the other */
	struct response response;
	int64_t left; /* bytes of the body that may yet be sent, -1: any */
};

enum lua_reply_end {
	LUA_REPLY_DONE,
	LUA_REPLY_CUT,	/* sent; what exceeded Content-Length was not: why */
	LUA_REPLY_BAD,	/* malformed, why; request->sent tells if it shows */
	LUA_REPLY_GONE, /* the client took no more: errno */
};

/*
 * Send what the two values at the top of the stack, headers and body, say.
 * Sets request->status and sent.  The stack is left with any number of values
 * on top of them.  Raises what a body function raises.
 */
enum lua_reply_end lua_reply_send(struct lua_reply *reply, lua_State *L,
    struct request *request, struct why *why);

/* Nothing has been sent: a response of our own, a short neutral text. */
enum lua_reply_end lua_reply_error(struct lua_reply *reply,
    struct request *request, int status);

void lua_reply_free(struct lua_reply *reply);

#endif

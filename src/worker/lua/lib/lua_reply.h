#ifndef WORKER_LUA_LIB_LUA_REPLY_H
#define WORKER_LUA_LIB_LUA_REPLY_H

/*
 * What accept returned, checked and sent: headers (lua_head.h) and a body,
 * which is nil, a string or number, an array of those (raw), or a function,
 * which is called until it returns nil; each string that it returns is sent at
 * once.  All that can be checked is checked before the first byte is sent; a
 * body function is called once before that.
 */

#include <lua.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"
#include "worker/serve/request.h"
#include "worker/serve/response.h"

struct lua_reply { /* of one response after another, to use memory again */
	struct response response;
	size_t head_most; /* bytes that a head may have, 0: any number */
	int64_t left; /* bytes of the body that may yet be sent, -1: any */
	bool may_complain; /* to the web server, behind the response */
	bool open;	   /* it is written piece by piece */
	int ended;	   /* enum lua_reply_end: of its pieces so far */
};

enum lua_reply_end {
	LUA_REPLY_DONE,
	LUA_REPLY_CUT,	/* sent, but cut to its Content-Length: why */
	LUA_REPLY_BAD,	/* malformed: why; sent in part if request->sent */
	LUA_REPLY_GONE, /* the client took no more: errno */
};

/*
 * Send the response of the two values at the top of the stack, headers and
 * body; it has that status if the headers say nothing else.  Sets
 * request->status and sent.  Any number of values may be left on top of
 * them.  Raises what a body function raises.
 */
enum lua_reply_end lua_reply_send(struct lua_reply *reply, lua_State *L,
    int status, struct request *request, struct why *why);

/*
 * A response that is written piece by piece (lua_respond.c).  Begin it with a
 * status (nil: as headers say) and headers (nil: none) at those indexes, of which
 * nothing is sent yet: 0, or -1 and why, and it is not open.
 */
int lua_reply_open(struct lua_reply *reply, lua_State *L, int status,
    int headers, struct request *request, struct why *why);

/* Send the text at that index, and the head before the first; send what is
 * buffered, the head included; complete the response.  After anything but
 * LUA_REPLY_DONE all of them return that again. */
enum lua_reply_end lua_reply_piece(struct lua_reply *reply, lua_State *L,
    int index, struct request *request, struct why *why);
enum lua_reply_end lua_reply_flush(struct lua_reply *reply,
    struct request *request, struct why *why);
enum lua_reply_end lua_reply_close(struct lua_reply *reply,
    struct request *request, struct why *why);

/* Send a response of our own, a short text that names the status.  Only while
 * nothing has been sent. */
enum lua_reply_end lua_reply_error(struct lua_reply *reply,
    struct request *request, int status);

/* Free the memory that it keeps. */
void lua_reply_free(struct lua_reply *reply);

#endif

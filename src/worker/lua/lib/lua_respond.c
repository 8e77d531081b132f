#include "worker/lua/lib/lua_respond.h"

#include <lauxlib.h>

#include "worker/lua/lib/lua_after.h"
#include "worker/lua/lib/lua_reply.h"
#include "worker/lua/lib/lua_req.h"

#define RESPONSE "lua-fpm.response"

/* The reply that is written through the handle at 1.  Raises if it is closed,
 * or its request is over. */
static struct lua_reply *
check_open(lua_State *L, struct lua_req **req)
{
	*req = lua_req_check(L, 1, RESPONSE);
	if (!(*req)->reply->open)
		luaL_error(L, "the response is closed");
	return (*req)->reply;
}

/* What the methods return: the handle, or nil and a message.  A head that
 * cannot be sent is an error of the application. */
static int
result(lua_State *L, const struct lua_req *req, enum lua_reply_end end,
    const struct why *why)
{
	if (end == LUA_REPLY_DONE) {
		lua_settop(L, 1);
		return 1;
	}
	if (end == LUA_REPLY_BAD && !req->request->sent)
		return luaL_error(L, "%s", why->text);
	luaL_pushfail(L);
	if (end == LUA_REPLY_GONE)
		lua_pushliteral(L, "the client takes no more");
	else
		lua_pushliteral(L, "the body is longer than its "
		    "Content-Length");
	return 2;
}

/* response:write(text, ...) */
static int
write_pieces(lua_State *L)
{
	struct lua_req *req;
	struct lua_reply *reply = check_open(L, &req);
	enum lua_reply_end end = LUA_REPLY_DONE;
	int i, n = lua_gettop(L);
	size_t len;

	for (i = 2; i <= n; i++)
		luaL_checklstring(L, i, NULL);
	for (i = 2; i <= n && end == LUA_REPLY_DONE; i++) {
		lua_tolstring(L, i, &len);
		if (len > 0)
			end = lua_reply_piece(reply, L, i, req->request,
			    req->why);
	}
	return result(L, req, end, req->why);
}

/* response:flush() */
static int
flush(lua_State *L)
{
	struct lua_req *req;
	struct lua_reply *reply = check_open(L, &req);

	return result(L, req, lua_reply_flush(reply, req->request, req->why),
	    req->why);
}

/* response:close() */
static int
close_response(lua_State *L)
{
	struct lua_req *req;
	struct lua_reply *reply = check_open(L, &req);
	enum lua_reply_end end = lua_reply_close(reply, req->request,
	    req->why);

	if (end == LUA_REPLY_BAD && req->request->sent)
		return luaL_error(L, "%s", req->why->text);
	return result(L, req, end, req->why);
}

/* env:respond([status[, headers]]) */
static int
respond(lua_State *L)
{
	struct lua_req *req = lua_req_check_env(L, 1);

	lua_settop(L, 3);
	if (req->responds)
		return luaL_error(L, "respond has been called before");
	if (!lua_isnil(L, 3))
		luaL_checktype(L, 3, LUA_TTABLE);
	if (lua_reply_open(req->reply, L, 2, 3, req->request, req->why) == -1)
		return luaL_error(L, "%s", req->why->text);
	req->responds = true;
	lua_req_push_handle(req, L, RESPONSE);
	return 1;
}

/* env:after(function) */
static int
after(lua_State *L)
{
	struct lua_req *req = lua_req_check_env(L, 1);

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_after_add(req, L);
	return 0;
}

/* status(env, n): the application's status of the response, which is not that of
 * HTTP. */
static int
set_status(lua_State *L)
{
	struct lua_req *req = lua_req_check_env(L, 1);
	lua_Integer status = luaL_checkinteger(L, 2);

	luaL_argcheck(L, status >= 0 && status <= UINT32_MAX, 2,
	    "out of range");
	req->request->result = (uint32_t)status;
	return 0;
}

int
lua_respond_open(lua_State *L)
{
	static const luaL_Reg methods[] = { { "close", close_response },
		{ "flush", flush }, { "write", write_pieces },
		{ NULL, NULL } };
	static const luaL_Reg functions[] = { { "after", after },
		{ "respond", respond }, { "status", set_status },
		{ NULL, NULL } };

	lua_req_make_type(L, RESPONSE, methods);
	luaL_newlib(L, functions);
	return 1;
}

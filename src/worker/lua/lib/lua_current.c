#include "worker/lua/lib/lua_current.h"

#include <lauxlib.h>

#include "worker/lua/lib/lua_req.h"
#include "worker/serve/request.h"

static const struct request *
current(lua_State *L)
{
	const struct lua_req *req = lua_req_of(L);

	return req != NULL ? req->request : NULL;
}

static int
serving(lua_State *L)
{
	lua_pushboolean(L, current(L) != NULL);
	return 1;
}

static int
param(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *value = NULL;
	const struct request *request = current(L);
	size_t len = 0;

	if (request != NULL)
		value = request_param(request, name, &len);
	if (value == NULL)
		lua_pushnil(L);
	else
		lua_pushlstring(L, value, len);
	return 1;
}

int
lua_current_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "serving", serving },
		{ "param", param }, { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}

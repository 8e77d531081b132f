#include "worker/lua/lib/lua_try.h"

#include <lauxlib.h>

#include "worker/lua/lua_error.h"

static int below; /* frames under the innermost try */

static int
count_frames(lua_State *L)
{
	lua_Debug ar;
	int n = 0;

	while (lua_getstack(L, n, &ar))
		n++;
	return n;
}

static int
handle(lua_State *L)
{
	lua_settop(L, 1);
	lua_error_keep(L, below);
	return 1;
}

static int
try(lua_State *L)
{
	const int outer = below;
	int result;

	luaL_checkany(L, 1);
	lua_pushcfunction(L, handle);
	lua_insert(L, 1);
	below = count_frames(L);
	result = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1);
	below = outer;
	lua_pushboolean(L, result == LUA_OK);
	lua_replace(L, 1);
	return lua_gettop(L);
}

int
lua_try_open(lua_State *L)
{
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, try);
	lua_setfield(L, -2, "try");
	return 1;
}

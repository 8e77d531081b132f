#include "worker/lua/lib/lua_try.h"

#include <lauxlib.h>

#include "worker/lua/lua_deadline.h"
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

int
lua_try_call(lua_State *L, int nargs)
{
	const int outer = below, function = lua_gettop(L) - nargs;
	int result;

	lua_pushcfunction(L, handle);
	lua_insert(L, function);
	below = count_frames(L);
	result = lua_pcall(L, nargs, LUA_MULTRET, function);
	below = outer;
	lua_remove(L, function);
	return result;
}

static int
try(lua_State *L)
{
	int result;

	luaL_checkany(L, 1);
	result = lua_try_call(L, lua_gettop(L) - 1);
	/* It would be raised again, by the next instruction, which is not the
	 * place that took too long. */
	if (result != LUA_OK && lua_deadline_expired())
		return lua_deadline_raise(L);
	lua_pushboolean(L, result == LUA_OK);
	lua_insert(L, 1);
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

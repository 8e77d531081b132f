#include "worker/lua/lua_check.h"

#include <lauxlib.h>

#include <stdio.h>

bool
lua_check_text(lua_State *L, int index)
{
	int type = lua_type(L, index);

	return type == LUA_TSTRING || type == LUA_TNUMBER;
}

const char *
lua_check_type(lua_State *L, int index, char out[LUA_CHECK_TYPE])
{
	const char *name = luaL_typename(L, index);

	snprintf(out, LUA_CHECK_TYPE, "%s%s",
	    lua_isnil(L, index) ? "" : "a ", name);
	return out;
}

int
lua_check_failed(lua_State *L, int index, const char *what,
    const char *expectation, struct why *why)
{
	char type[LUA_CHECK_TYPE];

	why_set(why, "%s is %s, expected %s", what,
	    lua_check_type(L, index, type), expectation);
	return -1;
}

static int
element_failed(lua_State *L, const char *what, lua_Integer at,
    struct why *why)
{
	char place[128];

	snprintf(place, sizeof(place), "%s[%lld]", what, (long long)at);
	return lua_check_failed(L, -1, place, "a string", why);
}

/* Set why: the key below the top is not one of 1 to n. */
static int
key_failed(lua_State *L, lua_Integer n, const char *what, struct why *why)
{
	lua_Integer at = lua_tointeger(L, -2);

	if (lua_type(L, -2) == LUA_TSTRING)
		why_set(why, "%s has the key \"%.64s\", expected an array",
		    what, lua_tostring(L, -2));
	else if (!lua_isinteger(L, -2))
		why_set(why, "%s has a key that is a %s, expected an array",
		    what, luaL_typename(L, -2));
	else if (at < 1)
		why_set(why, "%s has the key %lld, expected an array", what,
		    (long long)at);
	else
		why_set(why, "%s[%lld] is nil, but there is %s[%lld]", what,
		    (long long)n + 1, what, (long long)at);
	return -1;
}

static int
hole_failed(lua_State *L, int list, const char *what, struct why *why)
{
	lua_Integer at = 1;

	while (lua_rawgeti(L, list, at) != LUA_TNIL) {
		lua_pop(L, 1);
		at++;
	}
	return element_failed(L, what, at, why);
}

int64_t
lua_check_list(lua_State *L, int list, const char *what, struct why *why)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, list), at, entries = 0;
	int64_t sum = 0;
	size_t len;

	for (lua_pushnil(L); lua_next(L, list) != 0; lua_pop(L, 1)) {
		at = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
		if (at < 1 || at > n)
			return key_failed(L, n, what, why);
		if (!lua_check_text(L, -1))
			return element_failed(L, what, at, why);
		lua_tolstring(L, -1, &len);
		sum += (int64_t)len;
		entries++;
	}
	return entries == n ? sum : hole_failed(L, list, what, why);
}

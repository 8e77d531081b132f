#include "worker/lua/lib/lua_head.h"

#include <lauxlib.h>

#include <stdbool.h>
#include <stdio.h>
#include <strings.h>

#include "worker/lua/lua_check.h"

static int
read_status_pair(lua_State *L, int pair, struct response *r, struct why *why)
{
	const char *reason = NULL;
	size_t len = 0;
	int integral;
	lua_Integer status;

	lua_rawgeti(L, pair, 1);
	lua_rawgeti(L, pair, 2);
	status = lua_tointegerx(L, -2, &integral);
	if (lua_type(L, -2) != LUA_TNUMBER || !integral)
		return lua_check_failed(L, -2, "Status[1]", "an integer", why);
	if (lua_type(L, -1) == LUA_TSTRING)
		reason = lua_tolstring(L, -1, &len);
	else if (!lua_isnil(L, -1))
		return lua_check_failed(L, -1, "Status[2]", "a string", why);
	return response_status(r, status, reason, len, why);
}

int
lua_head_status(lua_State *L, int value, struct response *r, struct why *why)
{
	const char *text;
	size_t len;
	int integral;
	lua_Integer status;

	switch (lua_type(L, value)) {
	case LUA_TTABLE:
		return read_status_pair(L, value, r, why);
	case LUA_TSTRING:
		text = lua_tolstring(L, value, &len);
		return response_status_text(r, text, len, why);
	case LUA_TNUMBER:
		status = lua_tointegerx(L, value, &integral);
		if (integral)
			return response_status(r, status, NULL, 0, why);
		why_set(why, "Status is %s, expected an integer",
		    lua_tostring(L, value));
		return -1;
	default:
		return lua_check_failed(L, value, "Status",
		    "a number, a string or { number, string }", why);
	}
}

/* One line of the header whose name is at index `name`. */
static int
read_value(lua_State *L, int name, int value, struct response *r,
    struct why *why)
{
	size_t name_len, value_len;
	const char *n = lua_tolstring(L, name, &name_len);
	const char *v = lua_tolstring(L, value, &value_len);

	return response_header(r, n, name_len, v, value_len, why);
}

static int
read_values(lua_State *L, int name, int list, const char *what,
    struct response *r, struct why *why)
{
	lua_Integer i, n = (lua_Integer)lua_rawlen(L, list);

	if (lua_check_list(L, list, what, why) == -1)
		return -1;
	for (i = 1; i <= n; i++) {
		lua_rawgeti(L, list, i);
		if (read_value(L, name, -1, r, why) == -1)
			return -1;
		lua_pop(L, 1);
	}
	return 0;
}

static bool
is_status(lua_State *L, int name)
{
	size_t len;
	const char *s = lua_tolstring(L, name, &len);

	return len == 6 && strncasecmp(s, "Status", 6) == 0;
}

static int
read_header(lua_State *L, int name, int value, struct response *r,
    struct why *why)
{
	char what[96];

	if (lua_check_text(L, value))
		return read_value(L, name, value, r, why);
	snprintf(what, sizeof(what), "header \"%.64s\"",
	    lua_tostring(L, name));
	if (lua_istable(L, value))
		return read_values(L, name, value, what, r, why);
	return lua_check_failed(L, value, what,
	    "a string, a number or an array of strings", why);
}

/* A number as a key must not be converted to a string: lua_next would fail. */
static int
check_key(lua_State *L, int name, struct why *why)
{
	if (lua_type(L, name) == LUA_TSTRING)
		return 0;
	if (lua_isinteger(L, name))
		why_set(why, "headers[%lld] has no name, expected a table of "
		    "name = value", (long long)lua_tointeger(L, name));
	else
		why_set(why, "headers have a key that is a %s, expected names",
		    luaL_typename(L, name));
	return -1;
}

int
lua_head_read(lua_State *L, int headers, struct response *r, struct why *why)
{
	int name = lua_gettop(L) + 1, value = name + 1, result;
	bool status = r->has_status;

	lua_pushnil(L);
	while (lua_next(L, headers) != 0) {
		if (check_key(L, name, why) == -1)
			return -1;
		if (!is_status(L, name)) {
			result = read_header(L, name, value, r, why);
		} else if (status) {
			why_set(why, "Status is given twice");
			result = -1;
		} else {
			status = true;
			result = lua_head_status(L, value, r, why);
		}
		if (result == -1)
			return -1;
		lua_settop(L, name);
	}
	return 0;
}

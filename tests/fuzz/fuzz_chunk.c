/* Precompiled chunks where lua.binary_chunks is false.  An input that is one is
 * refused, whole and in pieces, unless it is what string.dump made; of any
 * other, as a program, what string.dump makes is loaded, and nothing that
 * differs in a bit. */

#include <lauxlib.h>
#include <string.h>

#include "base/log.h"
#include "fuzz.h"
#include "worker/lua/lua_chunks.h"
#include "worker/lua/lua_sandbox.h"
#include "worker/lua/lua_state.h"

static struct lua_chunks chunks;

static int
enter(lua_State *L)
{
	lua_sandbox_apply(L, NULL, "/x/app.lua", &chunks);
	return 0;
}

/* A reader of load: seven bytes each time.  Upvalues: the string, the place. */
static int
next_piece(lua_State *L)
{
	size_t len, at = (size_t)lua_tointeger(L, lua_upvalueindex(2));
	const char *s = lua_tolstring(L, lua_upvalueindex(1), &len);
	size_t n = len - at < 7 ? len - at : 7;

	lua_pushinteger(L, (lua_Integer)(at + n));
	lua_replace(L, lua_upvalueindex(2));
	lua_pushlstring(L, s + at, n);
	return 1;
}

/* load(the string on top), which stays.  True, and the function is pushed. */
static bool
loads(lua_State *L, bool pieces, const char *mode)
{
	lua_getglobal(L, "load");
	lua_pushvalue(L, -2);
	if (pieces) {
		lua_pushinteger(L, 0);
		lua_pushcclosure(L, next_piece, 2);
	}
	lua_pushliteral(L, "=chunk");
	lua_pushstring(L, mode);
	must(lua_pcall(L, 3, 2, 0) == LUA_OK);
	lua_pop(L, 1);
	if (!lua_isnil(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

/* The dump of the function on top takes its place. */
static void
dump(lua_State *L)
{
	lua_pushcfunction(L, lua_chunks_dump);
	lua_insert(L, -2);
	must(lua_pcall(L, 1, 1, 0) == LUA_OK);
}

/* The string on top is one that was dumped. */
static void
check_dumped(lua_State *L)
{
	size_t len;
	const char *s = lua_tolstring(L, -1, &len);
	char *other = malloc(len);
	size_t step = len / 64 + 1;

	must(other != NULL && !loads(L, false, "t"));
	for (int pieces = 0; pieces < 2; pieces++) {
		must(loads(L, pieces, "b"));
		dump(L);
		must(lua_rawequal(L, -1, -2));
		lua_pop(L, 1);
	}
	for (size_t i = 0; i < len; i += step) {
		memcpy(other, s, len);
		other[i] ^= (char)(1 << i % 8);
		lua_pushlstring(L, other, len);
		must(!loads(L, i % 2, "b"));
		lua_pop(L, 1);
	}
	free(other);
}

FUZZ(chunk)
{
	lua_State *L = lua_state_open();

	log_set_level(LEVEL_ALERT);
	must(L != NULL);
	lua_pushcfunction(L, enter);
	must(lua_state_call(L, 0, 0) == 0);
	lua_pushliteral(L, "local a = ... return a, 'a'");
	must(loads(L, false, "t"));
	dump(L);
	lua_pushlstring(L, (const char *)data, size);
	if (lua_chunks_binary((const char *)data, size)) {
		bool ours = lua_rawequal(L, -1, -2);

		must(loads(L, false, "bt") == ours);
		lua_settop(L, LUA_STATE_HANDLER + 3);
		must(loads(L, true, "b") == ours);
	} else if (loads(L, true, "bt")) {
		dump(L);
		check_dumped(L);
	}
	lua_close(L);
	lua_chunks_free(&chunks);
}

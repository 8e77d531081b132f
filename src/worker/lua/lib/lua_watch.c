#include "worker/lua/lib/lua_watch.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/lua/lua_state.h"

static const char keeper; /* of the registry: struct lua_files */

void
lua_watch_keep(struct lua_files *files, lua_State *L)
{
	lua_state_keep(L, &keeper, files);
}

static struct lua_files *
files_of(lua_State *L)
{
	return lua_state_kept(L, &keeper);
}

static int
watch(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);

	if (!lua_files_add(files_of(L), path)) {
		luaL_pushfail(L);
		lua_pushfstring(L, "%s: %s", path, strerror(errno));
		return 2;
	}
	lua_settop(L, 1);
	return 1;
}

static int
names(lua_State *L)
{
	const struct lua_files *files = files_of(L);
	const char *name;
	size_t i;

	lua_newtable(L);
	for (i = 0; (name = lua_files_name(files, i)) != NULL; i++) {
		lua_pushstring(L, name);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int
environment(lua_State *L)
{
	const char *equals;
	char **variable;

	lua_newtable(L);
	for (variable = environ; variable != NULL && *variable != NULL;
	    variable++) {
		equals = strchr(*variable, '=');
		if (equals == NULL)
			continue;
		lua_pushlstring(L, *variable, (size_t)(equals - *variable));
		lua_pushstring(L, equals + 1);
		lua_rawset(L, -3);
	}
	return 1;
}

int
lua_watch_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "environment", environment },
		{ "names", names }, { "watch", watch }, { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}

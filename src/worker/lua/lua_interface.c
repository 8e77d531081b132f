#include "worker/lua/lua_interface.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "conf/conf_key.h"
#include "conf/conf_timer.h"
#include "worker/lua/lib/lua_library.h"
#include "worker/lua/lua_state.h"

/* ---- loading ------------------------------------------------------------- */

static void
set_number(lua_State *L, const char *name, int64_t number)
{
	lua_pushinteger(L, (lua_Integer)number);
	lua_setfield(L, -2, name);
}

/* The field `timers`: their names. */
static void
set_timers(lua_State *L, const struct conf_list *timers)
{
	struct conf_timer timer;
	size_t i;

	lua_newtable(L);
	for (i = 0; i < timers->n; i++) {
		if (conf_timer_read(timers->item[i], &timer) == -1)
			continue;
		lua_pushstring(L, timer.name);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	}
	lua_setfield(L, -2, "timers");
}

/* The field `pool` of the options: what is configured, for an interface whose
 * applications say themselves how many processes there shall be. */
static void
push_pool(lua_State *L, const struct conf_pool *pool)
{
	static const char *const modes[] = { [MODE_STATIC] = "static",
		[MODE_DYNAMIC] = "dynamic", [MODE_ONDEMAND] = "ondemand" };

	lua_newtable(L);
	lua_pushstring(L, modes[pool->workers.mode]);
	lua_setfield(L, -2, "mode");
	set_number(L, "max", pool->workers.max);
	set_number(L, "start", pool->workers.start);
	set_number(L, "min_spare", pool->workers.min_spare);
	set_number(L, "memory", pool->limits.memory);
	set_number(L, "head", pool->limits.head);
	lua_pushnumber(L, (lua_Number)pool->workers.idle_timeout / 1000);
	lua_setfield(L, -2, "idle_timeout");
	set_timers(L, &pool->timers);
	lua_setfield(L, -2, "pool");
}

static void
push_options(lua_State *L, const struct conf_pool *pool)
{
	lua_newtable(L);
	lua_pushstring(L, pool->mount != NULL ? pool->mount : "");
	lua_setfield(L, -2, "mount");
	if (pool->interface == INTERFACE_MOONBRIDGE)
		push_pool(L, pool);
	if (!conf_has_root((enum conf_interface)pool->interface))
		return;
	lua_pushnumber(L, pool->develop ? 0 :
	    (lua_Number)pool->revalidate / 1000);
	lua_setfield(L, -2, "revalidate");
	lua_pushboolean(L, pool->develop);
	lua_setfield(L, -2, "develop");
}

/* Called with the file's name and the pool; returns what fpm.NAME makes. */
static int
load(lua_State *L)
{
	const char *file = lua_touserdata(L, 1);
	const struct conf_pool *pool = lua_touserdata(L, 2);

	lua_pushfstring(L, "fpm.%s",
	    conf_interface_name((enum conf_interface)pool->interface));
	lua_library_push(L, lua_tostring(L, -1));
	if (lua_istable(L, -1) && lua_getfield(L, -1, "load") != LUA_TNIL) {
		lua_pushstring(L, file);
	} else {
		lua_settop(L, 4);
		if (luaL_loadfilex(L, file, "t") != LUA_OK)
			return lua_error(L);
		lua_call(L, 0, 1);
	}
	push_options(L, pool);
	lua_call(L, 2, 1);
	return 1;
}

int
lua_interface_load(lua_State *L, const char *file,
    const struct conf_pool *pool)
{
	if (pool == NULL || pool->interface == INTERFACE_NATIVE)
		return lua_state_load(L, file);
	lua_pushcfunction(L, load);
	lua_pushlightuserdata(L, (void *)file);
	lua_pushlightuserdata(L, (void *)pool);
	return lua_state_call(L, 2, 1);
}

/* ---- judging ------------------------------------------------------------- */

static bool
has_function(lua_State *L, const char *name)
{
	bool found = lua_getfield(L, 1, name) == LUA_TFUNCTION;

	lua_pop(L, 1);
	return found;
}

/* The interface whose applications look like the first argument, or NULL. */
static const char *
find_other(lua_State *L)
{
	if (lua_isfunction(L, 1))
		return "wsapi";
	if (!lua_istable(L, 1) || has_function(L, "accept"))
		return NULL;
	if (has_function(L, "dispatch"))
		return "lapis";
	return has_function(L, "run") ? "wsapi" : NULL;
}

void
lua_interface_judge(lua_State *L, const char *file)
{
	const char *other = find_other(L);
	const char *article = lua_isnil(L, 1) ? "" : "a ";

	if (other != NULL)
		luaL_error(L, "%s returned %s%s, which interface = \"%s\" "
		    "takes, expected a table of functions with accept", file,
		    article, luaL_typename(L, 1), other);
	if (!lua_istable(L, 1))
		luaL_error(L, "%s returned %s%s, expected a table of "
		    "functions", file, article, luaL_typename(L, 1));
}

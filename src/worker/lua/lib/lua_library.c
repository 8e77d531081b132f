#include "worker/lua/lib/lua_library.h"

#include <lauxlib.h>

#include <stdbool.h>
#include <string.h>

#include "worker/lua/lib/lua_client.h"
#include "worker/lua/lib/lua_current.h"
#include "worker/lua/lib/lua_form.h"
#include "worker/lua/lib/lua_respond.h"
#include "worker/lua/lib/lua_script.h"
#include "worker/lua/lib/lua_shared.h"
#include "worker/lua/lib/lua_text.h"
#include "worker/lua/lib/lua_timeout.h"
#include "worker/lua/lib/lua_try.h"
#include "worker/lua/lib/lua_watch.h"
#include "worker/lua/lib/lua_websocket.h"
#include "worker/lua/lib/lua_worker.h"

#define SEARCHER_OWN 2 /* of package.searchers: after package.preload */

/* The halves in C. */
static const luaL_Reg core[] = {
	{ "fpm.core.client", lua_client_open },
	{ "fpm.core.files", lua_watch_open },
	{ "fpm.core.current", lua_current_open },
	{ "fpm.core.form", lua_form_open },
	{ "fpm.core.text", lua_text_open },
	{ "fpm.core.try", lua_try_open },
	{ "fpm.core.request", lua_respond_open },
	{ "fpm.core.script", lua_script_open },
	{ "fpm.core.timeout", lua_timeout_open },
	{ "fpm.core.worker", lua_worker_open },
	{ "fpm.core.shared", lua_shared_open },
	{ "fpm.core.websocket", lua_websocket_open },
	{ NULL, NULL },
};

static int
load_source(lua_State *L, const struct lua_library_source *source)
{
	return luaL_loadbufferx(L, (const char *)source->text, source->len,
	    source->chunk, "t");
}

/* Push the function that makes the module: true if there is one. */
static bool
push_loader(lua_State *L, const char *module)
{
	const struct lua_library_source *source;
	const luaL_Reg *half;

	for (half = core; half->name != NULL; half++) {
		if (strcmp(half->name, module) != 0)
			continue;
		lua_pushcfunction(L, half->func);
		return true;
	}
	for (source = lua_library_sources; source->module != NULL; source++) {
		if (strcmp(source->module, module) != 0)
			continue;
		if (load_source(L, source) != LUA_OK)
			lua_error(L);
		return true;
	}
	return false;
}

/* A searcher (Lua manual, 6.3). */
static int
search(lua_State *L)
{
	const char *module = luaL_checkstring(L, 1);

	if (!push_loader(L, module)) {
		if (strcmp(module, "moonbridge_http") != 0)
			return 0;
		lua_pushliteral(L, "it is there with interface = "
		    "\"moonbridge\" in lua-fpm.conf, or lua-fpm -i moonbridge");
		return 1;
	}
	lua_pushliteral(L, ":lua-fpm:");
	return 2;
}

void
lua_library_setup(lua_State *L)
{
	const int top = lua_gettop(L);
	lua_Integer i;

	if (lua_getglobal(L, "package") == LUA_TTABLE &&
	    lua_getfield(L, -1, "searchers") == LUA_TTABLE) {
		for (i = luaL_len(L, -1); i >= SEARCHER_OWN; i--) {
			lua_geti(L, -1, i);
			lua_seti(L, -2, i + 1);
		}
		lua_pushcfunction(L, search);
		lua_seti(L, -2, SEARCHER_OWN);
	}
	lua_settop(L, top);
}

void
lua_library_push(lua_State *L, const char *module)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (lua_getfield(L, -1, module) == LUA_TNIL) {
		lua_pop(L, 1);
		if (!push_loader(L, module))
			luaL_error(L, "no module '%s'", module);
		lua_pushstring(L, module);
		lua_call(L, 1, 1);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, module);
	}
	lua_remove(L, -2);
}

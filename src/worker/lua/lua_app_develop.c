/* What pools with develop = true look at, and keep to show. */

#include "worker/lua/lua_app_impl.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "worker/lua/lib/lua_library.h"
#include "worker/lua/lua_error.h"

/* ---- global names -------------------------------------------------------- */

/* True if the name, at index 2, has not been told of: upvalue 2 knows. */
static bool
is_news(lua_State *L)
{
	bool news;

	lua_pushvalue(L, 2);
	news = lua_rawget(L, lua_upvalueindex(2)) == LUA_TNIL;
	lua_pop(L, 1);
	if (!news)
		return false;
	lua_pushvalue(L, 2);
	lua_pushboolean(L, 1);
	lua_rawset(L, lua_upvalueindex(2));
	return true;
}

/* __newindex of the table of global variables. */
static int
note_global(lua_State *L)
{
	const struct lua_app *app = lua_touserdata(L, lua_upvalueindex(1));

	if (app->req.request != NULL && lua_type(L, 2) == LUA_TSTRING &&
	    is_news(L)) {
		lua_error_place(L);
		log_warning("%sa request sets the global variable %s, which "
		    "those after it will see: local?", lua_tostring(L, -1),
		    lua_tostring(L, 2));
		lua_pop(L, 1);
	}
	lua_settop(L, 3);
	lua_rawset(L, 1);
	return 0;
}

/* An application that has a metatable of its own there looks itself. */
void
lua_app_develop_loaded(struct lua_app *app, lua_State *L)
{
	const int top = lua_gettop(L);

	if (!app->develops)
		return;
	lua_pushglobaltable(L);
	if (!lua_getmetatable(L, -1)) {
		lua_createtable(L, 0, 1);
		lua_pushlightuserdata(L, app);
		lua_newtable(L);
		lua_pushcclosure(L, note_global, 2);
		lua_setfield(L, -2, "__newindex");
		lua_setmetatable(L, -2);
	}
	lua_settop(L, top);
}

/* ---- failures ------------------------------------------------------------ */

bool
lua_app_break(struct lua_app *app, const char *text, size_t len)
{
	if (!app->develops)
		return false;
	free(app->failure);
	app->failure = malloc(len + 1);
	if (app->failure == NULL)
		return false;
	memcpy(app->failure, text, len);
	app->failure[len] = '\0';
	app->failure_len = len;
	return true;
}

void
lua_app_develop_page(lua_State *L)
{
	lua_library_push(L, "fpm.develop");
	lua_getfield(L, -1, "page");
	lua_remove(L, -2);
}

/* ---- files --------------------------------------------------------------- */

void
lua_app_develop(struct lua_app *app, lua_State *L)
{
	if (app->develops)
		lua_files_watch_require(&app->files, L);
}

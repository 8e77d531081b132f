#include "worker/lua/lua_sandbox.h"

#include <lauxlib.h>

#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf_lua.h"
#include "worker/lua/lua_error.h"

#define SEARCHER_LUA   2 /* of package.searchers (Lua manual, 6.3) */
#define SEARCHER_C     3 /* and the one after it are for C libraries */
#define SEARCHER_C_ALL 4

/*
 * Lua's own functions, the same in every state.  They are not upvalues of ours,
 * where debug.getupvalue would find them.
 */
static struct {
	lua_CFunction load;
	lua_CFunction loadfile;
	lua_CFunction searchpath;
} own;

/* ---- text only ----------------------------------------------------------- */

#define REFUSED	 "attempt to load a binary chunk" /* Lua's own words */
#define DISABLED "binary chunks are disabled in this pool"

static bool told; /* of a refused chunk, since lua_sandbox_apply */

/* At the top is why a chunk was not loaded: if it is binary, log the first.
 * Many programs drop what load returns beside nil. */
static void
tell_refused(lua_State *L)
{
	const char *message = lua_tostring(L, -1);

	if (told || message == NULL || (strstr(message, REFUSED) == NULL &&
		strcmp(message, DISABLED) != 0))
		return;
	told = true;
	lua_error_place(L);
	log_warning("%sprecompiled code (string.dump, luac) is not loaded, as "
	    "lua.binary_chunks is false; what this worker refuses from here on "
	    "is not logged", lua_tostring(L, -1));
	lua_pop(L, 1);
}

/* Change the mode at index to "t" if it allows text.  False if it allows binary
 * chunks only; then the results of load are on the stack. */
static bool
force_text(lua_State *L, int index)
{
	const char *mode = luaL_optstring(L, index, "bt");

	if (strchr(mode, 't') == NULL && strchr(mode, 'b') != NULL) {
		lua_pushnil(L);
		lua_pushliteral(L, DISABLED);
		return false;
	}
	if (strchr(mode, 't') != NULL) {
		if (lua_gettop(L) < index) /* do not drop a 4th argument */
			lua_settop(L, index);
		lua_pushliteral(L, "t");
		lua_replace(L, index);
	}
	return true;
}

/* Call load, whose mode is at index.  A chunk that the application itself
 * wants to be text is its own affair. */
static int
load_text(lua_State *L, lua_CFunction load, int index)
{
	bool any = strchr(luaL_optstring(L, index, "bt"), 'b') != NULL;
	int n = force_text(L, index) ? load(L) : 2;

	if (any && n == 2)
		tell_refused(L);
	return n;
}

static int
text_load(lua_State *L)
{
	return load_text(L, own.load, 3);
}

static int
text_loadfile(lua_State *L)
{
	return load_text(L, own.loadfile, 2);
}

static int
finish_dofile(lua_State *L, int status, lua_KContext context)
{
	(void)status;
	(void)context;
	return lua_gettop(L) - 1;
}

/* The file may yield, as with Lua's own. */
static int
text_dofile(lua_State *L)
{
	const char *file = luaL_optstring(L, 1, NULL);

	lua_settop(L, 1);
	if (luaL_loadfilex(L, file, "t") != LUA_OK) {
		tell_refused(L);
		return lua_error(L);
	}
	lua_callk(L, 0, LUA_MULTRET, 0, finish_dofile);
	return finish_dofile(L, LUA_OK, 0);
}

/* Replaces the searcher for Lua files.  Upvalue: the table package. */
static int
text_search(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1), *file;

	lua_pushcfunction(L, own.searchpath);
	lua_pushvalue(L, 1);
	if (lua_getfield(L, lua_upvalueindex(1), "path") != LUA_TSTRING)
		return luaL_error(L, "'package.path' must be a string");
	lua_call(L, 2, 2);
	if (lua_isnil(L, -2))
		return 1; /* a message: the places where it looked */
	lua_pop(L, 1);
	file = lua_tostring(L, -1);
	if (luaL_loadfilex(L, file, "t") != LUA_OK) {
		tell_refused(L);
		return luaL_error(L, "error loading module '%s' from file "
		    "'%s':\n\t%s", name, file, lua_tostring(L, -1));
	}
	lua_insert(L, -2);
	return 2;
}

/* Replace all that loads binary chunks.  The table package is on top. */
static void
refuse_binary(lua_State *L)
{
	lua_getglobal(L, "load");
	own.load = lua_tocfunction(L, -1);
	lua_getglobal(L, "loadfile");
	own.loadfile = lua_tocfunction(L, -1);
	lua_getfield(L, -3, "searchpath");
	own.searchpath = lua_tocfunction(L, -1);
	lua_pop(L, 3);

	lua_register(L, "load", text_load);
	lua_register(L, "loadfile", text_loadfile);
	lua_register(L, "dofile", text_dofile);
	lua_getfield(L, -1, "searchers");
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, text_search, 1);
	lua_seti(L, -2, SEARCHER_LUA);
	lua_pop(L, 1);
}

/* ---- where modules are found --------------------------------------------- */

static void
add_part(luaL_Buffer *path, const char *part, size_t len)
{
	if (len == 0)
		return;
	if (luaL_bufflen(path) > 0)
		luaL_addchar(path, ';');
	luaL_addlstring(path, part, len);
}

/* package.`field` becomes first;path, where CONF_LUA_OWN stands for what is
 * there.  The table package is on top. */
static void
set_path(lua_State *L, const char *field, const char *first, const char *path)
{
	const char *mark;
	luaL_Buffer text;
	const char *before;

	if (path == NULL)
		path = "";
	lua_getfield(L, -1, field);
	before = lua_tostring(L, -1);
	mark = strstr(path, CONF_LUA_OWN);
	luaL_buffinit(L, &text);
	add_part(&text, first, strlen(first));
	if (mark != NULL) {
		add_part(&text, path, (size_t)(mark - path));
		add_part(&text, before, strlen(before));
		path = mark + strlen(CONF_LUA_OWN);
	}
	add_part(&text, path, strlen(path));
	luaL_pushresult(&text);
	lua_setfield(L, -3, field);
	lua_pop(L, 1); /* before */
}

static void
set_paths(lua_State *L, const struct conf_lua *lua, const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *dir = slash == NULL ? "." :
	    lua_pushlstring(L, file, (size_t)(slash - file));
	const char *first = lua_pushfstring(L, "%s/?.lua;%s/?/init.lua", dir,
	    dir);

	lua_getglobal(L, "package");
	set_path(L, "path", first, lua->path);
	set_path(L, "cpath", "", lua->cpath);
}

/* ---- taking away --------------------------------------------------------- */

static int
raise_disabled(lua_State *L)
{
	return luaL_error(L, "%s is disabled in this pool",
	    lua_tostring(L, lua_upvalueindex(1)));
}

/* Push the table of a library.  False if there is none, and nothing is
 * pushed. */
static bool
get_library(lua_State *L, const char *name, size_t len)
{
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_pushlstring(L, name, len);
	lua_gettable(L, -2);
	lua_remove(L, -2);
	if (lua_istable(L, -1))
		return true;
	lua_pop(L, 1);
	return false;
}

/* This disables methods of strings too, which are in the table string. */
static void
disable_function(lua_State *L, const char *name)
{
	const char *dot = strchr(name, '.');
	const char *field = dot != NULL ? dot + 1 : name;

	if (dot == NULL)
		lua_pushglobaltable(L);
	else if (!get_library(L, name, (size_t)(dot - name)))
		return;
	if (lua_getfield(L, -1, field) == LUA_TFUNCTION) {
		lua_pushstring(L, name);
		lua_pushcclosure(L, raise_disabled, 1);
		lua_setfield(L, -3, field);
	}
	lua_pop(L, 2);
}

static void
forget_global(lua_State *L, const char *name)
{
	lua_pushnil(L);
	lua_setglobal(L, name);
}

static void
forget_loaded(lua_State *L, const char *name)
{
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_pushnil(L);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

/* Remove the global functions, except require, which belongs to package. */
static void
remove_base(lua_State *L)
{
	const char *const *name;

	for (name = conf_lua_functions; *name != NULL; name++) {
		if (strchr(*name, '.') == NULL && strcmp(*name, "require") != 0)
			forget_global(L, *name);
	}
	forget_global(L, LUA_GNAME);
	forget_global(L, "_VERSION");
	forget_loaded(L, LUA_GNAME);
}

static void
remove_string_methods(lua_State *L)
{
	lua_pushliteral(L, "");
	if (lua_getmetatable(L, -1)) {
		lua_pushnil(L);
		lua_setfield(L, -2, "__index");
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* The table is emptied too, as other code may hold a reference to it. */
static void
remove_library(lua_State *L, const char *name)
{
	if (!get_library(L, name, strlen(name)))
		return;
	for (lua_pushnil(L); lua_next(L, -2) != 0;) {
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, -4);
	}
	lua_pop(L, 1);
	forget_global(L, name);
	forget_loaded(L, name);
	if (strcmp(name, "package") == 0)
		forget_global(L, "require");
	if (strcmp(name, "string") == 0)
		remove_string_methods(L);
}

static void
disable(lua_State *L, const char *name)
{
	if (strcmp(name, "base") == 0)
		remove_base(L);
	else if (conf_lua_is(conf_lua_libraries, name))
		remove_library(L, name);
	else
		disable_function(L, name);
}

/* The searchers for C libraries go too: the application could set
 * package.cpath. */
static void
refuse_c_libraries(lua_State *L)
{
	disable_function(L, "package.loadlib");
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "searchers");
	for (int i = SEARCHER_C_ALL; i >= SEARCHER_C; i--) {
		lua_pushnil(L);
		lua_seti(L, -2, i);
	}
	lua_pop(L, 2);
}

static bool
is_wanted(const struct conf_list *libraries, const char *name)
{
	for (size_t i = 0; i < libraries->n; i++) {
		if (strcmp(libraries->item[i], CONF_LUA_ALL) == 0 ||
		    strcmp(libraries->item[i], name) == 0)
			return true;
	}
	return libraries->n == 0;
}

void
lua_sandbox_apply(lua_State *L, const struct conf_lua *lua, const char *file)
{
	static const struct conf_lua defaults = {
		.path = (char *)CONF_LUA_OWN, .cpath = (char *)CONF_LUA_OWN };
	const char *const *library;
	const int top = lua_gettop(L);

	if (lua == NULL)
		lua = &defaults;
	set_paths(L, lua, file);
	lua_settop(L, top);
	told = false;
	if (!lua->binary_chunks) {
		lua_getglobal(L, "package");
		refuse_binary(L);
		lua_pop(L, 1);
	}
	if (lua->cpath == NULL)
		refuse_c_libraries(L);
	for (size_t i = 0; i < lua->disable.n; i++)
		disable(L, lua->disable.item[i]);
	for (library = conf_lua_libraries; *library != NULL; library++) {
		if (!is_wanted(&lua->libraries, *library))
			disable(L, *library);
	}
}

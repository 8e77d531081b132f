#include "worker/lua/lua_sandbox.h"

#include <lauxlib.h>

#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf_lua.h"
#include "worker/lua/lua_chunks.h"
#include "worker/lua/lua_error.h"

#define SEARCHER_LUA   2 /* of package.searchers (Lua manual, 6.3) */
#define SEARCHER_C     3 /* and the one after it are for C libraries */
#define SEARCHER_C_ALL 4

/* Lua's own, the same in every state.  It is no upvalue of ours, where
 * debug.getupvalue would find it. */
static lua_CFunction own_searchpath;

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

static bool
allows(const char *mode, int kind)
{
	return strchr(mode, kind) != NULL;
}

/* The end of load and loadfile: the function is on the stack, or a message.
 * The function's first upvalue becomes what is at index env, if that is not
 * 0. */
static int
finish_load(lua_State *L, int status, int env)
{
	if (status != LUA_OK) {
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	if (env != 0) {
		lua_pushvalue(L, env);
		if (lua_setupvalue(L, -2, 1) == NULL)
			lua_pop(L, 1);
	}
	return 1;
}

/* What load was called with, and what it has seen of the chunk. */
struct loading {
	bool text_wanted, binary_wanted; /* its mode */
	bool begun;
	bool binary; /* all of it is one string, in slot CHUNK */
};

#define CHUNK 5 /* behind the four arguments of load */

/* Lua's own words.  The mode is in slot 3. */
static void
push_refusal(lua_State *L, bool binary)
{
	lua_pushfstring(L, "attempt to load a %s chunk (mode is '%s')",
	    binary ? "binary" : "text", lua_tostring(L, 3));
}

/* Push the next piece that the function in slot 1 returns.  NULL, and nothing
 * is pushed: there is none. */
static const char *
push_piece(lua_State *L, size_t *len)
{
	const char *piece;

	luaL_checkstack(L, LUA_MINSTACK, "too many nested functions");
	lua_pushvalue(L, 1);
	lua_call(L, 0, 1);
	piece = lua_tolstring(L, -1, len);
	if (piece == NULL && !lua_isnil(L, -1))
		luaL_error(L, "reader function must return a string");
	if (piece != NULL && *len > 0)
		return piece;
	lua_pop(L, 1);
	*len = 0;
	return NULL;
}

/* The first piece is on top: replace it by all of them as one string. */
static void
join_pieces(lua_State *L)
{
	const int first = lua_gettop(L);
	luaL_Buffer all;
	size_t len;

	luaL_buffinit(L, &all);
	lua_pushvalue(L, first);
	do
		luaL_addvalue(&all);
	while (push_piece(L, &len) != NULL);
	luaL_pushresult(&all);
	lua_remove(L, first);
}

/* lua_Reader.  Of a binary chunk Lua sees its first byte, and refuses it. */
static const char *
read_piece(lua_State *L, void *arg, size_t *len)
{
	struct loading *loading = arg;
	const char *piece = push_piece(L, len);
	bool first = !loading->begun, binary;

	loading->begun = true;
	binary = first && piece != NULL && lua_chunks_binary(piece, *len);
	if (first && !(binary ? loading->binary_wanted : loading->text_wanted)) {
		push_refusal(L, binary);
		lua_error(L);
	}
	if (piece == NULL)
		return NULL;
	if (binary) {
		join_pieces(L);
		loading->binary = true;
		piece = LUA_SIGNATURE;
		*len = 1;
	}
	lua_replace(L, CHUNK);
	return piece;
}

/* Load a chunk that is a function in slot 1: lua_load's result. */
static int
load_pieces(lua_State *L, struct loading *loading)
{
	const char *name = luaL_optstring(L, 2, "=(load)");

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, CHUNK);
	return lua_load(L, read_piece, loading, name, "t");
}

/* Load a chunk that is a string: lua_load's result. */
static int
load_string(lua_State *L, struct loading *loading)
{
	size_t len;
	const char *chunk = lua_tolstring(L, 1, &len);
	const char *name = luaL_optstring(L, 2, chunk);
	bool binary = lua_chunks_binary(chunk, len);

	if (!(binary ? loading->binary_wanted : loading->text_wanted)) {
		push_refusal(L, binary);
		return LUA_ERRSYNTAX;
	}
	if (binary) {
		lua_settop(L, CHUNK - 1);
		lua_pushvalue(L, 1);
		loading->binary = true;
	}
	return luaL_loadbufferx(L, chunk, len, name, "t");
}

/*
 * Replaces load.  What the application brings is loaded with the mode "t",
 * which is a constant of C: while a function returns pieces, or a finalizer
 * runs, the debug library could replace what is a value of Lua.
 */
static int
text_load(lua_State *L)
{
	const char *mode = luaL_optstring(L, 3, "bt");
	const int env = lua_isnone(L, 4) ? 0 : 4;
	struct loading loading = { .text_wanted = allows(mode, 't'),
		.binary_wanted = allows(mode, 'b') };
	size_t len;
	const char *chunk;
	int status = lua_isstring(L, 1) ? load_string(L, &loading) :
	    load_pieces(L, &loading);

	if (!loading.binary) /* no chunk, or text */
		return finish_load(L, status, env);
	chunk = lua_tolstring(L, CHUNK, &len);
	if (chunk != NULL && lua_chunks_load(L, chunk, len, &status))
		return finish_load(L, status, env);
	if (!loading.text_wanted)
		lua_pushliteral(L, DISABLED);
	tell_refused(L);
	return finish_load(L, LUA_ERRSYNTAX, env);
}

/* Replaces loadfile.  A file comes from outside, whatever is in it. */
static int
text_loadfile(lua_State *L)
{
	const char *file = luaL_optstring(L, 1, NULL);
	const char *mode = luaL_optstring(L, 2, "bt");
	const int env = lua_isnone(L, 3) ? 0 : 3;
	const bool binary = allows(mode, 'b');
	int status = LUA_ERRSYNTAX;

	if (allows(mode, 't'))
		status = luaL_loadfilex(L, file, "t");
	else if (binary)
		lua_pushliteral(L, DISABLED);
	else
		status = luaL_loadfilex(L, file, "");
	if (status != LUA_OK && binary)
		tell_refused(L);
	return finish_load(L, status, env);
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

	lua_pushcfunction(L, own_searchpath);
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

/* Replace all that makes or loads binary chunks.  The table package is on
 * top. */
static void
refuse_binary(lua_State *L, struct lua_chunks *chunks)
{
	lua_chunks_begin(chunks, L);
	lua_getglobal(L, "string");
	lua_pushcfunction(L, lua_chunks_dump);
	lua_setfield(L, -2, "dump");
	lua_pop(L, 1);
	lua_getfield(L, -1, "searchpath");
	own_searchpath = lua_tocfunction(L, -1);
	lua_pop(L, 1);

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
lua_sandbox_apply(lua_State *L, const struct conf_lua *lua, const char *file,
    struct lua_chunks *chunks)
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
		refuse_binary(L, chunks);
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

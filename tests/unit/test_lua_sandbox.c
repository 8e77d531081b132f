/* What Lua code of a pool may reach: what is taken away is gone wherever code
 * could look for it, and the rest is as Lua has it. */

#include "app_unit.h"

#include <lauxlib.h>
#include <lualib.h>

#include "conf/conf_lua.h"
#include "worker/lua/lua_files.h"
#include "worker/lua/lua_sandbox.h"
#include "worker/lua/lua_state.h"

#define OWN ((char *)CONF_LUA_OWN)

static struct conf_lua *
plain(void)
{
	static struct conf_lua lua;

	lua = (struct conf_lua) { .path = OWN, .cpath = OWN };
	return &lua;
}

/* Nothing but that one name is disabled. */
static struct conf_lua *
without(const char *name)
{
	static char *item;
	struct conf_lua *lua = plain();

	item = (char *)name;
	lua->disable = (struct conf_list) { &item, 1 };
	return lua;
}

/* The application whose accept runs the statements, in such a pool. */
static void
load_accept_in(const struct conf_lua *lua, const char *statements)
{
	const struct lua_app_options options = { .lua = lua };
	char source[2048];
	struct why why;

	snprintf(source, sizeof(source), "local function dumped() return "
	    "'ran' end return { accept = function(env) %s end }", statements);
	lua_app_free(scene.app);
	write_file("app.lua", source);
	scene.app = lua_app_load(scene.file, &options, &why);
	ck_assert_msg(scene.app != NULL, "%s", why.text);
}

static const char *
body_in(const struct conf_lua *lua, const char *statements)
{
	load_accept_in(lua, statements);
	return serve_body();
}

/* ---- functions ----------------------------------------------------------- */

/* Each in turn, and its call says so. */
START_TEST(a_disabled_function_raises)
{
	const char *name = conf_lua_functions[_i];
	char text[128];

	snprintf(text, sizeof(text), "local f = %s if f == nil then return {}, "
	    "'none' end f() return {}, 'called'", name);
	load_accept_in(without(name), text);
	serve_quietly();
	if (client.request.status == 200) {
		ck_assert_str_eq(serve_body(), "none");
		return;
	}
	snprintf(text, sizeof(text), "app.lua:1: %s is disabled in this pool",
	    name);
	assert_logged(text);
}
END_TEST

START_TEST(the_others_stay)
{
	ck_assert_str_eq(body_in(without("os.execute"),
	    "return {}, type(os.time()) .. type(io.popen) .. "
	    "tostring(pcall(os.execute)) .. ('x'):rep(3)"),
	    "numberfunctionfalsexxx");
}
END_TEST

START_TEST(it_is_disabled_by_every_name)
{
	ck_assert_str_eq(body_in(without("os.execute"),
	    "return {}, tostring(_G.os.execute == package.loaded.os.execute "
	    "and os.execute == require('os').execute and "
	    "not coroutine.wrap(pcall)(os.execute, 'true'))"), "true");
	ck_assert_str_eq(body_in(without("string.rep"),
	    "return {}, select(2, pcall(function() return ('x'):rep(9) end))"),
	    with_file(":1: string.rep is disabled in this pool"));
}
END_TEST

/* ---- libraries ----------------------------------------------------------- */

START_TEST(a_disabled_library_is_nil)
{
	static const char *const gone[][2] = {
		{ "base", "print == nil and load == nil and _G == nil and "
			  "package.loaded._G == nil" },
		{ "package", "package == nil and require == nil" },
		{ "string", "string == nil and package.loaded.string == nil "
			    "and not pcall(function() return ('x').rep end) "
			    "and not pcall(require, 'string')" },
		{ "os", "os == nil and package.loaded.os == nil and "
			"not pcall(require, 'os')" },
		{ "debug", "debug == nil and package.loaded.debug == nil" },
		{ "coroutine", "coroutine == nil" }, { "io", "io == nil" },
		{ "math", "math == nil" }, { "utf8", "utf8 == nil" },
		{ "table", "table == nil" } };
	char text[256];

	snprintf(text, sizeof(text), "return {}, (%s) and 'gone' or 'there'",
	    gone[_i][1]);
	ck_assert_str_eq(body_in(without(gone[_i][0]), text), "gone");
	ck_assert_str_eq(body_in(plain(), text), "there");
}
END_TEST

START_TEST(only_the_libraries_that_are_listed)
{
	static char *items[] = { (char *)"base", (char *)"string" };
	static char *all[] = { (char *)"all" };
	struct conf_lua *lua = plain();
	const char *count = "local n = 0 for name in pairs(_G) do if "
	    "type(_G[name]) == 'table' then n = n + 1 end end "
	    "return {}, ('%d'):format(n)";

	lua->libraries = (struct conf_list) { items, 2 };
	ck_assert_str_eq(body_in(lua, count), "2"); /* string and _G */
	lua->libraries = (struct conf_list) { all, 1 };
	ck_assert_str_eq(body_in(lua, count), "10");
	lua->libraries.n = 0;
	ck_assert_str_eq(body_in(lua, count), "10");
}
END_TEST

/* ---- binary chunks ------------------------------------------------------- */

static const char *const binary[] = {
	"return {}, tostring((load(string.dump(dumped))))",
	"return {}, tostring((load(string.dump(dumped), 'x', 'bt')))",
	"return {}, tostring((load(string.dump(dumped), 'x', 'b')))",
	"return {}, tostring((load(string.dump(dumped), 'x', nil, {})))",
	("local part = string.dump(dumped) return {}, tostring((load("
	    "function() local now = part part = nil return now end)))"),
	"return {}, tostring((coroutine.wrap(load)(string.dump(dumped))))",
	"return {}, tostring((loadfile(dir .. 'chunk.lua')))",
	"return {}, tostring((loadfile(dir .. 'chunk.lua', 'b', {})))",
	"return {}, pcall(dofile, dir .. 'chunk.lua') and 'ran' or 'nil'",
	"return {}, pcall(require, 'chunk') and 'ran' or 'nil'",
};

#define DUMP "dir = package.path:match('(.-)?') local f = io.open(dir .. " \
	"'chunk.lua', 'wb') f:write(string.dump(dumped)) f:close() "

START_TEST(no_binary_chunk_is_loaded)
{
	char text[512];

	snprintf(text, sizeof(text), DUMP "%s", binary[_i]);
	ck_assert_str_eq(body_in(plain(), text), "nil");
}
END_TEST

START_TEST(it_says_why)
{
	ck_assert_str_eq(body_in(plain(), "return {}, select(2, "
	    "load(string.dump(dumped), 'x', 'b'))"),
	    "binary chunks are disabled in this pool");
	ck_assert_str_eq(body_in(plain(), "return {}, select(2, "
	    "load(string.dump(dumped), 'x'))"),
	    "attempt to load a binary chunk (mode is 't')");
	ck_assert_ptr_nonnull(strstr(body_in(plain(), DUMP "return {}, "
	    "select(2, pcall(require, 'chunk'))"),
	    "attempt to load a binary chunk"));
}
END_TEST

START_TEST(binary_chunks_where_they_are_wanted)
{
	struct conf_lua *lua = plain();

	lua->binary_chunks = true;
	ck_assert_str_eq(body_in(lua, DUMP "return {}, "
	    "load(string.dump(dumped))() .. load(string.dump(dumped), 'x', "
	    "'b')() .. loadfile(dir .. 'chunk.lua')() .. dofile(dir .. "
	    "'chunk.lua') .. require('chunk')"), "ranranranranran");
}
END_TEST

START_TEST(text_is_loaded_as_ever)
{
	static const char *const text[][2] = {
		{ "load('return 1, 2')()", "1" },
		{ "select('#', load('return ...')(1, nil, nil))", "3" },
		{ "load('return x', 'c', 't', { x = 'its' })()", "its" },
		{ "load('return x', 'c', nil, { x = 'its' })()", "its" },
		{ "pcall(load('return x.y', 'c', 't', nil))", "false" },
		{ "select(2, load('x = = 1', '=name'))",
		    "name:1: unexpected symbol near '='" },
		{ "select(2, load('x', 'c', 'q')) ~= nil", "true" },
		{ "pcall(load)", "false" },
		{ "pcall(load, 'return 1', 'c', {})", "false" },
		{ "dofile(dir .. 'm.lua')", "m" },
		{ "loadfile(dir .. 'm.lua', nil, {})()", "m" },
		{ "(select(2, loadfile('/nowhere')):find('cannot open'))",
		    "1" },
		{ "select(2, pcall(dofile, '/nowhere')):find('cannot open')",
		    "1" },
		{ "require('m') .. require('m')", "mm" },
		{ "select(2, require('n')) == dir .. 'n.lua'", "true" },
		{ "coroutine.wrap(function() return dofile(dir .. 'y.lua') "
		  "end)()", "yielded" },
	};
	char statements[512];

	write_file("m.lua", "local name, file = ... return 'm'");
	write_file("n.lua", "return 'n'");
	write_file("y.lua", "coroutine.yield('yielded') return 'end'");
	snprintf(statements, sizeof(statements), "dir = "
	    "package.path:match('(.-)?') return {}, tostring((%s))",
	    text[_i][0]);
	ck_assert_str_eq(body_in(plain(), statements), text[_i][1]);
}
END_TEST

/* ---- paths --------------------------------------------------------------- */

START_TEST(paths_come_after_the_directory)
{
	static const char *const cases[][2] = { { NULL, "" },
		{ "/a/?.lua", ";/a/?.lua" }, { ";;", ";OWN" },
		{ ";;/a/?", ";OWN;/a/?" }, { "/a/?;;", ";/a/?;OWN" },
		{ "/a/?;;/b/?", ";/a/?;OWN;/b/?" } };
	lua_State *L = luaL_newstate();
	struct conf_lua *lua = plain();
	struct buf expected = { 0 };
	const char *own, *mark;

	luaL_openlibs(L);
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "path");
	own = lua_tostring(L, -1);
	mark = strstr(cases[_i][1], "OWN");
	buf_addf(&expected, "%s/?.lua;%s/?/init.lua%.*s%s%s", scene.dir,
	    scene.dir, mark == NULL ? (int)strlen(cases[_i][1]) :
	    (int)(mark - cases[_i][1]), cases[_i][1], mark ? own : "",
	    mark ? mark + 3 : "");
	lua->path = (char *)cases[_i][0];
	ck_assert_str_eq(body_in(lua, "return {}, package.path"),
	    buf_string(&expected));
	buf_free(&expected);
	lua_close(L);
}
END_TEST

START_TEST(c_libraries_only_where_cpath_says)
{
	struct conf_lua *lua = plain();

	lua->cpath = (char *)"/c/?.so";
	ck_assert_str_eq(body_in(lua, "return {}, package.cpath"), "/c/?.so");
	ck_assert_str_eq(body_in(lua, "return {}, tostring(#package.searchers)"
	    " .. tostring(package.loadlib('/nowhere', '*'))"), "5nil");
	lua->cpath = NULL;
	ck_assert_str_eq(body_in(lua, "return {}, '(' .. package.cpath .. ')' "
	    ".. #package.searchers"), "()3");
	ck_assert_str_eq(body_in(lua, "return {}, select(2, "
	    "pcall(package.loadlib, '/x.so', '*'))"),
	    "package.loadlib is disabled in this pool");
	ck_assert_ptr_null(strstr(body_in(lua, "package.cpath = '/c/?.so' "
	    "return {}, select(2, pcall(require, 'x'))"), "/c/"));
}
END_TEST

/* ---- with the debug library ---------------------------------------------- */

static lua_CFunction taken[8]; /* what nobody may find; 0 at the end */

static void walk(lua_State *L);

/* Walk the value on top, once, and pop it.  Slot 1 holds what was seen. */
static void
visit(lua_State *L)
{
	bool fresh;

	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		return;
	}
	lua_pushvalue(L, -1);
	fresh = lua_rawget(L, 1) == LUA_TNIL;
	lua_pop(L, 1);
	if (fresh) {
		lua_pushvalue(L, -1);
		lua_pushboolean(L, 1);
		lua_rawset(L, 1);
		walk(L);
	}
	lua_pop(L, 1);
}

/* All that the debug library can get out of the value on top. */
static void
walk(lua_State *L)
{
	luaL_checkstack(L, 10, NULL);
	for (int i = 0; lua_iscfunction(L, -1) && taken[i] != NULL; i++)
		ck_assert_msg(lua_tocfunction(L, -1) != taken[i], "%d", i);
	if (lua_getmetatable(L, -1))
		visit(L);
	for (int i = 1; lua_isfunction(L, -1) && lua_getupvalue(L, -1, i); i++)
		visit(L);
	if (lua_type(L, -1) == LUA_TUSERDATA) {
		lua_getiuservalue(L, -1, 1);
		visit(L);
	}
	if (!lua_istable(L, -1))
		return;
	for (lua_pushnil(L); lua_next(L, -2) != 0;) {
		visit(L);
		lua_pushvalue(L, -1);
		visit(L);
	}
}

/* Lua's own of that name goes to *slot. */
static void
note_taken(lua_State *L, const char *expression, lua_CFunction *slot)
{
	char text[64];

	snprintf(text, sizeof(text), "return %s", expression);
	ck_assert_int_eq(luaL_dostring(L, text), LUA_OK);
	*slot = lua_tocfunction(L, -1);
	ck_assert_ptr_nonnull(*slot);
	lua_pop(L, 1);
}

static int
enter_sandbox(lua_State *L)
{
	static struct lua_files files;

	lua_sandbox_apply(L, lua_touserdata(L, 1), "/x/app.lua");
	lua_files_watch(&files, L);
	return 0;
}

/* Not even the registry, or an upvalue of ours, still has what was taken. */
START_TEST(nothing_is_left_to_be_found)
{
	static const char *const names[] = { "load", "loadfile", "dofile",
		"package.searchers[2]", "package.searchers[3]",
		"package.loadlib", "os.execute" };
	lua_State *L = lua_state_open();
	struct conf_lua *lua = without("os.execute");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		note_taken(L, names[i], &taken[i]);
	lua->cpath = NULL;
	lua_pushcfunction(L, enter_sandbox);
	lua_pushlightuserdata(L, lua);
	ck_assert_int_eq(lua_state_call(L, 1, 0), 0);
	ck_assert_int_eq(luaL_dostring(L, "assert(load('return 1')() == 1)"),
	    LUA_OK);
	lua_newtable(L);
	lua_replace(L, 1);
	lua_pushliteral(L, ""); /* strings have their metatable in common */
	visit(L);
	lua_pushvalue(L, LUA_REGISTRYINDEX);
	visit(L);
	lua_close(L);
}
END_TEST

/* ---- the table ----------------------------------------------------------- */

/* Whatever this Lua has can be disabled, and nothing else has a name. */
START_TEST(every_function_of_this_lua_has_a_name)
{
	lua_State *L = luaL_newstate();
	char name[128];
	int n = 0;

	luaL_openlibs(L);
	for (const char *const *library = conf_lua_libraries; *library != NULL;
	    library++) {
		bool base = strcmp(*library, "base") == 0;

		lua_getglobal(L, base ? "_G" : *library);
		for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
			snprintf(name, sizeof(name), "%s%s%s",
			    base ? "" : *library, base ? "" : ".",
			    lua_tostring(L, -2));
			ck_assert_msg(!lua_isfunction(L, -1) ||
			    conf_lua_is(conf_lua_functions, name), "%s", name);
			n++;
		}
	}
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
		const char *library = lua_tostring(L, -2);

		ck_assert_msg(strcmp(library, LUA_GNAME) == 0 ||
		    conf_lua_is(conf_lua_libraries, library), "%s", library);
	}
	ck_assert_int_gt(n, 100);
	ck_assert(!conf_lua_is(conf_lua_functions, "os"));
	lua_close(L);
}
END_TEST

static int
count(const char *const *names)
{
	int n = 0;

	while (names[n] != NULL)
		n++;
	return n;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("lua_sandbox");
	TCase *t = tcase_create("sandbox");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_disabled_function_raises, 0,
	    count(conf_lua_functions));
	tcase_add_test(t, the_others_stay);
	tcase_add_test(t, it_is_disabled_by_every_name);
	tcase_add_loop_test(t, a_disabled_library_is_nil, 0,
	    count(conf_lua_libraries));
	tcase_add_test(t, only_the_libraries_that_are_listed);
	tcase_add_loop_test(t, no_binary_chunk_is_loaded, 0, 10);
	tcase_add_test(t, it_says_why);
	tcase_add_test(t, binary_chunks_where_they_are_wanted);
	tcase_add_loop_test(t, text_is_loaded_as_ever, 0, 16);
	tcase_add_loop_test(t, paths_come_after_the_directory, 0, 6);
	tcase_add_test(t, c_libraries_only_where_cpath_says);
	tcase_add_test(t, nothing_is_left_to_be_found);
	tcase_add_test(t, every_function_of_this_lua_has_a_name);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

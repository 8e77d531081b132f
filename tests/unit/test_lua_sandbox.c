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

/* `foreign` was made by another state; `dir` is the application's. */
#define FOREIGN "local dir = package.path:match('(.-)?') local foreign do " \
	"local f = io.open(dir .. 'foreign') foreign = f:read('a') f:close() " \
	"end "

static int
write_chunk(lua_State *L, const void *data, size_t n, void *file)
{
	(void)L;
	return fwrite(data, n, 1, file) == 1 ? 0 : -1;
}

/* What luac makes, in two files: `return 'ran'`. */
static void
write_foreign(void)
{
	static const char *const names[] = { "foreign", "chunk.lua" };
	lua_State *L = luaL_newstate();
	char path[96];
	FILE *f;

	ck_assert_int_eq(luaL_loadstring(L, "return 'ran'"), LUA_OK);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", scene.dir, names[i]);
		ck_assert_ptr_nonnull(f = fopen(path, "w"));
		ck_assert_int_eq(lua_dump(L, write_chunk, f, 0), 0);
		ck_assert_int_eq(fclose(f), 0);
	}
	lua_close(L);
}

static const char *const binary[] = {
	"return {}, tostring((load(foreign)))",
	"return {}, tostring((load(foreign, 'x', 'bt')))",
	"return {}, tostring((load(foreign, 'x', 'b')))",
	"return {}, tostring((load(foreign, 'x', 't')))",
	"return {}, tostring((load(foreign, 'x', nil, {})))",
	("return {}, tostring((load(function() local now = foreign "
	    "foreign = nil return now end)))"),
	"return {}, tostring((load(foreign:gmatch('.'))))",
	"return {}, tostring((load(foreign:gmatch('.'), 'x', 'b')))",
	"return {}, tostring((coroutine.wrap(load)(foreign)))",
	"return {}, tostring((loadfile(dir .. 'chunk.lua')))",
	"return {}, tostring((loadfile(dir .. 'chunk.lua', 'b', {})))",
	"return {}, pcall(dofile, dir .. 'chunk.lua') and 'ran' or 'nil'",
	"return {}, pcall(require, 'chunk') and 'ran' or 'nil'",
};
#define NBINARY ((int)(sizeof(binary) / sizeof(binary[0])))

START_TEST(no_binary_chunk_is_loaded)
{
	char text[512];

	write_foreign();
	snprintf(text, sizeof(text), FOREIGN "%s", binary[_i]);
	ck_assert_str_eq(body_in(plain(), text), "nil");
}
END_TEST

START_TEST(it_says_why)
{
	write_foreign();
	ck_assert_str_eq(body_in(plain(), FOREIGN "return {}, select(2, "
	    "load(foreign, 'x', 'b'))"),
	    "binary chunks are disabled in this pool");
	ck_assert_str_eq(body_in(plain(), FOREIGN "return {}, select(2, "
	    "load(foreign, 'x'))"),
	    "attempt to load a binary chunk (mode is 't')");
	ck_assert_ptr_nonnull(strstr(body_in(plain(), "return {}, "
	    "select(2, pcall(require, 'chunk'))"),
	    "attempt to load a binary chunk"));
}
END_TEST

/* A file is from outside, though the same bytes were made here too. */
START_TEST(files_stay_text)
{
	static const char *const ways[] = {
		"loadfile(dir .. 'own.lua')",
		"loadfile(dir .. 'own.lua', 'b')",
		"pcall(dofile, dir .. 'own.lua')",
		"pcall(require, 'own')" };
	char text[512];

	snprintf(text, sizeof(text), "local dir = package.path:match('(.-)?') "
	    "local f = io.open(dir .. 'own.lua', 'w') f:write(string.dump("
	    "dumped)) f:close() assert(load(string.dump(dumped))) "
	    "return {}, tostring((%s) or nil)", ways[_i]);
	body_in(plain(), text);
	ck_assert(strcmp(client.out.data + client.out.len - 3, "nil") == 0 ||
	    strcmp(client.out.data + client.out.len - 5, "false") == 0);
}
END_TEST

/* ---- what string.dump has made ------------------------------------------- */

static const char *const dumped[] = {
	"load(string.dump(dumped))()",
	"load(string.dump(dumped), 'x', 'bt')()",
	"load(string.dump(dumped), 'x', 'b')()",
	"load(string.dump(dumped), nil, nil)()",
	"load(string.dump(dumped, true))()",
	"load(string.dump(dumped), string.dump(dumped, true))()",
	"load(('').dump(dumped))()",
	"load(coroutine.wrap(string.dump)(dumped))()",
	"coroutine.wrap(load)(string.dump(dumped))()",
	"coroutine.wrap(function() return load(string.dump(dumped))() end)()",
	"load(string.dump(dumped):gmatch('.'))()",
	"load(string.dump(dumped):gmatch('..?.?.?.?.?.?'), 'x', 'b')()",
	"load(string.dump(load(string.dump(load(string.dump(dumped))))))()",
	"load(string.dump(function() return x end), 'x', 'b', { x = 'ran' })()",
	"load(string.dump(load('return ...')))('ran')",
	"load(string.dump(load('return \"\\0\\xff\" and \"ran\"')))()",
	"(load(string.dump(function() return x end))() or 'ran')",
	"(load(string.dump(function() return dumped end))().print and 'ran')",
	"(function() local f = load(string.dump(function() return dumped() "
	"end)) debug.upvaluejoin(f, 1, function() return dumped end, 1) "
	"return f() end)()",
};
#define NDUMPED ((int)(sizeof(dumped) / sizeof(dumped[0])))

START_TEST(its_own_chunks_are_loaded)
{
	char text[512];

	snprintf(text, sizeof(text), "return {}, %s", dumped[_i]);
	load_accept_in(plain(), text);
	serve_quietly();
	ck_assert_msg(client.request.status == 200, "%s", logged());
	ck_assert_str_eq(serve_body(), "ran");
	ck_assert_ptr_null(strstr(logged(), "binary_chunks"));
}
END_TEST

/* What is no success, as Lua says it. */
START_TEST(dump_and_load_fail_as_ever)
{
	static const char *const text[][2] = {
		{ "pcall(string.dump)",
		    "bad argument #1 to 'string.dump' (function expected, "
		    "got no value)" },
		{ "pcall(string.dump, 'x')",
		    "bad argument #1 to 'string.dump' (function expected, "
		    "got string)" },
		{ "pcall(string.dump, print)",
		    "unable to dump given function" },
		{ "load(string.dump(dumped), 'x', 't')",
		    "attempt to load a binary chunk (mode is 't')" },
		{ "load('return 1', 'x', 'b')",
		    "attempt to load a text chunk (mode is 'b')" },
		{ "load(('return 1'):gmatch('.'), 'x', 'b')",
		    "attempt to load a text chunk (mode is 'b')" },
		{ "load(function() end, 'x', 'b')",
		    "attempt to load a text chunk (mode is 'b')" },
		{ "load(string.dump(dumped), 'x', 'q')",
		    "attempt to load a binary chunk (mode is 'q')" },
		{ "load('return 1', 'x', 'q')",
		    "attempt to load a text chunk (mode is 'q')" },
		{ "load(function() return {} end)",
		    "reader function must return a string" },
		{ "load(function() error('its own', 0) end)", "its own" },
		{ "load((function() local n = 0 return function() n = n + 1 "
		  "return n == 1 and string.dump(dumped) or error('late', 0) "
		  "end end)())", "late" },
		{ "load(coroutine.wrap(function() coroutine.yield("
		  "string.dump(dumped)) coroutine.yield({}) end))",
		    "reader function must return a string" },
		{ "load(function() coroutine.yield() end)",
		    "attempt to yield across a C-call boundary" },
	};
	char statements[512];

	snprintf(statements, sizeof(statements), "return {}, coroutine.wrap("
	    "function() return (select(2, %s):gsub('^.-:1: ', '')) end)()",
	    text[_i][0]);
	ck_assert_str_eq(body_in(plain(), statements), text[_i][1]);
}
END_TEST

/* One that differs in one byte, or is cut, longer or put together from two, is
 * refused.  An error would be a 500. */
START_TEST(nothing_like_it_is_loaded)
{
	static const char *const ways[] = {
		/* each bit, and each byte at random */
		("for i = 1, #a do for bit = 0, 7 do try(a:sub(1, i - 1) .. "
		    "string.char(a:byte(i) ~ 1 << bit) .. a:sub(i + 1)) end "
		    "for _ = 1, 8 do try(a:sub(1, i - 1) .. string.char("
		    "(a:byte(i) + math.random(255)) % 256) .. a:sub(i + 1)) "
		    "end end"),
		"for i = 1, #a - 1 do try(a:sub(1, i)) end",
		"for i = 1, #a do try(a:sub(1, i - 1) .. a:sub(i + 1)) end",
		("for i = 0, 255 do local c = string.char(i) try(a .. c) "
		    "try(a:sub(1, 1) .. c .. a:sub(2)) end try(a .. a)"),
		("for i = 1, #a - 1 do local s = a:sub(1, i) .. b:sub(i + 1) "
		    "if s ~= a and s ~= b then try(s) end end"),
		"try('\\27') try('\\27Lua') try(('\\0'):rep(#a)) try(a:rep(999))",
	};
	struct buf text = { 0 };

	buf_addf(&text, "local a, b = string.dump(function(x) local y = { x, "
	    "'a' } return y end), string.dump(function(x) local z = { x, 'b' } "
	    "return z end, true) local n = 0 local function try(s) "
	    "if load(s, 'x', 'b') or load(s:gmatch('..?.?.?'), 'x', 'b') or "
	    "s:byte() == 27 and load(s) "
	    "then error('loaded') end n = n + 1 end assert(load(a) and "
	    "load(b)) %s assert(load(a) and load(b)) return {}, "
	    "n > 3 and 'none' or 'too few'", ways[_i]);
	ck_assert_str_eq(body_in(plain(), buf_string(&text)), "none");
	buf_free(&text);
}
END_TEST

/* Nor does the debug library help: not a hook that replaces what a function
 * returns, nor one that changes the pieces or the mode on the way. */
START_TEST(the_debug_library_smuggles_nothing)
{
	static const char *const tricks[] = {
		/* when string.dump returns */
		("debug.sethook(function() if debug.getinfo(2, 'f').func == "
		    "string.dump then for i = 1, 9 do if debug.getlocal(2, i) "
		    "then debug.setlocal(2, i, foreign) end end end end, 'r') "
		    "local s = string.dump(dumped) debug.sethook() "
		    "assert(s == foreign) got = load(s, 'x', 'b')"),
		/* while load asks for the pieces */
		("local mine = string.dump(dumped) local n = 0 got = load("
		    "function() n = n + 1 for i = 1, 9 do if debug.getlocal(2, "
		    "i) then debug.setlocal(2, i, i == 3 and 'b' or foreign) "
		    "end end return ({ mine, '', })[n] end, 'x', 'b')"),
		("local n = 0 got = load(function() n = n + 1 debug.setlocal("
		    "2, 3, 'bt') return ({ foreign })[n] end, 'x', 't')"),
		/* in the registry, and in upvalues */
		("for _, f in ipairs({ load, string.dump }) do assert(not "
		    "debug.getupvalue(f, 1)) end for k in pairs("
		    "debug.getregistry()) do assert(k ~= foreign) end "
		    "got = load(foreign)"),
	};
	char text[1024];

	write_foreign();
	snprintf(text, sizeof(text), FOREIGN "local got %s "
	    "return {}, got and got() == 'ran' and string.dump(got) == "
	    "foreign and 'loaded' or 'no'", tricks[_i]);
	load_accept_in(plain(), text);
	serve_quietly();
	ck_assert_msg(client.request.status == 200, "%s", logged());
	ck_assert_str_eq(serve_body(), "no");
}
END_TEST

/* The table is of one state. */
START_TEST(another_state_has_its_own)
{
	write_foreign();
	ck_assert_str_eq(body_in(plain(), FOREIGN "assert(not load(foreign)) "
	    "local f = io.open(dir .. 'foreign', 'w') f:write(string.dump("
	    "dumped)) f:close() return {}, load(string.dump(dumped))()"),
	    "ran");
	ck_assert_str_eq(body_in(plain(), FOREIGN "return {}, "
	    "tostring((load(foreign)))"), "nil");
}
END_TEST

/* The worker stays well, and what it has made before is loaded. */
START_TEST(there_is_an_end_to_remembering)
{
	ck_assert_str_eq(body_in(plain(), "local function make(i) return "
	    "string.dump(load('return ' .. i, '=c'), true) end "
	    "for i = 1, 10000 do assert(load(make(i))() == i) end "
	    "for i = 10001, 10100 do assert(not load(make(i))) end "
	    "for i = 1, 10000 do assert(load(make(i))() == i) end "
	    "return {}, 'done'"), "done");
	assert_logged("app.lua:1: string.dump has made 10000 different chunks");
	ck_assert_ptr_null(strstr(strstr(logged(), "different chunks") + 1,
	    "different chunks"));
}
END_TEST

START_TEST(nor_are_they_larger_than_32_mb)
{
	ck_assert_str_eq(body_in(plain(), "local function make(i) return "
	    "string.dump(load(('return \"%d%s\"'):format(i, "
	    "('x'):rep(1 << 20)), '=c')) end local n = 0 "
	    "for i = 1, 40 do if load(make(i)) then n = n + 1 end end "
	    "assert(load(string.dump(load('return 1', '=c')))) "
	    "return {}, tostring(n)"), "31");
	assert_logged("string.dump has made 31 different chunks");
}
END_TEST

/* They are part of what limits.memory bounds. */
START_TEST(they_count_as_memory)
{
	const struct lua_app_options options = { .lua = plain(),
		.memory = 4 << 20 };
	struct why why;

	write_file("app.lua", "local function many() for i = 1, 9999 do "
	    "string.dump(assert(load('local ' .. ('x'):rep(1000) .. i .. "
	    "' return ' .. i, '=c'))) end end return { accept = function(env) "
	    "local ok, why = pcall(many) collectgarbage() "
	    "return {}, (why:gsub('^.-:1: ', '')) end }");
	scene.app = lua_app_load(scene.file, &options, &why);
	ck_assert_msg(scene.app != NULL, "%s", why.text);
	ck_assert_str_eq(serve_body(), "not enough memory");
	ck_assert_uint_gt(lua_app_memory(scene.app), 3 << 20);
	ck_assert_uint_le(lua_app_memory(scene.app), (4 << 20) + (64 << 10));
	assert_logged("memory limit 4M exceeded: caught by the application");
}
END_TEST

START_TEST(binary_chunks_where_they_are_wanted)
{
	struct conf_lua *lua = plain();

	lua->binary_chunks = true;
	write_foreign();
	ck_assert_str_eq(body_in(lua, FOREIGN "return {}, "
	    "load(foreign)() .. load(string.dump(dumped))() .. load(string.dump(dumped), 'x', "
	    "'b')() .. loadfile(dir .. 'chunk.lua')() .. dofile(dir .. "
	    "'chunk.lua') .. require('chunk')"), "ranranranranranran");
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

static lua_CFunction taken[9]; /* what nobody may find; 0 at the end */

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
	static struct lua_chunks chunks;

	lua_sandbox_apply(L, lua_touserdata(L, 1), "/x/app.lua", &chunks);
	lua_files_watch(&files, L);
	return 0;
}

/* Not even the registry, or an upvalue of ours, still has what was taken. */
START_TEST(nothing_is_left_to_be_found)
{
	static const char *const names[] = { "load", "loadfile", "dofile",
		"package.searchers[2]", "package.searchers[3]",
		"package.loadlib", "os.execute", "string.dump" };
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
	tcase_add_loop_test(t, no_binary_chunk_is_loaded, 0, NBINARY);
	tcase_add_test(t, it_says_why);
	tcase_add_loop_test(t, files_stay_text, 0, 4);
	tcase_add_loop_test(t, its_own_chunks_are_loaded, 0, NDUMPED);
	tcase_add_loop_test(t, dump_and_load_fail_as_ever, 0, 14);
	tcase_add_loop_test(t, nothing_like_it_is_loaded, 0, 6);
	tcase_add_loop_test(t, the_debug_library_smuggles_nothing, 0, 4);
	tcase_add_test(t, another_state_has_its_own);
	tcase_add_test(t, there_is_an_end_to_remembering);
	tcase_add_test(t, nor_are_they_larger_than_32_mb);
	tcase_add_test(t, they_count_as_memory);
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

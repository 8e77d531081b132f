#include "app_unit.h"

/* What an application meets at the limit of its memory, in 1 MB. */

#define LIMIT (1024 * 1024)

static struct why why;

static struct lua_app *
load_limited(const char *source, size_t limit)
{
	const struct lua_app_options options = { .memory = limit };

	lua_app_free(scene.app);
	write_file("app.lua", source);
	scene.app = lua_app_load(scene.file, &options, &why);
	return scene.app;
}

static void
load_limited_app(const char *source)
{
	ck_assert_msg(load_limited(source, LIMIT) != NULL, "%s", why.text);
}

/* accept runs the statements; fill() then takes what memory is left. */
static void
load_eater(const char *statements)
{
	struct buf text = { 0 };

	buf_addf(&text, "local function fill(t, size)\n"
	    "  for i = #t + 1, math.huge do t[i] = ('x'):rep(size) .. i end\n"
	    "end\n"
	    "return { accept = function(env) %s\nreturn {}, 'fine' end }",
	    statements);
	load_limited_app(buf_string(&text));
	buf_free(&text);
}

static const char *const gluttons[] = {
	"local s = ('x'):rep(1000000000)",
	"local s = 'x' while true do s = s .. s end",
	"local t = {} for i = 1, math.huge do t[i] = i end",
	"local t = {} for i = 1, math.huge do t[i] = {} end",
	"local t = {} for i = 1, math.huge do t['k' .. i] = i end",
	"local t for i = 1, math.huge do t = { t } end",
	"local t = {} for i = 1, math.huge do "
	    "t[i] = coroutine.create(print) end",
	"local t = {} for i = 1, math.huge do "
	    "t[i] = function() return i end end",
	"local t = {} for i = 1, 1000000 do t[i] = 'x' end "
	    "local s = table.concat(t, ('y'):rep(100))",
	"string.format('%s', ('x'):gsub('x', ('y'):rep(2000000)))",
	"fill({}, 100)",
	"fill({}, 30000)",
	"coroutine.wrap(function() fill({}, 10) end)()",
	"assert(coroutine.resume(coroutine.create(function() "
	    "fill({}, 10) end)))",
	"local t = {} while true do pcall(fill, t, 10) "
	    "t[#t + 1] = ('z'):rep(#t) end",
	"local ok, message = pcall(fill, {}, 10) error(message)",
	"local t = {} local ok = pcall(fill, t, 10) "
	    "error('full: ' .. #t .. ('x'):rep(1000))",
	"local t = setmetatable({}, { __gc = function() "
	    "fill({}, 10) end }) fill({ t }, 10)",
	"local t = {} xpcall(fill, function(m) t[1] = ('x'):rep(10000) .. m "
	    "error(t[1]) end, t, 10) error(setmetatable(t, { __tostring = "
	    "function() return ('x'):rep(2000000) end }))",
	"load(('x = 1 '):rep(100000))",
	"assert(load(function() return ('x = 1 '):rep(1000) end))",
	"require(('x'):rep(2000000))",
	"env.errors:write(('x'):rep(2000000))",
};

START_TEST(exceeding_it_is_a_500)
{
	load_eater(gluttons[_i]);
	for (int i = 0; i < 3; i++) {
		ck_assert_msg(strncmp(serve(), "Status: 500", 11) == 0,
		    "%s:\n%s", gluttons[_i], client.out.data);
		ck_assert(lua_app_exhausted(scene.app));
		assert_logged("memory limit 1M exceeded: ");
	}
}
END_TEST

/* Lua calls no message handler for want of memory. */
START_TEST(the_place_is_told)
{
	load_eater("fill({}, 100)");
	serve();
	assert_logged("memory limit 1M exceeded: not enough memory\\nstack "
	    "traceback:\\n\\t");
	assert_logged("app.lua:2: in ");
	assert_logged("'fill'\\n\\t");
	assert_logged("app.lua:4: in ");
	load_eater("local function deep() fill({}, 100) end "
	    "coroutine.wrap(function() deep() end)()");
	serve();
	assert_logged(" 'deep'\\n\\t");
	load_limited_app("local function eat(t) return eat({ t }) end "
	    "return { accept = print, stop = eat }");
	ck_assert(lua_app_stop(scene.app));
	assert_logged("stop: not enough memory\\nstack traceback:\\n\\t");
}
END_TEST

/* One that was caught tells nothing of another that ends the request. */
START_TEST(another_place_is_not_told)
{
	load_eater("pcall(fill, {}, 100)\nerror('own', 0)");
	serve();
	assert_logged("memory limit 1M exceeded: own\\nstack traceback:"
	    "\\n\\t[C]: in function 'error'");
	ck_assert_ptr_null(strstr(logged(), "fill"));
}
END_TEST

START_TEST(the_next_request_is_served)
{
	load_eater("if env.EAT then fill({}, 100) end");
	set_param("EAT", "1");
	ck_assert_int_eq(strncmp(serve(), "Status: 500", 11), 0);
	new_request();
	for (int i = 0; i < 100; i++)
		ck_assert_str_eq(serve_body(), "fine");
}
END_TEST

START_TEST(caught_it_is_the_applications)
{
	load_eater("local ok, message = pcall(fill, {}, 10) "
	    "env.errors:write(message, '\\n')");
	ck_assert(!lua_app_exhausted(scene.app));
	ck_assert_str_eq(serve_body(), "fine");
	ck_assert(lua_app_exhausted(scene.app));
	assert_logged(": not enough memory\n");
	assert_logged("memory limit 1M exceeded: caught by the application");
	load_eater("pcall(string.rep, 'x', 1000000000)");
	ck_assert_str_eq(serve_body(), "fine");
	ck_assert(lua_app_exhausted(scene.app));
}
END_TEST

START_TEST(within_it_nothing_happens)
{
	load_eater("for i = 1, 50 do local t = {} "
	    "for j = 1, 200 do t[j] = ('x'):rep(100) .. j end end");
	for (int i = 0; i < 100; i++)
		ck_assert_str_eq(serve_body(), "fine");
	ck_assert(!lua_app_exhausted(scene.app));
	ck_assert_ptr_null(strstr(logged(), "memory"));
}
END_TEST

/* Buffers do not collect garbage before they give up. */
START_TEST(garbage_of_earlier_requests_does_not_count)
{
	load_eater("keep = keep or ('k'):rep(250000) "
	    "local s = ('x'):rep(25000) for i = 1, 3 do s = s .. i end "
	    "local t = {} for i = 1, 8 do t[i] = s end "
	    "s = table.concat(t)");
	for (int i = 0; i < 200; i++)
		ck_assert_str_eq(serve_body(), "fine");
	ck_assert(!lua_app_exhausted(scene.app));
}
END_TEST

START_TEST(a_body_that_grows_is_cut)
{
	load_eater("local n, t = 0, {} do return {}, function() n = n + 1 "
	    "if n > 1 then fill(t, 100) end return 'piece' end end");
	ck_assert_ptr_nonnull(strstr(serve(), "piece"));
	ck_assert_int_ne(client.request.app_status, 0);
	ck_assert(lua_app_exhausted(scene.app));
	assert_logged("memory limit 1M exceeded: ");
}
END_TEST

START_TEST(it_holds_while_loading)
{
	int code;

	ck_assert_ptr_null(load_limited(
	    "local t = {} for i = 1, math.huge do t[i] = i end", LIMIT));
	ck_assert_msg(strstr(why.text, "(memory limit 1M)") != NULL, "%s",
	    why.text);
	ck_assert_ptr_null(load_limited(
	    "local t = {}\nfor i = 1, 9e9 do t = { t } end", LIMIT));
	ck_assert_msg(strstr(why.text, "(memory limit 1M): ") != NULL &&
	    strstr(why.text, "app.lua:2: in main chunk") != NULL, "%s",
	    why.text);
	ck_assert_ptr_null(load_limited("return { accept = print }", 1024));
	ck_assert_ptr_nonnull(strstr(why.text, "(memory limit 1K)"));
	load_limited_app("return { accept = print, start = function() "
	    "local s = ('x'):rep(2000000) end }");
	ck_assert_int_eq(lua_app_start(scene.app, &code, &why), -1);
	ck_assert_msg(strstr(why.text, "(memory limit 1M)") != NULL, "%s",
	    why.text);
}
END_TEST

START_TEST(hooks_are_bound_by_it)
{
	load_limited_app("local function eat() local t = {} "
	    "for i = 1, math.huge do t[i] = i end end "
	    "return { accept = print, restart = eat, stop = eat }");
	ck_assert_int_eq(lua_app_restart(scene.app), LUA_END_NO_MEMORY);
	ck_assert(lua_app_exhausted(scene.app));
	ck_assert(lua_app_stop(scene.app));
	assert_logged("restart: not enough memory");
}
END_TEST

START_TEST(without_it_nothing_is_bounded)
{
	const struct lua_app_options options = { 0 };

	write_file("app.lua", "return { accept = function() "
	    "return {}, #('x'):rep(50000000) end }");
	scene.app = lua_app_load(scene.file, &options, &why);
	ck_assert_str_eq(serve_body(), "50000000");
	ck_assert(!lua_app_exhausted(scene.app));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("memory");
	TCase *t = tcase_create("memory");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, exceeding_it_is_a_500, 0,
	    sizeof(gluttons) / sizeof(gluttons[0]));
	tcase_add_test(t, the_place_is_told);
	tcase_add_test(t, another_place_is_not_told);
	tcase_add_test(t, the_next_request_is_served);
	tcase_add_test(t, caught_it_is_the_applications);
	tcase_add_test(t, within_it_nothing_happens);
	tcase_add_test(t, garbage_of_earlier_requests_does_not_count);
	tcase_add_test(t, a_body_that_grows_is_cut);
	tcase_add_test(t, it_holds_while_loading);
	tcase_add_test(t, hooks_are_bound_by_it);
	tcase_add_test(t, without_it_nothing_is_bounded);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

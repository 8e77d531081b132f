#include "app_unit.h"

static struct why why;

/* The source is refused, for a reason that begins so. */
static void
assert_refused(const char *source, const char *reason)
{
	const struct lua_app_options options = { 0 };

	write_file("app.lua", source);
	ck_assert_ptr_null(lua_app_load(scene.file, &options, &why));
	ck_assert_msg(strncmp(why.text, reason, strlen(reason)) == 0,
	    "\"%s\" is not \"%s\"", why.text, reason);
	ck_assert_ptr_null(strchr(why.text, '\n'));
	ck_assert_ptr_null(strstr(why.text, "traceback"));
}

START_TEST(refuses_a_file_that_is_not_there)
{
	const struct lua_app_options options = { 0 };

	ck_assert_ptr_null(lua_app_load("/nowhere/app.lua", &options, &why));
	ck_assert_str_eq(why.text, "cannot open /nowhere/app.lua: "
	    "No such file or directory");
	ck_assert_int_eq(why.line, 0);
	ck_assert_ptr_null(lua_app_load(scene.dir, &options, &why));
	ck_assert_ptr_nonnull(strstr(why.text, scene.dir));
}
END_TEST

START_TEST(names_the_line_of_a_fault)
{
	assert_refused("local app = {}\n\nfunction app.accept(env\nend\n",
	    with_file(":4: ')' expected near 'end'"));
	ck_assert_int_eq(why.line, 4);
	assert_refused("\nerror('no database')", with_file(
	    ":2: no database"));
	ck_assert_int_eq(why.line, 2);
	assert_refused("\n\nlocal x = nil + 1", with_file(
	    ":3: attempt to perform arithmetic on a nil value"));
	assert_refused("error({})", with_file(
	    ": (error object is a table)"));
	assert_refused("error('two\\n\\tlines', 0)", with_file(": two lines"));
	write_file("broken.lua", "\n\nx = = 1");
	assert_refused("require 'broken'", with_file(
	    ": error loading module 'broken' from file '"));
}
END_TEST

START_TEST(refuses_what_is_no_application)
{
	assert_refused("", with_file(" returned nil, expected a table of "
	    "functions"));
	assert_refused("return 5", with_file(" returned a number, expected"));
	assert_refused("return print", with_file(" returned a function, which "
	    "interface = \"wsapi\" takes, expected"));
	assert_refused("return { run = print }", with_file(" returned a table, "
	    "which interface = \"wsapi\" takes, expected"));
	assert_refused("return { dispatch = print }", with_file(" returned a "
	    "table, which interface = \"lapis\" takes, expected"));
	assert_refused("return {}", with_file(": accept is nil, expected a "
	    "function"));
	assert_refused("return { accept = 'x' }", with_file(": accept is a "
	    "string, expected a function"));
	assert_refused("return { accept = print, setup = 'x' }",
	    with_file(": setup is a string"));
	assert_refused("return { accept = print, start = 1 }",
	    with_file(": start is a number"));
	assert_refused("return { accept = print, restart = {} }",
	    with_file(": restart is a table"));
	assert_refused("return { accept = print, interval = 'x' }",
	    with_file(": interval is a string"));
	assert_refused("return { accept = print, stop = false }",
	    with_file(": stop is a boolean"));
}
END_TEST

START_TEST(refuses_a_compiled_file)
{
	assert_refused("\x1bLua", with_file(": attempt to load a binary chunk "
	    "(mode is 't')"));
}
END_TEST

/* Lua shortens long names; the person who mends it needs the whole one. */
START_TEST(names_long_files_in_full)
{
	for (int i = 0; i < 2; i++) {
		char path[256], expected[300];
		const struct lua_app_options options = { 0 };
		const char *name = i == 0 ? "a-name-of-more-than-sixty-bytes-"
		    "so-that-it-does-not-fit-into-messages.lua" : "b.lua";

		write_file(name, "\n\nerror('x')");
		snprintf(path, sizeof(path), "%s/%s", scene.dir, name);
		ck_assert_ptr_null(lua_app_load(path, &options, &why));
		snprintf(expected, sizeof(expected), "%s:3: x", path);
		ck_assert_str_eq(why.text, expected);
		ck_assert_int_eq(why.line, 3);
	}
}
END_TEST

START_TEST(finds_modules_beside_the_file)
{
	write_file("views.lua", "return { text = 'beside' }");
	load_app("local views = require 'views' return { accept = function() "
	    "return {}, views.text .. package.path end }");
	ck_assert_mem_eq(serve_body(), "beside", 6);
	ck_assert_mem_eq(serve_body() + 6, scene.dir, strlen(scene.dir));
	ck_assert_mem_eq(serve_body() + 6 + strlen(scene.dir), "/?.lua;", 7);
	assert_refused("require 'nowhere'", with_file(":1: module 'nowhere' "
	    "not found: no field package.preload['nowhere'] no file '"));
}
END_TEST

START_TEST(finds_modules_beside_a_relative_file)
{
	const struct lua_app_options options = { 0 };

	write_file("views.lua", "return 'beside'");
	write_file("app.lua", "local text = require 'views' return { accept = "
	    "function() return {}, text end }");
	ck_assert_int_eq(chdir(scene.dir), 0);
	scene.app = lua_app_load("app.lua", &options, &why);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_msg(scene.app != NULL, "%s", why.text);
	ck_assert_str_eq(serve_body(), "beside");
}
END_TEST

START_TEST(takes_what_can_be_called_for_a_function)
{
	load_app("#!/usr/bin/env lua-simple-fcgi\n"
	    "return { accept = setmetatable({}, { __call = function(_, env) "
	    "return {}, env.X end }) }");
	set_param("X", "called");
	ck_assert_str_eq(serve_body(), "called");
}
END_TEST

START_TEST(closes_its_state)
{
	char path[96];

	load_app("local path = package.path:match('(.-)/%?') .. '/closed' "
	    "setmetatable({}, { __gc = function() io.open(path, 'w'):close() "
	    "end }) return { accept = print }");
	snprintf(path, sizeof(path), "%s/closed", scene.dir);
	lua_app_free(scene.app);
	scene.app = NULL;
	ck_assert_int_eq(access(path, F_OK), 0);
	lua_app_free(NULL);
}
END_TEST

static TCase *
load_tests(void)
{
	TCase *t = tcase_create("load");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, refuses_a_file_that_is_not_there);
	tcase_add_test(t, names_the_line_of_a_fault);
	tcase_add_test(t, refuses_what_is_no_application);
	tcase_add_test(t, refuses_a_compiled_file);
	tcase_add_test(t, names_long_files_in_full);
	tcase_add_test(t, finds_modules_beside_the_file);
	tcase_add_test(t, finds_modules_beside_a_relative_file);
	tcase_add_test(t, takes_what_can_be_called_for_a_function);
	tcase_add_test(t, closes_its_state);
	return t;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("lua_load");

	suite_add_tcase(s, load_tests());
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

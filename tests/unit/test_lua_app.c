#include "app_unit.h"

static struct why why;

/* ---- setup, start, restart, stop ------------------------------------------------ */

static void
load_hook(const char *name, const char *statements)
{
	char source[256];

	snprintf(source, sizeof(source), "return { accept = print, %s = "
	    "function(...) assert(select('#', ...) == 0) %s end }", name,
	    statements);
	load_app(source);
}

typedef int hook_call(struct lua_app *app, int *code, struct why *why);

static const struct {
	const char *name;
	hook_call *call;
} hooks[] = { { "setup", lua_app_setup }, { "start", lua_app_start } };

START_TEST(sets_up_and_starts)
{
	static const struct {
		const char *statements;
		int result, code;
	} cases[] = { { "", 0, 0 }, { "return nil", 0, 0 },
		{ "return 0", 0, 0 }, { "return 0.0", 0, 0 },
		{ "return 1", -1, 1 },
		{ "return 101", -1, 101 }, { "return 255", -1, 255 },
		{ "return 256", -1, 1 }, { "return -1", -1, 1 },
		{ "return math.mininteger", -1, 1 } };
	hook_call *call = hooks[_i].call;
	size_t i;
	int code;

	load_app("return { accept = print }");
	ck_assert(!lua_app_sets_up(scene.app));
	ck_assert_int_eq(call(scene.app, &code, &why), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		load_hook(hooks[_i].name, cases[i].statements);
		ck_assert_int_eq(lua_app_sets_up(scene.app), _i == 0);
		ck_assert_int_eq(call(scene.app, &code, &why),
		    cases[i].result);
		ck_assert_int_eq(code, cases[i].code);
	}
}
END_TEST

START_TEST(does_not_start_with_nonsense)
{
	hook_call *call = hooks[_i].call;
	char text[128];
	int code = 70;

	load_hook(hooks[_i].name, "error('no database')");
	ck_assert_int_eq(call(scene.app, &code, &why), -1);
	ck_assert_str_eq(why.text, with_file(":1: no database"));
	snprintf(text, sizeof(text), ": %s: ", hooks[_i].name);
	assert_logged(with_file(text));
	assert_logged("no database\\nstack traceback:");
	load_hook(hooks[_i].name, "return true");
	ck_assert_int_eq(call(scene.app, &code, &why), -1);
	snprintf(text, sizeof(text), ": %s returned a boolean, expected "
	    "nothing or an integer", hooks[_i].name);
	ck_assert_str_eq(why.text, with_file(text));
	assert_logged(with_file(text));
	load_hook(hooks[_i].name, "return '0'");
	ck_assert_int_eq(call(scene.app, &code, &why), -1);
	load_hook(hooks[_i].name, "return 1.5");
	ck_assert_int_eq(call(scene.app, &code, &why), -1);
	ck_assert_int_eq(code, 70);
}
END_TEST

START_TEST(restarts)
{
	load_app("return { accept = print }");
	ck_assert_int_eq(lua_app_restart(scene.app), LUA_END_NONE);
	load_app("local n = 0 return { restart = function() n = n + 1 end, "
	    "accept = function() return {}, n end }");
	ck_assert_int_eq(lua_app_restart(scene.app), LUA_END_DONE);
	ck_assert_int_eq(lua_app_restart(scene.app), LUA_END_DONE);
	ck_assert_str_eq(serve_body(), "2");
	load_hook("restart", "error('lost')");
	ck_assert_int_eq(lua_app_restart(scene.app), LUA_END_RAISED);
	assert_logged(with_file(": restart: "));
	assert_logged("lost\\nstack traceback:");
}
END_TEST

START_TEST(runs_a_timer)
{
	struct why said;

	load_app("return { accept = print }");
	ck_assert_int_eq(lua_app_interval(scene.app, "t", &said),
	    LUA_END_NONE);
	ck_assert_str_eq(said.text, with_file(": interval is nil: the "
	    "application has removed it"));
	load_app("local names = '' return { interval = function(...) names = "
	    "names .. table.concat({ ... }, ',') .. ' ' return 5 end, "
	    "accept = function() return {}, names end }");
	ck_assert_int_eq(lua_app_interval(scene.app, "one", &said),
	    LUA_END_DONE);
	ck_assert_int_eq(lua_app_interval(scene.app, "two", &said),
	    LUA_END_DONE);
	ck_assert_str_eq(serve_body(), "one two ");
	load_app("return { accept = print, interval = function() "
	    "error('lost') end }");
	ck_assert_int_eq(lua_app_interval(scene.app, "t", &said),
	    LUA_END_RAISED);
	ck_assert_str_eq(said.text, with_file(":1: lost"));
	assert_logged(with_file(": interval(\"t\"): "));
	assert_logged("lost\\nstack traceback:");
}
END_TEST

START_TEST(stops_or_declines)
{
	static const struct {
		const char *statements;
		bool leaves;
	} cases[] = { { "", true }, { "return 0", true },
		{ "return nil", true },
		{ "return 1", false }, { "return -1", false },
		{ "return false", false }, { "return true", false },
		{ "return 'busy'", false }, { "return 0.5", false },
		{ "error('lost')", true } };
	size_t i;

	load_app("return { accept = print }");
	ck_assert(lua_app_stop(scene.app));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		load_hook("stop", cases[i].statements);
		ck_assert_msg(lua_app_stop(scene.app) == cases[i].leaves, "%s",
		    cases[i].statements);
	}
	assert_logged(with_file(": stop: "));
	assert_logged("lost\\nstack traceback:");
}
END_TEST

/* ---- errors -------------------------------------------------------------- */

START_TEST(logs_an_error_with_traceback)
{
	set_param("REQUEST_METHOD", "POST");
	set_param("REQUEST_URI", "/a?b\x1b[0m");
	assert_fails("local function inner() error('broken') end\ninner()",
	    "[request 4711-1] POST /a?b\\x1b[0m: ");
	assert_logged("app.lua:3: broken\\nstack traceback:\\n\\t[C]: in "
	    "function 'error'");
	assert_logged("in local 'inner'");
	assert_logged("app.lua:4: in ");
	ck_assert_str_eq(strchr(logged(), '\n') + 1, "");
}
END_TEST

/* Nothing that a client sends hides what follows, or makes a line endless. */
START_TEST(names_the_request_whatever_it_is)
{
	char uri[600];

	memset(uri, 'u', sizeof(uri) - 1);
	uri[sizeof(uri) - 1] = '\0';
	load_accept("error('x')");
	set_param_bytes("REQUEST_METHOD", "GE\0T", 4);
	set_param("REQUEST_URI", "");
	set_param("SCRIPT_NAME", "/script");
	serve();
	assert_logged("[request 4711-1] GE?T /script: ");
	client.nparams = 0;
	set_param("REQUEST_URI", uri);
	serve();
	assert_logged("4711-1] - uuuuuu");
	ck_assert_ptr_null(strstr(logged(), uri));
	assert_logged("uuuuuu: ");
}
END_TEST

START_TEST(copes_with_every_kind_of_error)
{
	assert_fails("error({})", ": (error object is a table)\\nstack");
	assert_fails("error()", "(error object is a nil value)");
	assert_fails("error(42)", ": 42\\nstack traceback:");
	assert_fails("error(setmetatable({}, { __tostring = function() "
	    "return 'own words' end }))", ": own words\\nstack traceback:");
	assert_fails("error(setmetatable({}, { __tostring = function() "
	    "error('in tostring') end }))", "in tostring");
	assert_fails("local function f() error(setmetatable({}, { __tostring "
	    "= f })) end f()", "rror");
	assert_fails("local function f() return 1 + f() end f()",
	    "stack overflow");
	assert_fails("coroutine.yield()", "outside a coroutine");
	assert_fails("coroutine.wrap(function() error('inside') end)()",
	    "inside");
	assert_fails("return {}, ('x'):rep(1 << 60)", "too large");
	assert_fails("nothing()", "global 'nothing'");
}
END_TEST

/* Without their metatable, and without end. */
START_TEST(shows_error_objects)
{
	assert_fails("error({ message = 'late', code = 42 })", ": (error "
	    "object is a table: message = \"late\", code = 42)\\nstack");
	assert_fails("error({ 'no\\0\\n', 1.5, true, {}, print })", ": (error "
	    "object is a table: [1] = \"no\\x00\\n\", [2] = 1.5, "
	    "[3] = true, [4] = a table, [5] = a function)\\nstack");
	assert_fails("error({ 1, 2, 3, 4, 5, 6, 7, 8, 9 })",
	    ", [8] = 8, ...)\\nstack");
	assert_fails("error({ message = ('x'):rep(500) })", "xxx...\")\\nstack");
	assert_fails("error(setmetatable({ a = 1 }, { __name = 'sql.error', "
	    "__index = error, __pairs = error }))",
	    ": (error object is a sql.error: a = 1)\\nstack");
}
END_TEST

/* A text is not cut at a NUL, wherever an error is told. */
START_TEST(shows_nul_bytes)
{
	int code;

	assert_fails("error('a\\0b')", ": a\\x00b\\nstack traceback:");
	assert_fails("error(setmetatable({}, { __tostring = function() "
	    "return 'a\\0b' end }))", ": a\\x00b\\nstack traceback:");
	load_hook("stop", "error('a\\0b')");
	ck_assert(lua_app_stop(scene.app));
	assert_logged(": a\\x00b\\nstack traceback:");
	load_hook("start", "error('a\\0b')");
	ck_assert_int_eq(lua_app_start(scene.app, &code, &why), -1);
	ck_assert_str_eq(why.text, with_file(":1: a\\x00b"));
}
END_TEST

/* An error that is raised on in the one that resumed the coroutine. */
START_TEST(traces_coroutines)
{
	static const char inner[] = "local function deep() error('lost') end\n"
	    "local function run() deep() end\n";
	char text[400];

	snprintf(text, sizeof(text), "%scoroutine.wrap(run)()", inner);
	assert_fails(text, "lost\\nstack traceback:\\n\\t[C]: in function "
	    "'error'\\n\\t");
	assert_logged("app.lua:3: in upvalue 'deep'\\n\\t");
	assert_logged("app.lua:4: in function <");
	assert_logged("app.lua:5: in ");
	snprintf(text, sizeof(text), "%sassert(coroutine.resume("
	    "coroutine.create(function() coroutine.wrap(run)() end)))", inner);
	assert_fails(text, "app.lua:3: in upvalue 'deep'\\n\\t");
	assert_logged("app.lua:5: in function <");
	assert_logged("in function 'assert'");
	assert_fails("local t = {} local function deep() error(t) end\n"
	    "local co = coroutine.create(function() deep() end)\n"
	    "coroutine.resume(co) error(t)", "app.lua:3: in upvalue 'deep'");
}
END_TEST

/* Nor one that was caught, nor one of another request. */
START_TEST(traces_no_other_coroutine)
{
	load_accept("if env.ONE then coroutine.wrap(function() "
	    "error('x', 0) end)() end\n"
	    "local function deep() error('y') end\n"
	    "pcall(coroutine.wrap(function() deep() end))\n"
	    "error('x', 0)");
	set_param("ONE", "1");
	serve();
	new_request();
	serve();
	assert_logged(": x\\nstack traceback:\\n\\t[C]: in function 'error'"
	    "\\n\\t");
	ck_assert_ptr_null(strstr(logged(), "deep"));
}
END_TEST

START_TEST(goes_on_after_errors)
{
	int i;

	load_accept("n = (n or 0) + 1 if n % 2 == 0 then error('even') end "
	    "return {}, n");
	for (i = 1; i <= 99; i++)
		serve();
	ck_assert_str_eq(serve(), NEUTRAL_500);
	ck_assert_str_eq(serve_body(), "101");
}
END_TEST

/* ---- from request to request --------------------------------------------- */

START_TEST(keeps_its_state)
{
	load_app("local n, app = 0, {} function app.accept() n = n + 1 "
	    "return {}, n end return app");
	ck_assert_str_eq(serve_body(), "1");
	ck_assert_str_eq(serve_body(), "2");
	ck_assert_str_eq(serve_body(), "3");
}
END_TEST

/* An application may exchange its own functions. */
START_TEST(calls_what_accept_is_now)
{
	load_app("local app = {} function app.accept() return {}, 'old' end "
	    "function app.restart() app.accept = function() "
	    "return {}, 'new' end end return app");
	ck_assert_str_eq(serve_body(), "old");
	ck_assert_int_eq(lua_app_restart(scene.app), LUA_END_DONE);
	ck_assert_str_eq(serve_body(), "new");
}
END_TEST

/* Kilobytes that Lua holds, all garbage collected. */
static long
memory(void)
{
	set_param("COUNT", "");
	serve();
	client.nparams--;
	return strtol(strstr(client.out.data, "\r\n\r\n") + 4, NULL, 10);
}

/* A stack has a million slots: one lost in a request shows in the end. */
START_TEST(serves_more_requests_than_a_stack_has_slots)
{
	long i, n = unit_is_slow() ? 10000 : 1100000, before;

	set_param("REQUEST_METHOD", "GET");
	load_accept("if env.COUNT then collectgarbage() return {}, "
	    "collectgarbage('count') // 1 end "
	    "n = (n or 0) + 1 local input, errors = env.input, env.errors "
	    "if n % 16 == 0 then return {}, coroutine.wrap(function() "
	    "coroutine.yield('a') end) end "
	    "if n % 16 == 8 then return {}, { 'a', 'b' } end "
	    "return { ['X-A'] = { 'a' } }, 'hello'");
	for (i = 0; i < 1000; i++)
		serve_quietly();
	before = memory();
	for (i = 0; i < n; i++)
		serve_quietly();
	ck_assert_int_eq(client.request.status, 200);
	ck_assert_int_le(memory(), before + 4);
	ck_assert_str_eq(logged(), "");
}
END_TEST

/* What one request needed is not held until the next one needs as much. */
START_TEST(gives_memory_back)
{
	static const char *const bodies[] = { "large", "{ large, 'y' }",
		"function() local text = large large = nil return text end" };
	char text[256];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "if env.COUNT then return {}, "
		    "collectgarbage('count') // 1 end "
		    "local large = ('x'):rep(48 << 20) return {}, %s",
		    bodies[i]);
		load_accept(text);
		serve_quietly();
		ck_assert_uint_ge(client.out.len, 48 << 20);
		ck_assert_int_lt(memory(), 1024);
	}
}
END_TEST

START_TEST(loses_nothing_to_errors)
{
	static const char *const ends[] = { "error({})", "return 5",
		"return {}, { 'a', true }", "return { ['X-A'] = { 1, {} } }",
		"return { ['X-A'] = '\\n' }", "return {}, error",
		"return { ['Content-Length'] = 1 }, 'abc'",
		"return {}, function() return {} end" };
	char text[256];
	long i, j, before, n = unit_is_slow() ? 300 : 3000;

	log_open("/dev/null", LEVEL_ALERT, FORM_TEXT, NULL);
	for (i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "if env.COUNT then "
		    "collectgarbage() return {}, collectgarbage('count') // 1 "
		    "end %s", ends[i]);
		load_accept(text);
		serve();
		before = memory();
		for (j = 0; j < n; j++)
			serve_quietly();
		ck_assert_msg(memory() <= before + 4, "%s", ends[i]);
	}
}
END_TEST

static TCase *
life_tests(void)
{
	TCase *t = tcase_create("life");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, sets_up_and_starts, 0, 2);
	tcase_add_loop_test(t, does_not_start_with_nonsense, 0, 2);
	tcase_add_test(t, restarts);
	tcase_add_test(t, runs_a_timer);
	tcase_add_test(t, stops_or_declines);
	tcase_add_test(t, logs_an_error_with_traceback);
	tcase_add_test(t, names_the_request_whatever_it_is);
	tcase_add_test(t, copes_with_every_kind_of_error);
	tcase_add_test(t, shows_error_objects);
	tcase_add_test(t, shows_nul_bytes);
	tcase_add_test(t, traces_coroutines);
	tcase_add_test(t, traces_no_other_coroutine);
	tcase_add_test(t, goes_on_after_errors);
	tcase_add_test(t, keeps_its_state);
	tcase_add_test(t, calls_what_accept_is_now);
	tcase_add_test(t, serves_more_requests_than_a_stack_has_slots);
	tcase_add_test(t, gives_memory_back);
	tcase_add_test(t, loses_nothing_to_errors);
	return t;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("lua_app");

	suite_add_tcase(s, life_tests());
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

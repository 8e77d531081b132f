#include "app_unit.h"

#define LONG "X234567890223456789032345678904234567890523456789062345678907"

/* ---- parameters ---------------------------------------------------------- */

/* "NAME=value;" of all that pairs gives, sorted. */
#define PAIRS                                                               \
	"local t = {} for k, v in pairs(env) do "                            \
	"t[#t + 1] = k .. '=' .. v .. ';' end table.sort(t) return {}, t"

START_TEST(holds_the_parameters_and_nothing_else)
{
	ck_assert_str_eq(body_of(PAIRS), "");
	set_param("REQUEST_METHOD", "GET");
	set_param("QUERY_STRING", "");
	set_param("", "nameless");
	set_param("lower", "case");
	ck_assert_str_eq(body_of(PAIRS),
	    "=nameless;QUERY_STRING=;REQUEST_METHOD=GET;lower=case;");
	ck_assert_str_eq(body_of("local _ = env.input, env.errors, env.id, "
	    "env.aborted env.input:read(0) " PAIRS),
	    "=nameless;QUERY_STRING=;REQUEST_METHOD=GET;lower=case;");
}
END_TEST

START_TEST(knows_no_other_names)
{
	ck_assert_str_eq(body_of("assert(env.HTTP_HOST == nil) "
	    "assert(env.inputs == nil and env.read == nil and env[''] == nil) "
	    "assert(env[1] == nil and env[true] == nil and env[env] == nil) "
	    "return {}, 'none'"), "none");
}
END_TEST

START_TEST(is_a_table_that_keeps_its_metatable)
{
	ck_assert_str_eq(body_of("assert(type(env) == 'table') "
	    "assert(getmetatable(env) == false) "
	    "assert(not pcall(setmetatable, env, {})) "
	    "env.user = 'root' env.input = 'mine' "
	    "return {}, env.user .. env.input"), "rootmine");
}
END_TEST

START_TEST(joins_what_comes_twice)
{
	set_param("HTTP_COOKIE", "a=1");
	set_param("HTTP_ACCEPT", "text/html");
	set_param("HTTP_COOKIE", "b=2");
	set_param("HTTP_ACCEPT", "");
	set_param("HTTP_HOST", "x");
	set_param("HTTP_COOKIE", "c=3");
	set_param("HTTP_ACCEPT", "a/b");
	ck_assert_str_eq(body_of(PAIRS), "HTTP_ACCEPT=text/html, , a/b;"
	    "HTTP_COOKIE=a=1; b=2; c=3;HTTP_HOST=x;");
}
END_TEST

/* As many as fit into a head: joining them one to the other would copy
 * gigabytes. */
START_TEST(joins_thousands_at_once)
{
	const size_t n = 200000;
	struct param *params = malloc(n * sizeof(*params));
	struct request r = { .ops = &client_ops, .params = params,
		.nparams = n, .id = "4711-1" };
	size_t i;

	for (i = 0; i < n; i++)
		params[i] = (struct param) { .name = "HTTP_X",
			.value = "value", .name_len = 6, .value_len = 5 };
	load_accept("return {}, #env.HTTP_X");
	lua_app_serve(scene.app, &r);
	ck_assert_ptr_nonnull(strstr(buf_string(&client.out), "1399998"));
	free(params);
}
END_TEST

START_TEST(withholds_the_proxy_header)
{
	set_param("HTTP_PROXY", "evil:8080");
	set_param("HTTP_PROXY", "evil:8080");
	set_param("HTTP_PROXY_", "x");
	set_param("HTTP_PROX", "y");
	ck_assert_str_eq(body_of(PAIRS), "HTTP_PROX=y;HTTP_PROXY_=x;");
}
END_TEST

/* The first one counts, as in logs. */
START_TEST(withholds_a_length_that_is_no_number)
{
	static const char *const given[][2] = { { "", "" }, { "-1", "" },
		{ "+1", "" }, { " 1", "" }, { "1 ", "" }, { "0x10", "" },
		{ "1e3", "" }, { "1.0", "" }, { "1, 1", "" },
		{ "9999999999999999999", "" },
		{ "0", "CONTENT_LENGTH=0;" }, { "007", "CONTENT_LENGTH=007;" },
		{ "999999999999999999",
		    "CONTENT_LENGTH=999999999999999999;" } };

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		for (int repeats = 0; repeats < 3; repeats++) {
			new_request();
			set_param("CONTENT_LENGTH", given[i][0]);
			for (int n = 0; n < repeats; n++)
				set_param("CONTENT_LENGTH", n ? "-1" : "5");
			ck_assert_str_eq(body_of(PAIRS), given[i][1]);
		}
	}
	new_request();
	set_param_bytes("CONTENT_LENGTH", "1\0", 2);
	set_param("CONTENT_LENGTHS", "x");
	set_param("HTTP_CONTENT_LENGTH", "-1");
	ck_assert_str_eq(body_of(PAIRS),
	    "CONTENT_LENGTHS=x;HTTP_CONTENT_LENGTH=-1;");
}
END_TEST

/* The place of a name that is withheld has another one before and after. */
START_TEST(forgets_what_is_withheld)
{
	static const char *const withheld[] = { "HTTP_PROXY",
		"CONTENT_LENGTH" };

	load_accept(PAIRS);
	for (int i = 0; i < 2; i++) {
		new_request();
		set_param("HTTP_A", "1");
		ck_assert_str_eq(serve_body(), "HTTP_A=1;");
		new_request();
		set_param(withheld[i], "-1");
		set_param("HTTP_A", "2");
		ck_assert_str_eq(serve_body(), "HTTP_A=2;");
		new_request();
		set_param("HTTP_A", "3");
		set_param("HTTP_A", "4");
		ck_assert_str_eq(serve_body(), "HTTP_A=3, 4;");
	}
}
END_TEST

START_TEST(keeps_every_byte_of_a_parameter)
{
	set_param_bytes("QUERY_STRING", "a\0b\n\xff", 5);
	set_param_bytes("HTTP_X", "\0", 1);
	set_param_bytes("HTTP_X", "\0", 1);
	ck_assert_str_eq(body_of("return {}, ('%q%q'):format(env.QUERY_STRING, "
	    "env.HTTP_X)"), "\"a\\0b\\\n\xff\"\"\\0, \\0\"");
}
END_TEST

/* Strings are remembered by their places (lua_memo.h): whatever a request has
 * where the one before had something else, it is what it sent. */
START_TEST(remembers_no_other_request)
{
	char name[80], value[80], expected[400];

	load_accept("collectgarbage() " PAIRS);
	for (int i = 0; i < 60; i++) {
		int n = i % 7 * 10;

		snprintf(name, sizeof(name), "N%.*s%d", n, LONG, i % 3);
		snprintf(value, sizeof(value), "%.*s%d", n, LONG, i % 5);
		new_request();
		set_param("A", i % 2 == 0 ? "one" : "two");
		set_param(name, value);
		set_param_bytes("Z", "zz", (size_t)i % 3);
		snprintf(expected, sizeof(expected), "A=%s;%s=%s;Z=%.*s;",
		    i % 2 == 0 ? "one" : "two", name, value, i % 3, "zz");
		ck_assert_str_eq(serve_body(), expected);
	}
}
END_TEST

/* The same with texts that are told to be constant: the same place has now one
 * of them, now another, now one that only reads the same. */
START_TEST(remembers_constants)
{
	static const char *const texts[] = { "one", "two", "", "three" };
	char copy[8], expected[40];

	load_accept("collectgarbage() " PAIRS);
	for (int i = 0; i < 60; i++) {
		const char *text = texts[i * i % 7 % 4];

		snprintf(copy, sizeof(copy), "%s", text);
		new_request();
		set_param("A", i % 3 == 0 ? copy : text);
		client.params[client.nparams - 1].constant_name = i % 5 != 0;
		client.params[client.nparams - 1].constant_value = i % 3 != 0;
		snprintf(expected, sizeof(expected), "A=%s;", text);
		ck_assert_str_eq(serve_body(), expected);
	}
}
END_TEST

/* Requests whose names are those of the one before, and repeat, in any way. */
START_TEST(finds_every_repeat)
{
	static const char *const names[] = { "A", "B", "C", LONG LONG, "A" };
	unsigned seed = 1;

	load_accept("local t = {} for _, k in ipairs{'A', 'B', 'C', '"
	    LONG LONG "'} do t[#t + 1] = (env[k] or '') .. ';' end "
	    "return {}, t");
	for (int i = 0; i < 3000; i++) {
		char value[4][40] = { "" }, expected[200], *to;

		new_request();
		for (int n = (int)(seed >> 9) % 6; n > 0; n--) {
			unsigned which;

			seed = seed * 1103515245U + 12345U;
			which = (seed >> 8) % 5;
			set_param(names[which], n % 2 == 0 ? "x" : "y");
			to = value[which % 4];
			strcat(to, *to == '\0' ? "" : ", ");
			strcat(to, n % 2 == 0 ? "x" : "y");
		}
		seed = seed * 1103515245U + 12345U;
		snprintf(expected, sizeof(expected), "%s;%s;%s;%s;", value[0],
		    value[1], value[2], value[3]);
		ck_assert_str_eq(serve_body(), expected);
	}
}
END_TEST

/* ---- the request itself -------------------------------------------------- */

START_TEST(knows_the_request)
{
	ck_assert_str_eq(body_of("local before = env.aborted "
	    "pcall(env.input.read, env.input) "
	    "return {}, ('%s %s %s'):format(env.id, before, env.aborted)"),
	    "4711-1 false false");
	client.error = ECONNRESET;
	serve();
	ck_assert(client.request.aborted);
	load_accept("pcall(env.input.read, env.input) "
	    "env.errors:write(tostring(env.aborted))");
	serve();
	assert_logged("[request 4711-1] - -: true");
}
END_TEST

/* Kept for later, none of it answers for a later request. */
START_TEST(is_over_after_the_request)
{
	static const char *const uses[] = { "kept.input", "kept.errors",
		"kept.aborted", "kept.id", "input:read()", "input:lines()",
		"lines()", "errors:write('x')" };
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		snprintf(text, sizeof(text), "if not kept then kept, input, "
		    "errors, lines = env, env.input, env.errors, "
		    "env.input:lines() return {}, env.HTTP_X end "
		    "local _ = %s", uses[i]);
		load_accept(text);
		client.nparams = 0;
		set_param("HTTP_X", "first");
		ck_assert_str_eq(serve_body(), "first");
		set_body("the next client's\n", 18);
		ck_assert_str_eq(serve(), NEUTRAL_500);
		ck_assert_uint_eq(client.body_at, 0);
		assert_logged("the request is over");
	}
	ck_assert_str_eq(body_of("kept = kept or env "
	    "return {}, kept.HTTP_X"), "first");
	ck_assert_str_eq(serve_body(), "first");
}
END_TEST

START_TEST(is_over_when_the_application_stops)
{
	load_app("local app, kept = {} "
	    "function app.accept(env) kept = env return {} end "
	    "function app.stop() return kept.input end "
	    "function app.restart() return kept.id end return app");
	serve();
	ck_assert_int_eq(lua_app_restart(scene.app), LUA_END_RAISED);
	assert_logged("restart: ");
	assert_logged("the request is over");
	ck_assert(lua_app_stop(scene.app));
	assert_logged("stop: ");
}
END_TEST

START_TEST(is_over_between_requests)
{
	load_app("local input, errors return { "
	    "accept = function(env) input, errors = env.input, env.errors "
	    "return {} end, restart = function() input:read(1) end, "
	    "stop = function() errors:write('late\\n') end }");
	set_body("abc", 3);
	serve();
	ck_assert_int_eq(lua_app_restart(scene.app), LUA_END_RAISED);
	ck_assert_uint_eq(client.body_at, 0);
	ck_assert(lua_app_stop(scene.app));
	ck_assert_ptr_null(strstr(logged(), ": late\n"));
	assert_logged("stop: ");
}
END_TEST

START_TEST(gives_one_input_to_a_request)
{
	set_body("abc", 3);
	ck_assert_str_eq(body_of("assert(env.input == env.input) "
	    "assert(env.errors == env.errors) assert(env.input ~= last) "
	    "last = env.input return {}, env.input:read(1) .. "
	    "env.input:read(1)"), "ab");
	ck_assert_str_eq(serve_body(), "ab");
}
END_TEST

/* Methods called with the wrong thing say so. */
START_TEST(checks_what_it_is_called_on)
{
	assert_fails("env.input.read(5)", "bad argument #1 to 'read' "
	    "(lua-fpm.input expected, got number)");
	assert_fails("env.input.read(env.errors)", "lua-fpm.input expected");
	assert_fails("env.errors.write('x')", "lua-fpm.errors expected");
	assert_fails("env.errors:write({})", "string expected, got table");
	assert_fails("getmetatable(env.input).__index.read()",
	    "attempt to index a boolean");
}
END_TEST

/* ---- env.errors ---------------------------------------------------------- */

START_TEST(logs_line_by_line)
{
	set_param("REQUEST_METHOD", "GET");
	set_param("REQUEST_URI", "/");
	ck_assert_str_eq(body_of("env.errors:write('one\\ntwo\\n\\nth', "
	    "'ree ', 3):write(1.5, '\\nrest') return {}, 'x'"), "x");
	assert_logged("[request 4711-1] GET /: one\n");
	assert_logged("[request 4711-1] GET /: two\n");
	assert_logged("[request 4711-1] GET /: three 31.5\n");
	assert_logged("[request 4711-1] GET /: rest\n");
	ck_assert_ptr_null(strstr(logged(), "GET /: \n"));
	ck_assert_uint_eq(client.told.len, 0);
	load_accept("env.errors:write('next\\n') return {}");
	serve();
	assert_logged("GET /: next\n");
}
END_TEST

START_TEST(logs_any_bytes)
{
	load_accept("env.errors:write('a\\0b\\r\\27[1m') return {}");
	serve();
	assert_logged(": a\\x00b\\r\\x1b[1m\n");
}
END_TEST

START_TEST(logs_endless_lines_in_parts)
{
	const char *text;
	size_t n = 0;

	load_accept("for i = 1, 5000 do env.errors:write('xxxxx') end "
	    "env.errors:write(('x'):rep(2 << 20)) return {}");
	serve();
	for (text = logged(); *text != '\0'; text++)
		n += *text == 'x';
	ck_assert_uint_eq(n, 25000 + (2 << 20));
	for (n = 0, text = logged(); *text != '\0'; text++) {
		n = *text == '\n' ? 0 : n + 1;
		ck_assert_uint_lt(n, (1 << 20) + 200);
	}
	assert_logged("xxx [line goes on]\n");
	assert_logged(" [line goes on] xxx");
}
END_TEST

START_TEST(tells_the_server_if_asked_to)
{
	load_app_for("return { accept = function(env) "
	    "env.errors:write('one\\ntwo') error('three') end }", true);
	ck_assert_str_eq(serve(), NEUTRAL_500);
	ck_assert_mem_eq(buf_string(&client.told), "one\ntwo\n", 8);
	ck_assert_ptr_nonnull(strstr(client.told.data, "three\n"));
	ck_assert_ptr_nonnull(strstr(client.told.data, "stack traceback"));
	ck_assert_int_eq(client.told.data[client.told.len - 1], '\n');
	assert_logged(": one\n");
	assert_logged(": two\n");
}
END_TEST

/* A client's fault is none of the application's. */
START_TEST(tells_the_server_of_errors_only)
{
	load_app_for("return { accept = function(env) env.input:read() end }",
	    true);
	client.error = ETIMEDOUT;
	serve();
	assert_logged(" notice ");
	ck_assert_uint_eq(client.told.len, 0);
}
END_TEST

static TCase *
parameter_tests(void)
{
	TCase *t = tcase_create("parameters");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, holds_the_parameters_and_nothing_else);
	tcase_add_test(t, knows_no_other_names);
	tcase_add_test(t, is_a_table_that_keeps_its_metatable);
	tcase_add_test(t, joins_what_comes_twice);
	tcase_add_test(t, joins_thousands_at_once);
	tcase_add_test(t, withholds_the_proxy_header);
	tcase_add_test(t, withholds_a_length_that_is_no_number);
	tcase_add_test(t, forgets_what_is_withheld);
	tcase_add_test(t, keeps_every_byte_of_a_parameter);
	tcase_add_test(t, remembers_no_other_request);
	tcase_add_test(t, remembers_constants);
	tcase_add_test(t, finds_every_repeat);
	return t;
}

static TCase *
request_tests(void)
{
	TCase *t = tcase_create("request");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, knows_the_request);
	tcase_add_test(t, is_over_after_the_request);
	tcase_add_test(t, is_over_when_the_application_stops);
	tcase_add_test(t, is_over_between_requests);
	tcase_add_test(t, gives_one_input_to_a_request);
	tcase_add_test(t, checks_what_it_is_called_on);
	tcase_add_test(t, logs_line_by_line);
	tcase_add_test(t, logs_any_bytes);
	tcase_add_test(t, logs_endless_lines_in_parts);
	tcase_add_test(t, tells_the_server_if_asked_to);
	tcase_add_test(t, tells_the_server_of_errors_only);
	return t;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("lua_env");

	suite_add_tcase(s, parameter_tests());
	suite_add_tcase(s, request_tests());
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

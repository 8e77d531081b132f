#include "app_unit.h"

/* A body function: two pieces, and what it does after them. */
#define PIECES(a, b, last)                                                  \
	("coroutine.wrap(function() coroutine.yield('" a "') "               \
	 "coroutine.yield('" b "') " last " end)")

/* ---- bodies -------------------------------------------------------------- */

START_TEST(takes_every_form_of_body)
{
	static const char *const forms[][2] = {
		{ "nil", "" },
		{ "''", "" },
		{ "'text'", "text" },
		{ "42", "42" },
		{ "{}", "" },
		{ "{ 'a', '', 'b', 3, 'c' }", "ab3c" },
		{ "(function() local n = 0 return function() n = n + 1 "
		    "return n <= 3 and 'x' .. n or nil end end)()",
		    "x1x2x3" },
		{ "function() end", "" },
		{ "coroutine.wrap(function() coroutine.yield('a') "
		    "coroutine.yield('') coroutine.yield('b') end)", "ab" },
		{ "setmetatable({ n = 2 }, { __call = function(self) "
		    "self.n = self.n - 1 return self.n >= 0 and self.n or nil "
		    "end })", "10" },
	};
	char text[512];
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		snprintf(text, sizeof(text), "return {}, %s", forms[i][0]);
		ck_assert_str_eq(body_of(text), forms[i][1]);
		ck_assert_int_eq(client.request.app_status, 0);
	}
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(takes_the_lines_of_a_file)
{
	char text[256];

	write_file("text", "one\ntwo\nthree");
	snprintf(text, sizeof(text), "return {}, io.lines('%s/text', 'L')",
	    scene.dir);
	ck_assert_str_eq(body_of(text), "one\ntwo\nthree");
}
END_TEST

START_TEST(knows_the_length_where_it_can)
{
	assert_has(response_of("return {}, { 'abc', 42 }"),
	    "\r\nContent-Length: 5\r\n");
	assert_has(response_of("return {}, ''"), "\r\nContent-Length: 0\r\n");
	assert_has(response_of("return {}, function() end"),
	    "\r\nContent-Length: 0\r\n");
	response_of("return {}, coroutine.wrap(function() "
	    "coroutine.yield('a') end)");
	assert_count("Content-Length", 0);
}
END_TEST

START_TEST(refuses_malformed_bodies)
{
	static const char *const cases[][2] = {
		{ "return {}, true", "body is a boolean, expected a string, "
		    "an array of strings or a function" },
		{ "return {}, io.stdout", "body is a userdata" },
		{ "return {}, { 'a', 'b', true }",
		    "body[3] is a boolean, expected a string" },
		{ "return {}, { 'a', nil, 'c' }",
		    "body[2] is nil, expected a string" },
		{ "return {}, { [1] = 'a', [3] = 'c' }",
		    "body[2] is nil, but there is body[3]" },
		{ "return {}, { [0] = 'a' }", "body has the key 0" },
		{ "return {}, { html = 'a' }",
		    "body has the key \"html\", expected an array" },
		{ "return {}, { [print] = 'a' }",
		    "body has a key that is a function" },
		{ "return {}, { 'a', { 'b' } }", "body[2] is a table" },
		{ "return {}, function() return true end", "what the body "
		    "function returned is a boolean, expected a string or "
		    "nil" },
		{ "return {}, function() return { 'a' } end",
		    "what the body function returned is a table" },
		{ "return {}, function() error('early') end", "early" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(cases[i][0], cases[i][1]);
}
END_TEST

/* The first piece has reached the client before the second is asked for:
 * that one reads the body, which leaves its mark between the flushes. */
START_TEST(streams_each_piece_as_it_comes)
{
	load_accept("local n = 0 return {}, function() n = n + 1 "
	    "if n > 1 then env.input:read(1) end "
	    "return n <= 3 and 'x' or nil end");
	ck_assert_str_eq(serve_body(), "xxx");
	ck_assert_str_eq(buf_string(&client.trace), "WWFRWFRWFR");
}
END_TEST

/* More pieces than a Lua stack has slots. */
START_TEST(streams_without_end)
{
	const size_t n = unit_is_slow() ? 10000 : 1100000;
	char text[128];

	snprintf(text, sizeof(text), "local n = 0 return {}, function() "
	    "n = n + 1 return n <= %zu and 'x' or nil end", n);
	ck_assert_uint_eq(strlen(body_of(text)), n);
	ck_assert_int_eq(client.request.app_status, 0);
}
END_TEST

START_TEST(writes_a_large_body_in_place)
{
	const size_t n = 32 << 20;

	load_accept("return {}, ('x'):rep(32 << 20)");
	serve_quietly();
	ck_assert_uint_eq(client.largest, n);
	ck_assert_uint_gt(client.out.len, n);
}
END_TEST

/* ---- no body ------------------------------------------------------------- */

START_TEST(sends_no_body_to_head)
{
	client.request.head_only = true;
	ck_assert_str_eq(response_of("return {}, 'hello'"),
	    "Status: 200 OK\r\n" HTML "Content-Length: 5\r\n\r\n");
	ck_assert_str_eq(response_of("return {}, { 'a', 'b' }"),
	    "Status: 200 OK\r\n" HTML "Content-Length: 2\r\n\r\n");
	ck_assert_str_eq(response_of("return { ['Content-Length'] = 99 }"),
	    "Status: 200 OK\r\n" HTML "Content-Length: 99\r\n\r\n");
	ck_assert_str_eq(response_of("return {}"),
	    "Status: 200 OK\r\n" HTML "\r\n");
	ck_assert_str_eq(response_of("return {}, function() error('x') end"),
	    "Status: 200 OK\r\n" HTML "\r\n");
	ck_assert_int_eq(client.request.app_status, 0);
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(answers_head_with_a_bare_500)
{
	client.request.head_only = true;
	ck_assert_str_eq(response_of("error('x')"),
	    "Status: 500 Internal Server Error\r\n"
	    "Content-Type: text/plain\r\nContent-Length: 22\r\n\r\n");
}
END_TEST

START_TEST(sends_no_body_with_204_and_304)
{
	ck_assert_str_eq(response_of("return { Status = 204 }, 'hello'"),
	    "Status: 204 No Content\r\n\r\n");
	ck_assert_str_eq(response_of("return { Status = 304, ETag = 'x' }, "
	    "function() error('called') end"),
	    "Status: 304 Not Modified\r\nETag: x\r\n\r\n");
	ck_assert_int_eq(client.request.app_status, 0);
	ck_assert_str_eq(logged(), "");
}
END_TEST

/* ---- Content-Length ------------------------------------------------------ */

START_TEST(keeps_a_length_that_is_true)
{
	ck_assert_str_eq(body_of("return { ['Content-Length'] = 5 }, 'hello'"),
	    "hello");
	ck_assert_str_eq(body_of("return { ['Content-Length'] = '2' }, "
	    "coroutine.wrap(function() coroutine.yield('a') "
	    "coroutine.yield('b') end)"), "ab");
	assert_count("Content-Length: 2\r\n", 1);
	ck_assert_int_eq(client.request.app_status, 0);
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(cuts_what_exceeds_the_length)
{
	static const char *const bodies[] = { "'hello'", "{ 'h', 'el', 'lo' }",
		PIECES("he", "llo", "error('called again')") };
	char text[256];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
		    "return { ['Content-Length'] = 3 }, %s", bodies[i]);
		ck_assert_str_eq(body_of(text), "hel");
		ck_assert_int_eq(client.request.app_status, 0);
		assert_logged("the body is longer than its Content-Length 3, "
		    "the rest is cut off");
	}
	ck_assert_ptr_null(strstr(logged(), "called again"));
}
END_TEST

START_TEST(marks_what_falls_short_of_the_length)
{
	static const char *const bodies[] = { "'hello'", "{ 'h', 'el', 'lo' }",
		PIECES("he", "llo", "") };
	char text[256];
	size_t i;

	for (i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
		    "return { ['Content-Length'] = 7 }, %s", bodies[i]);
		ck_assert_str_eq(body_of(text), "hello");
		ck_assert_int_ne(client.request.app_status, 0);
		assert_logged("the body is 2 bytes shorter than its "
		    "Content-Length 7");
	}
	ck_assert_str_eq(body_of("return { ['Content-Length'] = 1 }"), "");
	ck_assert_int_ne(client.request.app_status, 0);
}
END_TEST

/* ---- too late for a 500 -------------------------------------------------- */

START_TEST(cuts_a_stream_at_an_error)
{
	ck_assert_str_eq(body_of("local n = 0 return {}, function() n = n + 1 "
	    "if n == 3 then error('third time') end return 'x' end"), "xx");
	ck_assert_int_eq(client.request.status, 200);
	ck_assert_int_ne(client.request.app_status, 0);
	assert_logged("third time\\nstack traceback:");
}
END_TEST

START_TEST(cuts_a_stream_at_nonsense)
{
	ck_assert_str_eq(body_of("local n = 0 return {}, function() n = n + 1 "
	    "if n == 2 then return false end return 'x' end"), "x");
	ck_assert_int_ne(client.request.app_status, 0);
	assert_logged("what the body function returned is a boolean");
}
END_TEST

START_TEST(stops_when_the_client_left)
{
	client.patience = 100;
	response_of("return {}, function() return ('x'):rep(10) end");
	ck_assert_str_eq(buf_string(&client.trace), "WWFWFWFWFW");
	ck_assert_int_eq(client.request.app_status, 0);
	assert_logged("[request 4711-1] - -: "
	    "the client took no more of the response");
	assert_logged(" info ");
	ck_assert_ptr_null(strstr(logged(), " error "));
}
END_TEST

START_TEST(answers_nobody)
{
	client.patience = 10;
	ck_assert_str_eq(response_of("return {}, { 'a', 'b' }"), "");
	ck_assert_str_eq(buf_string(&client.trace), "W");
	ck_assert_str_eq(response_of("return {}, function() return 'x' end"),
	    "");
	ck_assert_str_eq(buf_string(&client.trace), "W");
	ck_assert_str_eq(response_of("error('x')"), "");
	ck_assert_int_eq(client.request.app_status, 0);
}
END_TEST

static TCase *
body_tests(void)
{
	TCase *t = tcase_create("body");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, takes_every_form_of_body);
	tcase_add_test(t, takes_the_lines_of_a_file);
	tcase_add_test(t, knows_the_length_where_it_can);
	tcase_add_test(t, refuses_malformed_bodies);
	tcase_add_test(t, streams_each_piece_as_it_comes);
	tcase_add_test(t, streams_without_end);
	tcase_add_test(t, writes_a_large_body_in_place);
	tcase_add_test(t, sends_no_body_to_head);
	tcase_add_test(t, answers_head_with_a_bare_500);
	tcase_add_test(t, sends_no_body_with_204_and_304);
	tcase_add_test(t, keeps_a_length_that_is_true);
	tcase_add_test(t, cuts_what_exceeds_the_length);
	tcase_add_test(t, marks_what_falls_short_of_the_length);
	tcase_add_test(t, cuts_a_stream_at_an_error);
	tcase_add_test(t, cuts_a_stream_at_nonsense);
	tcase_add_test(t, stops_when_the_client_left);
	tcase_add_test(t, answers_nobody);
	return t;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("lua_reply");

	suite_add_tcase(s, body_tests());
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

#include "app_unit.h"

START_TEST(sends_what_accept_returns)
{
	ck_assert_str_eq(response_of("return { ['Content-Type'] = 'text/html', "
	    "Status = { 200, 'OK' } }, '<h1>Hello</h1>'"),
	    "Status: 200 OK\r\nContent-Type: text/html\r\n"
	    "Content-Length: 14\r\n\r\n<h1>Hello</h1>");
	ck_assert_int_eq(client.request.status, 200);
	ck_assert_int_eq(client.request.app_status, 0);
	ck_assert(client.request.sent);
	ck_assert_str_eq(buf_string(&client.trace), "WW");
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(sends_a_status_always)
{
	ck_assert_str_eq(response_of("return {}"), "Status: 200 OK\r\n" HTML
	    "Content-Length: 0\r\n\r\n");
	ck_assert_str_eq(response_of("return { Status = 204 }"),
	    "Status: 204 No Content\r\n\r\n");
	ck_assert_str_eq(response_of("return { location = '/x' }"),
	    "Status: 302 Found\r\nlocation: /x\r\nContent-Length: 0\r\n\r\n");
	ck_assert_str_eq(response_of("return { status = 201, "
	    "LOCATION = '/x' }"), "Status: 201 Created\r\nLOCATION: /x\r\n"
	    "Content-Length: 0\r\n\r\n");
}
END_TEST

START_TEST(takes_every_form_of_status)
{
	static const char *const forms[][2] = {
		{ "Status = 404", "404 Not Found" },
		{ "Status = 404.0", "404 Not Found" },
		{ "Status = '404'", "404 Not Found" },
		{ "Status = '404 Nowhere'", "404 Nowhere" },
		{ "Status = { 404 }", "404 Not Found" },
		{ "Status = { 404, '' }", "404 Not Found" },
		{ "Status = { 404, 'Nowhere' }", "404 Nowhere" },
		{ "status = 404", "404 Not Found" },
		{ "STATUS = 404", "404 Not Found" },
	};
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		snprintf(text, sizeof(text), "return { %s }", forms[i][0]);
		response_of(text);
		snprintf(text, sizeof(text), "Status: %s\r\n", forms[i][1]);
		ck_assert_msg(strncmp(client.out.data, text, strlen(text)) ==
		    0, "%s gives %s", forms[i][0], client.out.data);
		ck_assert_int_eq(client.request.status, 404);
	}
}
END_TEST

START_TEST(takes_strings_numbers_and_arrays)
{
	const char *r = response_of("return { ['X-S'] = 'a b', ['X-I'] = 42, "
	    "['X-F'] = 1.5, ['X-E'] = '', ['X-None'] = {}, "
	    "['Set-Cookie'] = { 'a=1', 'b=2', 3 } }");

	assert_has(r, "\r\nX-S: a b\r\n");
	assert_has(r, "\r\nX-I: 42\r\n");
	assert_has(r, "\r\nX-F: 1.5\r\n");
	assert_has(r, "\r\nX-E: \r\n");
	assert_has(r, "\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
	    "Set-Cookie: 3\r\n");
	assert_count("X-None", 0);
}
END_TEST

/* Bytes above 127 are nobody's business, a NUL in the body neither. */
START_TEST(keeps_every_byte)
{
	load_accept("local all = {} for i = 0, 255 do all[#all + 1] = "
	    "string.char(i) end return { ['X-A'] = '\\xe4\\xff' }, "
	    "table.concat(all)");
	assert_has(serve(), "\r\nX-A: \xe4\xff\r\n");
	ck_assert_uint_gt(client.out.len, 256);
	for (int i = 0; i < 256; i++)
		ck_assert_int_eq((unsigned char)client.out
		    .data[client.out.len - 256 + (size_t)i], i);
}
END_TEST

START_TEST(refuses_malformed_headers)
{
	static const char *const cases[][2] = {
		{ "return", "accept returned nil as its first value, "
		    "expected a table of headers" },
		{ "return 5, 'x'", "accept returned a number as its first "
		    "value, expected a table of headers" },
		{ "return '<h1>'", "accept returned a string as its first" },
		{ "return { 'Content-Type: a/b' }", "headers[1] has no name" },
		{ "return { [true] = 'x' }",
		    "headers have a key that is a boolean" },
		{ "return { [1.5] = 'x' }",
		    "headers have a key that is a number" },
		{ "return { ['X-A'] = true }", "header \"X-A\" is a boolean, "
		    "expected a string, a number or an array of strings" },
		{ "return { ['X-A'] = print }",
		    "header \"X-A\" is a function" },
		{ "return { ['X-A'] = { 'a', false } }",
		    "header \"X-A\"[2] is a boolean, expected a string" },
		{ "return { ['X-A'] = { 'a', nil, 'c' } }",
		    "header \"X-A\"[2] is nil" },
		{ "return { ['X-A'] = { a = 'b' } }",
		    "header \"X-A\" has the key \"a\", expected an array" },
		{ "return { ['X-A'] = { { 'b' } } }",
		    "header \"X-A\"[1] is a table" },
		{ "return { ['X-A'] = 'ab\\ncd' }",
		    "header \"X-A\": value has a line feed at byte 3" },
		{ "return { ['X-A'] = 'a\\r' }",
		    "header \"X-A\": value has a carriage return at byte 2" },
		{ "return { ['X-A'] = 'a\\0b' }",
		    "header \"X-A\": value has a NUL at byte 2" },
		{ "return { ['X-A'] = { 'a', 'b\\r\\nX: y' } }",
		    "header \"X-A\": value has a carriage return at byte 2" },
		{ "return { ['X\\nA'] = 'a' }",
		    "header \"X\\nA\": name has a line feed at byte 2" },
		{ "return { ['X A'] = 'a' }",
		    "header \"X A\": name has a blank at byte 2" },
		{ "return { [''] = 'a' }", "a header has an empty name" },
		{ "return { Status = 99 }", "Status is 99, expected 100" },
		{ "return { Status = 1000 }", "Status is 1000, expected" },
		{ "return { Status = 200.5 }",
		    "Status is 200.5, expected an integer" },
		{ "return { Status = 'OK' }", "Status is \"OK\", expected" },
		{ "return { Status = '200 OK\\r\\nX: y' }",
		    "Status: reason has a carriage return at byte 3" },
		{ "return { Status = { 200, 'O\\nK' } }",
		    "Status: reason has a line feed at byte 2" },
		{ "return { Status = true }", "Status is a boolean, expected "
		    "a number, a string or { number, string }" },
		{ "return { Status = {} }",
		    "Status[1] is nil, expected an integer" },
		{ "return { Status = { '200' } }", "Status[1] is a string" },
		{ "return { Status = { 200, {} } }", "Status[2] is a table" },
		{ "return { Status = 200, status = 404 }",
		    "Status is given twice" },
		{ "return { ['Content-Length'] = { 5, 5 } }, 'hello'",
		    "header \"Content-Length\" is given twice" },
		{ "return { ['Content-Length'] = 5, ['content-length'] = 5 }, "
		    "'hello'", "header \"Content-Length\" is given twice" },
		{ "return { ['Content-Length'] = -1 }, 'hello'",
		    "header \"Content-Length\": \"-1\" is no length" },
		{ "return { ['Content-Length'] = 5.0 }, 'hello'",
		    "header \"Content-Length\": \"5.0\" is no length" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(cases[i][0], cases[i][1]);
}
END_TEST

/* Who finds the fault in the log finds the request as well. */
START_TEST(names_the_request_of_a_fault)
{
	set_param("REQUEST_METHOD", "GET");
	set_param("REQUEST_URI", "/x?y=1\n2026 forged");
	assert_fails("return 5", "[request 4711-1] GET /x?y=1\\n2026 forged: "
	    "accept returned a number");
}
END_TEST

static TCase *
head_tests(void)
{
	TCase *t = tcase_create("head");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, sends_what_accept_returns);
	tcase_add_test(t, sends_a_status_always);
	tcase_add_test(t, takes_every_form_of_status);
	tcase_add_test(t, takes_strings_numbers_and_arrays);
	tcase_add_test(t, keeps_every_byte);
	tcase_add_test(t, refuses_malformed_headers);
	tcase_add_test(t, names_the_request_of_a_fault);
	return t;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("lua_head");

	suite_add_tcase(s, head_tests());
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

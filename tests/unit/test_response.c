#include <stdio.h>
#include <string.h>

#include "worker/proto/fcgi/fcgi_head.h"
#include "worker/serve/response.h"

#include "unit.h"

static struct response r;
static struct buf out;
static struct why why;

static void
setup(void)
{
	response_init(&r);
	buf_clear(&out);
	memset(&why, 0, sizeof(why));
}

static void
teardown(void)
{
	response_free(&r);
	buf_free(&out);
}

static int
header(const char *name, const char *value)
{
	return response_header(&r, name, strlen(name), value, strlen(value),
	    &why);
}

static int
status_text(const char *text)
{
	return response_status_text(&r, text, strlen(text), &why);
}

static const char *
head(int64_t body_len)
{
	buf_clear(&out);
	ck_assert_int_eq(fcgi_head_print(&r, body_len, &out), 0);
	return buf_string(&out);
}

/* ---- the head ------------------------------------------------------------ */

START_TEST(is_whole_without_any_header)
{
	ck_assert_str_eq(head(5), "Status: 200 OK\r\n"
	    "Content-Type: text/html; charset=utf-8\r\n"
	    "Content-Length: 5\r\n\r\n");
	ck_assert_str_eq(head(-1), "Status: 200 OK\r\n"
	    "Content-Type: text/html; charset=utf-8\r\n\r\n");
}
END_TEST

START_TEST(keeps_what_was_given)
{
	ck_assert_int_eq(header("content-TYPE", "text/plain"), 0);
	ck_assert_int_eq(header("Set-Cookie", "a=1"), 0);
	ck_assert_int_eq(header("Set-Cookie", "b=2"), 0);
	ck_assert_int_eq(header("Content-Length", "7"), 0);
	ck_assert_str_eq(head(5), "Status: 200 OK\r\n"
	    "content-TYPE: text/plain\r\nSet-Cookie: a=1\r\n"
	    "Set-Cookie: b=2\r\nContent-Length: 7\r\n\r\n");
}
END_TEST

START_TEST(needs_no_type_with_a_location)
{
	ck_assert_int_eq(response_status(&r, 302, NULL, 0, &why), 0);
	ck_assert_int_eq(header("location", "/x"), 0);
	ck_assert_str_eq(head(0), "Status: 302 Found\r\nlocation: /x\r\n"
	    "Content-Length: 0\r\n\r\n");
}
END_TEST

/* In whatever order they are given. */
START_TEST(is_302_with_a_location_alone)
{
	ck_assert_int_eq(header("LOCATION", "/x"), 0);
	ck_assert_str_eq(head(0), "Status: 302 Found\r\nLOCATION: /x\r\n"
	    "Content-Length: 0\r\n\r\n");
	ck_assert_int_eq(header("X-A", "1"), 0);
	ck_assert_int_eq(r.status, 302);
	ck_assert_int_eq(response_status(&r, 200, NULL, 0, &why), 0);
	ck_assert_int_eq(r.status, 200);
	response_init(&r);
	ck_assert_int_eq(response_status(&r, 200, NULL, 0, &why), 0);
	ck_assert_int_eq(header("Location", "/x"), 0);
	ck_assert_int_eq(r.status, 200);
	response_init(&r);
	ck_assert_int_eq(r.status, 200);
}
END_TEST

START_TEST(has_no_type_without_a_body)
{
	static const int without[] = { 100, 204, 304 };

	for (int i = 0; i < 3; i++) {
		response_init(&r);
		ck_assert_int_eq(response_status(&r, without[i], NULL, 0,
		    &why), 0);
		ck_assert_ptr_null(strstr(head(0), "Content-"));
	}
}
END_TEST

/* RFC 9110, 8.6. */
START_TEST(has_no_length_without_a_body)
{
	ck_assert_int_eq(response_status(&r, 204, NULL, 0, &why), 0);
	ck_assert_str_eq(head(0), "Status: 204 No Content\r\n\r\n");
	ck_assert_int_eq(header("Content-Length", "0"), 0);
	ck_assert_int_eq(header("X-A", "1"), 0);
	ck_assert_str_eq(head(0), "Status: 204 No Content\r\nX-A: 1\r\n\r\n");
	ck_assert_int_eq(response_status(&r, 101, NULL, 0, &why), 0);
	ck_assert_str_eq(head(0),
	    "Status: 101 Switching Protocols\r\nX-A: 1\r\n\r\n");
}
END_TEST

/* RFC 9110, 15.3.6. */
START_TEST(has_no_body_with_205)
{
	ck_assert_int_eq(response_status(&r, 205, NULL, 0, &why), 0);
	ck_assert_str_eq(head(5),
	    "Status: 205 Reset Content\r\nContent-Length: 0\r\n\r\n");
	ck_assert_int_eq(header("Content-Length", "5"), 0);
	ck_assert_str_eq(head(5),
	    "Status: 205 Reset Content\r\nContent-Length: 0\r\n\r\n");
}
END_TEST

/* A 304 may say how long the 200 would have been, if anybody knows. */
START_TEST(has_the_given_length_with_304)
{
	ck_assert_int_eq(response_status(&r, 304, NULL, 0, &why), 0);
	ck_assert_int_eq(header("ETag", "\"x\""), 0);
	ck_assert_str_eq(head(0),
	    "Status: 304 Not Modified\r\nETag: \"x\"\r\n\r\n");
	ck_assert_int_eq(header("Content-Length", "99"), 0);
	ck_assert_str_eq(head(0), "Status: 304 Not Modified\r\n"
	    "ETag: \"x\"\r\nContent-Length: 99\r\n\r\n");
}
END_TEST

START_TEST(tells_who_may_have_a_body)
{
	static const int without[] = { 100, 101, 199, 204, 205, 304 };
	static const int with[] = { 200, 201, 203, 206, 303, 305, 404, 500,
		999 };
	size_t i;

	for (i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
		r.status = without[i];
		ck_assert(!response_has_body(&r));
	}
	for (i = 0; i < sizeof(with) / sizeof(with[0]); i++) {
		r.status = with[i];
		ck_assert(response_has_body(&r));
	}
}
END_TEST

START_TEST(starts_afresh)
{
	ck_assert_int_eq(response_status(&r, 404, "Gone fishing", 12, &why), 0);
	ck_assert_int_eq(header("X-A", "1"), 0);
	ck_assert_int_eq(header("Content-Type", "a/b"), 0);
	ck_assert_int_eq(header("Location", "/"), 0);
	ck_assert_int_eq(header("Content-Length", "3"), 0);
	response_init(&r);
	ck_assert_str_eq(head(1), "Status: 200 OK\r\n"
	    "Content-Type: text/html; charset=utf-8\r\n"
	    "Content-Length: 1\r\n\r\n");
}
END_TEST

START_TEST(says_when_memory_ran_out)
{
	ck_assert_ptr_null(buf_reserve(&r.headers, SIZE_MAX));
	ck_assert_int_eq(header("X-A", "1"), -1);
	ck_assert_str_eq(why.text, "out of memory for the headers");
	ck_assert_int_eq(fcgi_head_print(&r, 0, &out), -1);
}
END_TEST

/* ---- status -------------------------------------------------------------- */

START_TEST(knows_the_registered_reasons)
{
	ck_assert_str_eq(response_reason(200), "OK");
	ck_assert_str_eq(response_reason(100), "Continue");
	ck_assert_str_eq(response_reason(413), "Content Too Large");
	ck_assert_str_eq(response_reason(511),
	    "Network Authentication Required");
	ck_assert_str_eq(response_reason(418), "");
	ck_assert_str_eq(response_reason(999), "");
}
END_TEST

START_TEST(takes_a_status_as_number)
{
	ck_assert_int_eq(response_status(&r, 404, NULL, 0, &why), 0);
	ck_assert_mem_eq(head(0), "Status: 404 Not Found\r\n", 23);
	ck_assert_int_eq(response_status(&r, 200, "Fine", 4, &why), 0);
	ck_assert_mem_eq(head(0), "Status: 200 Fine\r\n", 18);
	ck_assert_int_eq(response_status(&r, 299, NULL, 0, &why), 0);
	ck_assert_mem_eq(head(0), "Status: 299\r\n", 13);
	ck_assert_int_eq(response_status(&r, 100, NULL, 0, &why), 0);
	ck_assert_int_eq(response_status(&r, 999, NULL, 0, &why), 0);
	ck_assert_int_eq(r.status, 999);
}
END_TEST

START_TEST(refuses_a_number_that_is_no_status)
{
	static const int64_t bad[] = { 0, -200, 99, 1000, INT64_MAX, INT64_MIN,
		(1LL << 32) + 200 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(response_status(&r, bad[i], NULL, 0, &why),
		    -1);
	response_status(&r, 99, NULL, 0, &why);
	ck_assert_str_eq(why.text, "Status is 99, expected 100 to 999");
	ck_assert_int_eq(r.status, 200);
}
END_TEST

START_TEST(takes_a_status_as_text)
{
	ck_assert_int_eq(status_text("404 Not Found"), 0);
	ck_assert_mem_eq(head(0), "Status: 404 Not Found\r\n", 23);
	ck_assert_int_eq(status_text("404 Nix da \xe4"), 0);
	ck_assert_mem_eq(head(0), "Status: 404 Nix da \xe4\r\n", 22);
	ck_assert_int_eq(status_text("503"), 0);
	ck_assert_mem_eq(head(0), "Status: 503 Service Unavailable\r\n", 33);
	ck_assert_int_eq(status_text("503 "), 0);
	ck_assert_mem_eq(head(0), "Status: 503 Service Unavailable\r\n", 33);
}
END_TEST

START_TEST(refuses_a_text_that_is_no_status)
{
	static const char *const bad[] = { "", "2", "20", "OK", "2000", "200OK",
		" 200", "+200", "-20", "099", "000 x", "20x", "HTTP/1.1 200 OK",
		"200\tOK", "0x1" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(status_text(bad[i]) == -1, "took \"%s\"",
		    bad[i]);
	ck_assert_int_eq(status_text("OK"), -1);
	ck_assert_str_eq(why.text, "Status is \"OK\", expected as in \"404\" "
	    "or \"404 Not Found\"");
}
END_TEST

START_TEST(refuses_a_reason_that_splits)
{
	ck_assert_int_eq(response_status(&r, 200, "a\nb", 3, &why), -1);
	ck_assert_str_eq(why.text, "Status: reason has a line feed at byte 2");
	ck_assert_int_eq(response_status(&r, 200, "a\rb", 3, &why), -1);
	ck_assert_int_eq(response_status(&r, 200, "ab\0", 3, &why), -1);
	ck_assert_str_eq(why.text, "Status: reason has a NUL at byte 3");
	ck_assert_int_eq(status_text("200 OK\r\nX-Evil: 1"), -1);
	ck_assert_str_eq(why.text,
	    "Status: reason has a carriage return at byte 3");
	ck_assert_mem_eq(head(0), "Status: 200 OK\r\n", 16);
}
END_TEST

START_TEST(refuses_a_reason_too_long)
{
	char text[128];

	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(response_status(&r, 200, text, 127, &why), 0);
	ck_assert_int_eq(response_status(&r, 200, text, 128, &why), -1);
	ck_assert_str_eq(why.text,
	    "Status: reason has 128 bytes, at most 127 go");
}
END_TEST

/* ---- headers ------------------------------------------------------------- */

START_TEST(takes_every_byte_of_a_token)
{
	static const char token[] = "!#$%&'*+-.^_`|~09AZaz";
	int byte;

	ck_assert_int_eq(header(token, "1"), 0);
	for (byte = 0; byte < 256; byte++) {
		char name[2] = { 'X', (char)byte };
		bool legal = byte != 0 && (strchr(token, byte) != NULL ||
		    (byte > '0' && byte < '9') || (byte > 'A' && byte < 'Z') ||
		    (byte > 'a' && byte < 'z'));

		ck_assert_msg(response_header(&r, name, 2, "v", 1, &why) ==
		    (legal ? 0 : -1), "byte %d in a name", byte);
	}
}
END_TEST

START_TEST(refuses_a_name_that_is_no_token)
{
	ck_assert_int_eq(header("", "1"), -1);
	ck_assert_str_eq(why.text, "a header has an empty name");
	ck_assert_int_eq(header("X A", "1"), -1);
	ck_assert_str_eq(why.text, "header \"X A\": name has a blank at byte 2");
	ck_assert_int_eq(header("X-A:", "1"), -1);
	ck_assert_str_eq(why.text,
	    "header \"X-A:\": name has the byte 0x3a at byte 4");
	ck_assert_int_eq(header("X\r\nSet-Cookie", "1"), -1);
	ck_assert_str_eq(why.text, "header \"X\r\nSet-Cookie\": name has a "
	    "carriage return at byte 2");
	ck_assert_uint_eq(r.headers.len, 0);
}
END_TEST

START_TEST(refuses_a_value_that_splits)
{
	ck_assert_int_eq(header("X-A", "ab\ncd"), -1);
	ck_assert_str_eq(why.text,
	    "header \"X-A\": value has a line feed at byte 3");
	ck_assert_int_eq(header("X-A", "\r"), -1);
	ck_assert_int_eq(header("X-A", "a\r\n"), -1);
	ck_assert_int_eq(response_header(&r, "X-A", 3, "a\0b", 3, &why), -1);
	ck_assert_str_eq(why.text, "header \"X-A\": value has a NUL at byte 2");
	ck_assert_uint_eq(r.headers.len, 0);
}
END_TEST

START_TEST(takes_every_other_byte_in_a_value)
{
	int byte;

	for (byte = 0; byte < 256; byte++) {
		char value[3] = { 'a', (char)byte, 'b' };
		bool legal = (byte >= 0x20 && byte != 0x7f) || byte == '\t';

		ck_assert_msg(response_header(&r, "X", 1, value, 3, &why) ==
		    (legal ? 0 : -1), "byte %d in a value", byte);
	}
}
END_TEST

START_TEST(trims_values)
{
	ck_assert_int_eq(header("A", ""), 0);
	ck_assert_int_eq(header("B", " \t "), 0);
	ck_assert_int_eq(header("C", " a b\t"), 0);
	ck_assert_int_eq(header("Content-Length", " 12 "), 0);
	ck_assert_ptr_nonnull(strstr(head(0), "\r\nA: \r\nB: \r\nC: a b\r\n"
	    "Content-Length: 12\r\n"));
}
END_TEST

START_TEST(takes_huge_values)
{
	size_t n = 1 << 20;
	char *value = malloc(n);

	memset(value, 'x', n);
	ck_assert_int_eq(response_header(&r, "X", 1, value, n, &why), 0);
	ck_assert_uint_eq(r.headers.len, n + 5);
	value[n - 1] = '\n';
	ck_assert_int_eq(response_header(&r, "X", 1, value, n, &why), -1);
	ck_assert_str_eq(why.text,
	    "header \"X\": value has a line feed at byte 1048576");
	ck_assert_uint_eq(r.headers.len, n + 5);
	free(value);
}
END_TEST

START_TEST(reads_the_length)
{
	ck_assert_int_eq(header("content-length", "0"), 0);
	ck_assert_int_eq(r.length, 0);
	response_init(&r);
	ck_assert_int_eq(header("Content-Length", "9223372036854775000"), 0);
	ck_assert_int_eq(r.length, 9223372036854775000);
	ck_assert_int_eq(header("CONTENT-LENGTH", "9223372036854775000"), -1);
	ck_assert_str_eq(why.text, "header \"Content-Length\" is given twice");
}
END_TEST

START_TEST(refuses_what_is_no_length)
{
	static const char *const bad[] = { "", "-1", "+1", "1.0", "1e3", "0x10",
		"5, 5", "5 5", "x", "99999999999999999999",
		"18446744073709551621" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(header("Content-Length", bad[i]) == -1,
		    "took \"%s\"", bad[i]);
	ck_assert_int_eq(header("Content-Length", "5, 5"), -1);
	ck_assert_str_eq(why.text,
	    "header \"Content-Length\": \"5, 5\" is no length");
}
END_TEST

START_TEST(refuses_twice_what_goes_once)
{
	ck_assert_int_eq(header("Content-Type", "a/b"), 0);
	ck_assert_int_eq(header("content-type", "a/b"), -1);
	ck_assert_str_eq(why.text, "header \"Content-Type\" is given twice");
	ck_assert_int_eq(header("Location", "/"), 0);
	ck_assert_int_eq(header("LOCATION", "/"), -1);
	ck_assert_str_eq(why.text, "header \"Location\" is given twice");
	ck_assert_int_eq(header("sTaTus", "200"), -1);
	ck_assert_str_eq(why.text, "\"Status\" is not a header");
}
END_TEST

static TCase *
head_tests(void)
{
	TCase *t = tcase_create("head");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, is_whole_without_any_header);
	tcase_add_test(t, keeps_what_was_given);
	tcase_add_test(t, needs_no_type_with_a_location);
	tcase_add_test(t, is_302_with_a_location_alone);
	tcase_add_test(t, has_no_type_without_a_body);
	tcase_add_test(t, has_no_length_without_a_body);
	tcase_add_test(t, has_no_body_with_205);
	tcase_add_test(t, has_the_given_length_with_304);
	tcase_add_test(t, tells_who_may_have_a_body);
	tcase_add_test(t, starts_afresh);
	tcase_add_test(t, says_when_memory_ran_out);
	return t;
}

static TCase *
status_tests(void)
{
	TCase *t = tcase_create("status");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, knows_the_registered_reasons);
	tcase_add_test(t, takes_a_status_as_number);
	tcase_add_test(t, refuses_a_number_that_is_no_status);
	tcase_add_test(t, takes_a_status_as_text);
	tcase_add_test(t, refuses_a_text_that_is_no_status);
	tcase_add_test(t, refuses_a_reason_that_splits);
	tcase_add_test(t, refuses_a_reason_too_long);
	return t;
}

static TCase *
header_tests(void)
{
	TCase *t = tcase_create("header");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, takes_every_byte_of_a_token);
	tcase_add_test(t, refuses_a_name_that_is_no_token);
	tcase_add_test(t, refuses_a_value_that_splits);
	tcase_add_test(t, takes_every_other_byte_in_a_value);
	tcase_add_test(t, trims_values);
	tcase_add_test(t, takes_huge_values);
	tcase_add_test(t, reads_the_length);
	tcase_add_test(t, refuses_what_is_no_length);
	tcase_add_test(t, refuses_twice_what_goes_once);
	return t;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("response");

	suite_add_tcase(s, head_tests());
	suite_add_tcase(s, status_tests());
	suite_add_tcase(s, header_tests());
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

#include <string.h>

#include "ctl/fcgi/fcgi_request.h"
#include "net/fcgi_reply.h"
#include "net/fcgi_wire.h"
#include "unit.h"

static struct buf out, body;
static struct fcgi_request q;
static struct why why;

/* The request taken apart again. */
static struct buf params, input, file;
static unsigned flags, role;

static void
empty(void)
{
	memset(&q, 0, sizeof(q));
	memset(&out, 0, sizeof(out));
	memset(&body, 0, sizeof(body));
	memset(&params, 0, sizeof(params));
	memset(&input, 0, sizeof(input));
	memset(&file, 0, sizeof(file));
	q.uri = "/";
	q.role = FCGI_RESPONDER;
}

static void
release(void)
{
	buf_free(&out);
	buf_free(&body);
	buf_free(&params);
	buf_free(&input);
	buf_free(&file);
}

static void
build(void)
{
	const unsigned char *p;
	struct fcgi_record r;
	unsigned ends = 0;

	ck_assert_int_eq(fcgi_request_build(&q, &out, &why), 0);
	p = (const unsigned char *)out.data;
	while (p < (const unsigned char *)out.data + out.len) {
		fcgi_get_header(p, &r);
		p += FCGI_HEADER_LEN;
		ck_assert_uint_eq(r.id, REPLY_ID);
		if (r.type == FCGI_BEGIN_REQUEST) {
			role = (unsigned)p[0] << 8 | p[1];
			flags = p[2];
		}
		if (r.type == FCGI_PARAMS)
			buf_add(&params, p, r.content);
		if (r.type == FCGI_STDIN)
			buf_add(&input, p, r.content);
		if (r.type == FCGI_DATA)
			buf_add(&file, p, r.content);
		ends += r.type != FCGI_BEGIN_REQUEST && r.content == 0;
		p += r.content + r.padding;
	}
	ck_assert_uint_eq(ends, role == FCGI_AUTHORIZER ? 1 :
	    role == FCGI_FILTER ? 3 : 2);
}

/* All values of a parameter, joined by "|"; "(none)" if it was not sent. */
static const char *
param(const char *name)
{
	static struct buf found;
	const unsigned char *p = (const unsigned char *)params.data;
	const unsigned char *end = p + params.len;
	struct fcgi_pair pair;
	int n = 0;

	buf_clear(&found);
	while (p < end && fcgi_get_pair(&p, (size_t)(end - p), &pair)) {
		if (pair.name_len != strlen(name) ||
		    memcmp(pair.name, name, pair.name_len) != 0)
			continue;
		if (n++ > 0)
			buf_putc(&found, '|');
		buf_add(&found, pair.value, pair.value_len);
	}
	if (n == 0)
		buf_puts(&found, "(none)");
	return buf_string(&found);
}

static void
set_body(const char *text)
{
	buf_puts(&body, text);
	q.body = &body;
}

START_TEST(plain_get)
{
	q.uri = "/a/b?x=1&y=2";
	build();
	ck_assert_uint_eq(role, FCGI_RESPONDER);
	ck_assert_uint_eq(flags, 0);
	ck_assert_uint_eq(input.len, 0);
	ck_assert_str_eq(param("REQUEST_METHOD"), "GET");
	ck_assert_str_eq(param("REQUEST_URI"), "/a/b?x=1&y=2");
	ck_assert_str_eq(param("SCRIPT_NAME"), "/a/b");
	ck_assert_str_eq(param("DOCUMENT_URI"), "/a/b");
	ck_assert_str_eq(param("QUERY_STRING"), "x=1&y=2");
	ck_assert_str_eq(param("CONTENT_TYPE"), "");
	ck_assert_str_eq(param("CONTENT_LENGTH"), "");
	ck_assert_str_eq(param("SERVER_PROTOCOL"), "HTTP/1.1");
	ck_assert_str_eq(param("GATEWAY_INTERFACE"), "CGI/1.1");
	ck_assert_str_eq(param("REMOTE_ADDR"), "127.0.0.1");
	ck_assert_str_eq(param("HTTP_HOST"), "localhost");
	ck_assert_str_eq(param("SCRIPT_FILENAME"), "(none)");
}
END_TEST

START_TEST(keep_asks_to_keep)
{
	q.keep = true;
	build();
	ck_assert_uint_eq(flags, FCGI_KEEP_CONN);
}
END_TEST

START_TEST(path_is_decoded_and_the_uri_is_not)
{
	q.uri = "/a%20b%2fc%zz%4";
	build();
	ck_assert_str_eq(param("SCRIPT_NAME"), "/a b/c%zz%4");
	ck_assert_str_eq(param("REQUEST_URI"), "/a%20b%2fc%zz%4");
	ck_assert_str_eq(param("QUERY_STRING"), "");
}
END_TEST

START_TEST(body_implies_post_of_a_form)
{
	set_body("a=1&b=2");
	build();
	ck_assert_str_eq(fcgi_request_method(&q), "POST");
	ck_assert_str_eq(param("REQUEST_METHOD"), "POST");
	ck_assert_str_eq(param("CONTENT_LENGTH"), "7");
	ck_assert_str_eq(param("CONTENT_TYPE"),
	    "application/x-www-form-urlencoded");
	ck_assert_str_eq(buf_string(&input), "a=1&b=2");
}
END_TEST

START_TEST(empty_body_is_a_body)
{
	set_body("");
	build();
	ck_assert_str_eq(param("REQUEST_METHOD"), "POST");
	ck_assert_str_eq(param("CONTENT_LENGTH"), "0");
}
END_TEST

START_TEST(method_and_script_are_as_given)
{
	q.method = "PUT";
	q.script = "/srv/a.php";
	set_body("x");
	build();
	ck_assert_str_eq(param("REQUEST_METHOD"), "PUT");
	ck_assert_str_eq(param("SCRIPT_FILENAME"), "/srv/a.php");
}
END_TEST

START_TEST(headers_become_parameters)
{
	static const char *headers[] = { "X-Some-Thing:  v:w ", "cookie: a=1",
		"Cookie: b=2" };

	q.headers = headers;
	q.nheaders = 3;
	build();
	ck_assert_str_eq(param("HTTP_X_SOME_THING"), "v:w ");
	ck_assert_str_eq(param("HTTP_COOKIE"), "a=1|b=2");
}
END_TEST

START_TEST(header_replaces_the_default)
{
	static const char *headers[] = { "host: example.org", "User-Agent:",
		"Content-type: text/plain" };

	q.headers = headers;
	q.nheaders = 3;
	set_body("x");
	build();
	ck_assert_str_eq(param("HTTP_HOST"), "example.org");
	ck_assert_str_eq(param("HTTP_USER_AGENT"), "(none)");
	ck_assert_str_eq(param("CONTENT_TYPE"), "text/plain");
	ck_assert_str_eq(param("HTTP_ACCEPT"), "*/*");
}
END_TEST

START_TEST(parameter_replaces_the_default)
{
	static const char *given[] = { "CONTENT_LENGTH=-1", "SCRIPT_NAME=",
		"PATH_INFO=/a=b", "HTTP_HOST", "HTTP_HOSTS=x", "A=1", "A=2" };

	q.params = given;
	q.nparams = 7;
	build();
	ck_assert_str_eq(param("CONTENT_LENGTH"), "-1");
	ck_assert_str_eq(param("SCRIPT_NAME"), "");
	ck_assert_str_eq(param("PATH_INFO"), "/a=b");
	ck_assert_str_eq(param("HTTP_HOST"), "(none)");
	ck_assert_str_eq(param("HTTP_HOSTS"), "x");
	ck_assert_str_eq(param("A"), "1|2");
}
END_TEST

START_TEST(malformed_header_is_refused)
{
	static const char *const bad[] = { "no colon", ": no name", "" };
	const char *headers[1];

	headers[0] = bad[_i];
	q.headers = headers;
	q.nheaders = 1;
	ck_assert_int_eq(fcgi_request_build(&q, &out, &why), -1);
	ck_assert(strstr(why.text, "is no header") != NULL);
}
END_TEST

START_TEST(malformed_parameter_is_refused)
{
	static const char *const bad[] = { "=value", "" };
	const char *given[1];

	given[0] = bad[_i];
	q.params = given;
	q.nparams = 1;
	ck_assert_int_eq(fcgi_request_build(&q, &out, &why), -1);
	ck_assert(strstr(why.text, "is no parameter") != NULL);
}
END_TEST

START_TEST(long_body_arrives_whole)
{
	size_t i;

	for (i = 0; i < 300000; i++)
		buf_putc(&body, (int)(i * 13 >> 4));
	q.body = &body;
	build();
	ck_assert_uint_eq(input.len, body.len);
	ck_assert(memcmp(input.data, body.data, body.len) == 0);
	ck_assert_str_eq(param("CONTENT_LENGTH"), "300000");
}
END_TEST

START_TEST(authorizer_has_no_body)
{
	q.role = FCGI_AUTHORIZER;
	build();
	ck_assert_uint_eq(role, FCGI_AUTHORIZER);
	ck_assert_str_eq(param("REQUEST_URI"), "/");
	ck_assert_str_eq(param("CONTENT_LENGTH"), "(none)");
	ck_assert_str_eq(param("SCRIPT_NAME"), "(none)");
}
END_TEST

START_TEST(filter_has_a_file)
{
	struct buf data = { 0 };

	q.role = FCGI_FILTER;
	q.body = &body;
	q.data = &data;
	q.data_time = 1700000000;
	buf_puts(&body, "in");
	buf_puts(&data, "a file");
	build();
	ck_assert_uint_eq(role, FCGI_FILTER);
	ck_assert_uint_eq(input.len, 2);
	ck_assert_uint_eq(file.len, 6);
	ck_assert_mem_eq(file.data, "a file", 6);
	ck_assert_str_eq(param("FCGI_DATA_LENGTH"), "6");
	ck_assert_str_eq(param("FCGI_DATA_LAST_MOD"), "1700000000");
	ck_assert_str_eq(param("CONTENT_LENGTH"), "2");
	buf_free(&data);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fcgi_request");
	TCase *t = tcase_create("request");

	tcase_add_checked_fixture(t, empty, release);
	tcase_add_test(t, plain_get);
	tcase_add_test(t, keep_asks_to_keep);
	tcase_add_test(t, path_is_decoded_and_the_uri_is_not);
	tcase_add_test(t, body_implies_post_of_a_form);
	tcase_add_test(t, empty_body_is_a_body);
	tcase_add_test(t, method_and_script_are_as_given);
	tcase_add_test(t, headers_become_parameters);
	tcase_add_test(t, header_replaces_the_default);
	tcase_add_test(t, parameter_replaces_the_default);
	tcase_add_loop_test(t, malformed_header_is_refused, 0, 3);
	tcase_add_loop_test(t, malformed_parameter_is_refused, 0, 2);
	tcase_add_test(t, long_body_arrives_whole);
	tcase_add_test(t, authorizer_has_no_body);
	tcase_add_test(t, filter_has_a_file);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

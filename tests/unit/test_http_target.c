/* Targets of requests: which path is meant, and what is no target.  What is in
 * the table of paths is what nginx 1.22 makes of them. */

#include "worker/proto/http/http_target.h"

#include <string.h>

#include "unit.h"

static int
parse(const char *method, const char *text, struct http_target *t)
{
	static char target[256], room[257];
	struct http_span span = { target, strlen(text) };

	memcpy(target, text, span.len);
	memset(room, '~', sizeof(room));
	return http_target_parse((struct http_span) { method, strlen(method) },
	    span, room, t);
}

static void
is(struct http_span span, const char *wanted, const char *target)
{
	ck_assert_msg(span.len == strlen(wanted) && memcmp(span.data, wanted,
	    span.len) == 0, "%s: %.*s, not %s", target, (int)span.len,
	    span.data, wanted);
}

static const struct {
	const char *target, *path, *query;
} paths[] = {
	{ "/", "/", "" },
	{ "/a%20b//c/../d?x=%zz", "/a b/d", "x=%zz" },
	{ "/a?b?c", "/a", "b?c" },
	{ "/a?", "/a", "" },
	{ "/?", "/", "" },
	{ "/a?/../b//c", "/a", "/../b//c" },
	{ "/a%2fb", "/a/b", "" },
	{ "/a%2F%2fb", "/a/b", "" },
	{ "/a//b", "/a/b", "" },
	{ "//a", "/a", "" },
	{ "///", "/", "" },
	{ "/a/", "/a/", "" },
	{ "/a//", "/a/", "" },
	{ "/.", "/", "" },
	{ "/./", "/", "" },
	{ "/a/.", "/a/", "" },
	{ "/a/./b", "/a/b", "" },
	{ "/a/..", "/", "" },
	{ "/a/../", "/", "" },
	{ "/a/b/..", "/a/", "" },
	{ "/a/b/../../c", "/c", "" },
	{ "/a/%2e%2e/b", "/b", "" },
	{ "/a/%2E/b", "/a/b", "" },
	{ "/a/.%2e/b", "/b", "" },
	{ "/a/..%2fb", "/b", "" },
	{ "/a%2f..%2fb", "/b", "" },
	{ "/a/..//b", "/b", "" },
	{ "/a//../b", "/b", "" },
	{ "/a/b//..//c", "/a/c", "" },
	{ "/a/.?q", "/a/", "q" },
	{ "/a/..?q", "/", "q" },
	{ "/a/...", "/a/...", "" },
	{ "/a/.b", "/a/.b", "" },
	{ "/a/..b", "/a/..b", "" },
	{ "/a/b../c", "/a/b../c", "" },
	{ "/a/b./c", "/a/b./c", "" },
	{ "/a%23b%3fc", "/a#b?c", "" },
	{ "/%25zz", "/%zz", "" },
	{ "/%252e%252e/", "/%2e%2e/", "" },
	{ "/%c3%a4", "/\303\244", "" },
	{ "/a\\..\\b", "/a\\..\\b", "" },
	{ "/a;b=c/d", "/a;b=c/d", "" },
	{ "/a+b", "/a+b", "" },
	{ "/%7f%01", "/\177\001", "" },
};

START_TEST(paths_as_nginx_has_them)
{
	struct http_target t;

	ck_assert_msg(parse("GET", paths[_i].target, &t) == 0, "%s: %s",
	    paths[_i].target, t.fault);
	is(t.path, paths[_i].path, paths[_i].target);
	is(t.query, paths[_i].query, paths[_i].target);
	is(t.uri, paths[_i].target, paths[_i].target);
	ck_assert_ptr_null(t.authority.data);
}
END_TEST

static const struct {
	const char *method, *target, *authority, *uri, *path, *query;
} absolute[] = {
	{ "GET", "http://a.example:81/b%20c?d", "a.example:81", "/b%20c?d",
	    "/b c", "d" },
	{ "GET", "https://a.example/", "a.example", "/", "/", "" },
	{ "GET", "HTTPS://A.example//x", "A.example", "//x", "/x", "" },
	{ "GET", "http://a.example", "a.example", "/", "/", "" },
	{ "GET", "http://a.example?q=/", "a.example", "/?q=/", "/", "q=/" },
	{ "GET", "http://a.example:?", "a.example:", "/?", "/", "" },
	{ "GET", "http://[2001:db8::1]:80/x", "[2001:db8::1]:80", "/x", "/x",
	    "" },
	{ "OPTIONS", "http://a.example", "a.example", "*", "*", "" },
	{ "OPTIONS", "http://a.example/", "a.example", "/", "/", "" },
	{ "OPTIONS", "http://a.example?q", "a.example", "/?q", "/", "q" },
};

START_TEST(absolute_form)
{
	struct http_target t;

	ck_assert_int_eq(parse(absolute[_i].method, absolute[_i].target, &t),
	    0);
	is(t.authority, absolute[_i].authority, absolute[_i].target);
	is(t.uri, absolute[_i].uri, absolute[_i].target);
	is(t.path, absolute[_i].path, absolute[_i].target);
	is(t.query, absolute[_i].query, absolute[_i].target);
}
END_TEST

START_TEST(asterisk)
{
	struct http_target t;

	ck_assert_int_eq(parse("OPTIONS", "*", &t), 0);
	is(t.uri, "*", "*");
	is(t.path, "*", "*");
	is(t.query, "", "*");
	ck_assert_int_eq(parse("GET", "*", &t), -1);
	ck_assert_str_eq(t.fault, "asterisk as the target, but not OPTIONS");
	ck_assert_int_eq(parse("options", "*", &t), -1);
	ck_assert_int_eq(parse("OPTIONS", "*?", &t), -1);
}
END_TEST

static const struct {
	const char *target, *fault;
} refused[] = {
	{ "/a#b", "fragment in the target" },
	{ "/a?b#c", "fragment in the target" },
	{ "http://a.example/#", "fragment in the target" },
	{ "/%zz", "malformed escape in the path" },
	{ "/%2", "malformed escape in the path" },
	{ "/a%", "malformed escape in the path" },
	{ "/%2?f", "malformed escape in the path" },
	{ "/%-1", "malformed escape in the path" },
	{ "/%00", "NUL in the path" },
	{ "/a%00.png", "NUL in the path" },
	{ "/..", "path that leaves the root" },
	{ "/../a", "path that leaves the root" },
	{ "/%2e%2e/a", "path that leaves the root" },
	{ "/./../a", "path that leaves the root" },
	{ "//..", "path that leaves the root" },
	{ "/a/../../b", "path that leaves the root" },
	{ "/a/../..", "path that leaves the root" },
	{ "http://a.example/..", "path that leaves the root" },
	{ "http://", "malformed authority in the target" },
	{ "http:///a", "malformed authority in the target" },
	{ "http://?a", "malformed authority in the target" },
	{ "http://:80/", "malformed authority in the target" },
	{ "http://user@a.example/", "malformed authority in the target" },
	{ "http://a.example:x/", "malformed authority in the target" },
	{ "http://a.example:80:80/", "malformed authority in the target" },
	{ "http://a.example\\b/", "malformed authority in the target" },
	{ "http://[::1/", "malformed authority in the target" },
	{ "http:/a", "target that is no path and no http URI" },
	{ "http:", "target that is no path and no http URI" },
	{ "ftp://a.example/", "target that is no path and no http URI" },
	{ "a.example:443", "target that is no path and no http URI" },
	{ "a", "target that is no path and no http URI" },
	{ "?a", "target that is no path and no http URI" },
	{ "", "target that is no path and no http URI" },
	{ "**", "target that is no path and no http URI" },
};

START_TEST(refused_targets)
{
	struct http_target t;

	ck_assert_msg(parse("GET", refused[_i].target, &t) == -1, "%s",
	    refused[_i].target);
	ck_assert_str_eq(t.fault, refused[_i].fault);
}
END_TEST

/* What need not be changed is not copied. */
START_TEST(plain_paths_stay_where_they_are)
{
	const char *target = "/a/b.c/d?e//%";
	char room[32];
	struct http_target t;

	ck_assert_int_eq(http_target_parse((struct http_span) { "GET", 3 },
	    (struct http_span) { target, strlen(target) }, room, &t), 0);
	ck_assert_ptr_eq(t.path.data, target);
	ck_assert_uint_eq(t.path.len, 8);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("http_target");
	TCase *c = tcase_create("target");

	tcase_add_loop_test(c, paths_as_nginx_has_them, 0,
	    sizeof(paths) / sizeof(paths[0]));
	tcase_add_loop_test(c, absolute_form, 0,
	    sizeof(absolute) / sizeof(absolute[0]));
	tcase_add_test(c, asterisk);
	tcase_add_loop_test(c, refused_targets, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(c, plain_paths_stay_where_they_are);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

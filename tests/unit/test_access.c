/* Formats of the access log: what each specifier shows, what is refused, and
 * that nothing from a request comes through unescaped. */

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "status/access.h"

struct pair {
	const char *name;
	const char *value;
};

static const struct pair params[] = {
	{ "REQUEST_METHOD", "POST" },
	{ "REQUEST_URI", "/a/b?x=1" },
	{ "QUERY_STRING", "x=1" },
	{ "REMOTE_ADDR", "192.0.2.7" },
	{ "REMOTE_USER", "joe" },
	{ "SCRIPT_FILENAME", "/srv/app.lua" },
	{ "CONTENT_LENGTH", "42" },
	{ "SERVER_PROTOCOL", "HTTP/1.1" },
	{ "HTTP_USER_AGENT", "curl/8" },
	{ "EMPTY", "" },
	{ NULL, NULL },
};

static struct access_text
param(const void *from, const char *name, size_t len)
{
	const struct pair *p = from;

	for (; p->name != NULL; p++)
		if (strlen(p->name) == len && memcmp(p->name, name, len) == 0)
			return (struct access_text){ p->value,
				strlen(p->value) };
	return (struct access_text){ NULL, 0 };
}

static struct access_text
header(const void *from, const char *name, size_t len)
{
	(void)from;
	if (len == 12 && memcmp(name, "Content-Type", len) == 0)
		return (struct access_text){ "text/html", 9 };
	return (struct access_text){ NULL, 0 };
}

/* 2026-11-20 13:24:01.5 UTC it ended, after 2.345678 s */
static struct access_record record;
static struct format format;
static struct buf line;

static void
set_up(void)
{
	setenv("TZ", "UTC-1", 1);
	record = (struct access_record){ .param = param, .header = header,
		.from = params, .pool = "www", .id = "6a-7", .end = "ok",
		.pid = 4711, .parent = 4700, .status = 201, .app_status = 3,
		.ended = 1795181041500000, .duration = 2345678,
		.first = 1234, .cpu = { 300000, 200000, 100000 },
		.memory = 3 * 1024 * 1024 + 512, .bytes_in = 42,
		.bytes_out = 1000, .head = 100 };
}

static void
tear_down(void)
{
	format_free(&format);
	buf_free(&line);
}

static const char *
show(const char *text)
{
	struct why why = { 0, "" };

	format_free(&format);
	ck_assert_msg(format_compile(&format, text, &why) == 0, "%s: %s",
	    text, why.text);
	buf_clear(&line);
	access_line(&format, &record, &line);
	ck_assert_int_eq(line.data[line.len - 1], '\n');
	line.data[line.len - 1] = '\0';
	return line.data;
}

/* ---- every specifier ----------------------------------------------------- */

static const struct {
	const char *format;
	const char *line;
} shown[] = {
	{ "", "" },
	{ "a\tb", "a\tb" },
	{ "100%%", "100%" },
	{ "%C %{total}C %{user}C %{system}C", "12.78 12.78 8.52 4.26" },
	{ "%d %{seconds}d", "2.345 2.345" },
	{ "%{milliseconds}d %{milli}d %{mili}d", "2345.678 2345.678 2345.678" },
	{ "%{microseconds}d %{micro}d %{MICRO}d", "2345678 2345678 2345678" },
	{ "%F %{milli}F %{micro}F", "0.001 1.234 1234" },
	{ "%{HTTP_USER_AGENT}e|%{EMPTY}e|%{NONE}e", "curl/8|-|-" },
	{ "%f", "/srv/app.lua" },
	{ "%l", "42" },
	{ "%m", "POST" },
	{ "%M %{bytes}M", "3146240 3146240" },
	{ "%{kilo}M %{kilobytes}M %{mega}M %{megabytes}M", "3072 3072 3 3" },
	{ "%n", "www" },
	{ "%{Content-Type}o %{Location}o", "text/html -" },
	{ "%p %P", "4711 4700" },
	{ "%r%Q%q", "/a/b?x=1" },
	{ "%R", "192.0.2.7" },
	{ "%s", "201" },
	{ "%t", "20/Nov/2026:14:23:59 +0100" },
	{ "%T", "20/Nov/2026:14:24:01 +0100" },
	{ "%{%Y-%m-%dT%H:%M:%S%z}t", "2026-11-20T14:23:59+0100" },
	{ "%{%s}T", "1795181041" },
	{ "%{}T", "" },
	{ "%u", "joe" },
	{ "%L %X %S", "6a-7 ok 3" },
	{ "%I %O %b", "42 1000 900" },
	{ "default",
	    "192.0.2.7 - joe 20/Nov/2026:14:23:59 +0100 \"POST /a/b\" 201" },
	{ "common", "192.0.2.7 - joe [20/Nov/2026:14:23:59 +0100] "
	    "\"POST /a/b?x=1 HTTP/1.1\" 201 900" },
	{ "combined", "192.0.2.7 - joe [20/Nov/2026:14:23:59 +0100] "
	    "\"POST /a/b?x=1 HTTP/1.1\" 201 900 \"-\" \"curl/8\"" },
	{ "json", "{\"time\":\"2026-11-20T14:23:59+0100\",\"pool\":\"www\","
	    "\"pid\":4711,\"id\":\"6a-7\",\"remote\":\"192.0.2.7\","
	    "\"user\":\"joe\",\"method\":\"POST\",\"uri\":\"/a/b?x=1\","
	    "\"protocol\":\"HTTP/1.1\",\"host\":\"\",\"status\":201,"
	    "\"end\":\"ok\",\"duration\":2345678,\"bytes_in\":42,"
	    "\"bytes_out\":1000,\"referer\":\"\",\"agent\":\"curl/8\"}" },
};

START_TEST(every_specifier)
{
	ck_assert_str_eq(show(shown[_i].format), shown[_i].line);
}
END_TEST

/* As users of php-fpm have it in their files. */
START_TEST(a_format_of_php_fpm)
{
	ck_assert_str_eq(show("%R - %u %t \"%m %r%Q%q\" %s %f %{milli}d "
	    "%{kilo}M %C%%"), "192.0.2.7 - joe 20/Nov/2026:14:23:59 +0100 "
	    "\"POST /a/b?x=1\" 201 /srv/app.lua 2345.678 3072 12.78%");
}
END_TEST

START_TEST(time_goes_on)
{
	show("%T %t");
	record.ended += 1000000;
	buf_clear(&line);
	access_line(&format, &record, &line);
	ck_assert_int_eq(strncmp(line.data, "20/Nov/2026:14:24:02 +0100 "
	    "20/Nov/2026:14:24:00 +0100\n", line.len), 0);
}
END_TEST

START_TEST(nothing_is_known)
{
	static const struct pair none[] = { { NULL, NULL } };

	record.from = none;
	record.id = "";
	record.first = -1;
	record.duration = record.ended = 0;
	ck_assert_str_eq(show("%R %u %m %r %Q%q|%f %l %L %F %C %d"),
	    "- - - - |- 0 - - 0.00 0.000");
	ck_assert_str_eq(show("{\"%R\" \"%r%Q%q\" %F %l}"),
	    "{\"\" \"\" null 0}");
}
END_TEST

START_TEST(paths_and_queries)
{
	static const struct {
		struct pair pairs[3];
		const char *shown;
	} cases[] = {
		{ { { "REQUEST_URI", "/a?b?c" } }, "/a|?|b?c" },
		{ { { "REQUEST_URI", "/a?" } }, "/a||" },
		{ { { "SCRIPT_NAME", "/s" } }, "/s||" },
		{ { { "SCRIPT_NAME", "/s" }, { "QUERY_STRING", "q" } },
		    "/s|?|q" },
		{ { { "REQUEST_URI", "/a?b" }, { "QUERY_STRING", "" } },
		    "/a||" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		record.from = cases[i].pairs;
		ck_assert_str_eq(show("%r|%Q|%q"), cases[i].shown);
	}
}
END_TEST

START_TEST(a_length_that_is_none)
{
	static const char *const bad[] = { "-1", "1e3", "99999999999999999999",
		" 5" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct pair pairs[] = { { "CONTENT_LENGTH", bad[i] },
			{ NULL, NULL } };

		record.from = pairs;
		ck_assert_str_eq(show("%l"), "0");
	}
}
END_TEST

/* ---- escaping ------------------------------------------------------------ */

static const struct {
	const char *value;
	const char *text;
	const char *json;
} hostile[] = {
	{ "a\"b\\c", "a\\x22b\\x5cc", "a\\\"b\\\\c" },
	{ "a\r\nb\t\x1b[0m\x7f", "a\\x0d\\x0ab\\x09\\x1b[0m\\x7f",
	    "a\\r\\nb\\t\\u001b[0m\\u007f" },
	{ "caf\xc3\xa9", "caf\xc3\xa9", "caf\xc3\xa9" },
	{ "\xff\xc3", "\\xff\\xc3", "\\\\xff\\\\xc3" },
	/* a C1 control, a surrogate, an overlong slash, a cut character */
	{ "\xc2\x85", "\\xc2\\x85", "\\\\xc2\\\\x85" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\\\xed\\\\xa0\\\\x80" },
	{ "\xc0\xaf", "\\xc0\\xaf", "\\\\xc0\\\\xaf" },
	{ "\xe2\x82", "\\xe2\\x82", "\\\\xe2\\\\x82" },
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
};

START_TEST(values_are_escaped)
{
	const char *value = hostile[_i].value;
	const struct pair pairs[] = { { "X", value },
		{ "REQUEST_URI", value }, { NULL, NULL } };
	char expected[200];

	record.from = pairs;
	record.pool = record.id = record.end = value;
	snprintf(expected, sizeof(expected), "%s|%s|%s|%s|%s", hostile[_i].text,
	    hostile[_i].text, hostile[_i].text, hostile[_i].text,
	    hostile[_i].text);
	ck_assert_str_eq(show("%{X}e|%r|%n|%L|%X"), expected);
	snprintf(expected, sizeof(expected), "{\"%s\",\"%s\"}",
	    hostile[_i].json, hostile[_i].json);
	ck_assert_str_eq(show("{\"%{X}e\",\"%r\"}"), expected);
}
END_TEST

static struct access_text
with_nul(const void *from, const char *name, size_t len)
{
	(void)from;
	(void)name;
	(void)len;
	return (struct access_text){ "a\0b", 3 };
}

START_TEST(nul_hides_nothing)
{
	record.param = record.header = with_nul;
	ck_assert_str_eq(show("%u %{X}o"), "a\\x00b a\\x00b");
	ck_assert_str_eq(show("{%u"), "{a\\u0000b");
}
END_TEST

START_TEST(a_long_value_is_whole)
{
	enum { LONG = 300000 };
	static char value[LONG + 1];
	const struct pair pairs[] = { { "REQUEST_URI", value },
		{ NULL, NULL } };

	memset(value, 'x', LONG);
	value[LONG / 2] = '\n';
	record.from = pairs;
	ck_assert_uint_eq(strlen(show("<%r>")), LONG + 2 + 3);
}
END_TEST

/* ---- faults -------------------------------------------------------------- */

static const struct {
	const char *format;
	const char *fault;
} faults[] = {
	{ "%", "no specifier at byte 1: \"%\"" },
	{ "ab%y", "no specifier at byte 3: \"%y\"" },
	{ "%m %{", "a brace that is not closed at byte 4: \"%{\"" },
	{ "%{x", "a brace that is not closed at byte 1: \"%{x\"" },
	{ "%{x}", "no specifier at byte 1: \"%{x}\"" },
	{ "%{GET}m", "no braces belong to this specifier at byte 1: "
	    "\"%{GET}m\"" },
	{ "%e", "a name in braces is missing at byte 1: \"%e\"" },
	{ "%{}o", "a name in braces is missing at byte 1: \"%{}o\"" },
	{ "%{hours}d", "no unit of this specifier at byte 1: \"%{hours}d\"" },
	{ "%{}d", "no unit of this specifier at byte 1: \"%{}d\"" },
	{ "%{tera}M", "no unit of this specifier at byte 1: \"%{tera}M\"" },
	{ "%{idle}C", "no unit of this specifier at byte 1: \"%{idle}C\"" },
	{ "a\nb", "a control character at byte 2: \"\nb\"" },
	{ "%{%H\n}t", "a control character at byte 1: \"%{%H\n}t\"" },
	{ "%{0123456789012345678901234567890123456789012345678901234567890123"
	  "4567}t", "a format of the time that is too long at byte 1: "
	    "\"%{0123456789012345678901\"" },
};

START_TEST(bad_formats)
{
	struct why why;

	ck_assert_int_eq(format_compile(&format, faults[_i].format, &why), -1);
	ck_assert_str_eq(why.text, faults[_i].fault);
}
END_TEST

START_TEST(what_costs_is_known)
{
	show("%d %m");
	ck_assert(!format.cpu && !format.first && !format.json);
	show("%{user}C");
	ck_assert(format.cpu && !format.first);
	show("{%F");
	ck_assert(!format.cpu && format.first && format.json);
}
END_TEST

/* ---- suppressing --------------------------------------------------------- */

static bool
suppressed(const char *method, const char *uri, const char *length, int status)
{
	static char *item[] = { (char *)(uintptr_t)"/ping",
		(char *)(uintptr_t)"/status" };
	static const struct conf_list paths = { item, 2 };
	const struct pair pairs[] = { { "REQUEST_METHOD", method },
		{ "REQUEST_URI", uri }, { "CONTENT_LENGTH", length },
		{ NULL, NULL } };

	record.from = pairs;
	record.status = status;
	return access_suppressed(&paths, &record);
}

START_TEST(suppressed_is_what_is_well)
{
	const struct conf_list none = { NULL, 0 };

	record.bytes_in = 0;
	ck_assert(suppressed("GET", "/ping", "", 200));
	ck_assert(suppressed("HEAD", "/status", "0", 204));
	ck_assert(suppressed("GET", "/ping?", "", 200));
	ck_assert(!suppressed("GET", "/ping/", "", 200));
	ck_assert(!suppressed("GET", "/pin", "", 200));
	ck_assert(!suppressed("GET", "/ping?x", "", 200));
	ck_assert(!suppressed("POST", "/ping", "", 200));
	ck_assert(!suppressed("GET", "/ping", "5", 200));
	ck_assert(!suppressed("GET", "/ping", "", 404));
	ck_assert(!suppressed("GET", "/ping", "", 0));
	record.bytes_in = 1;
	ck_assert(!suppressed("GET", "/ping", "", 200));
	record.bytes_in = 0;
	record.status = 200;
	ck_assert(!access_suppressed(&none, &record));
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int
main(void)
{
	Suite *suite = suite_create("access");
	TCase *tc = tcase_create("access");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, every_specifier, 0, COUNT(shown));
	tcase_add_test(tc, a_format_of_php_fpm);
	tcase_add_test(tc, time_goes_on);
	tcase_add_test(tc, nothing_is_known);
	tcase_add_test(tc, paths_and_queries);
	tcase_add_test(tc, a_length_that_is_none);
	tcase_add_loop_test(tc, values_are_escaped, 0, COUNT(hostile));
	tcase_add_test(tc, nul_hides_nothing);
	tcase_add_test(tc, a_long_value_is_whole);
	tcase_add_loop_test(tc, bad_formats, 0, COUNT(faults));
	tcase_add_test(tc, what_costs_is_known);
	tcase_add_test(tc, suppressed_is_what_is_well);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}

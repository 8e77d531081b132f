#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "share/status.h"

#include "unit.h"

/* The writers of the status: what is escaped, and how. */

static struct score *score;
static struct buf out;
static struct conf_workers workers = { .max = 2 };

static void
setup(void)
{
	ck_assert_ptr_nonnull(score = score_new(2, NULL));
	score_born(score, 0, 4711);
	score_idle(score, 0);
}

static void
teardown(void)
{
	score_free(score);
	buf_free(&out);
}

static void
busy(const char *uri, size_t len)
{
	struct score_request request = { .begun = clock_us(), .length = 12,
		.text[TEXT_METHOD] = { "GET", 3 }, .text[TEXT_URI] =
		{ uri, len } };

	score_busy(score, 0, &request);
}

static const char *
written(const char *query)
{
	char name[] = "www";
	const struct conf_pool pool = { .name = name, .workers = workers,
		.backlog = 511 };
	struct status_query asked;
	struct status status;

	buf_clear(&out);
	status_collect(&status, &pool, score, NULL, 0);
	ck_assert_int_eq(status_query(query, strlen(query), &asked), 0);
	ck_assert_int_eq(status_write(&status, &asked, &out), 0);
	ck_assert_ptr_nonnull(buf_string(&out));
	return out.data;
}

static void
check_has(const char *query, const char *text)
{
	ck_assert_msg(strstr(written(query), text) != NULL, "%s: no %s in %s",
	    query, text, out.data);
}

START_TEST(queries)
{
	static const struct {
		const char *text;
		int result, format, full;
	} cases[] = { { "", 0, STATUS_TEXT, 0 }, { "json", 0, STATUS_JSON, 0 },
		{ "full&json", 0, STATUS_JSON, 1 },
		{ "json&full", 0, STATUS_JSON, 1 },
		{ "xml&xml&full&full", 0, STATUS_XML, 1 },
		{ "&&html&", 0, STATUS_HTML, 0 },
		{ "openmetrics=", 0, STATUS_OPENMETRICS, 0 },
		{ "full=1&text", 0, STATUS_TEXT, 1 },
		{ "_=1&json", 0, STATUS_JSON, 0 },
		{ "json&xml", -1, 0, 0 }, { "jso", -1, 0, 0 },
		{ "json ", -1, 0, 0 }, { "JSON", -1, 0, 0 },
		{ "jsonp", -1, 0, 0 } };
	struct status_query query;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(status_query(cases[i].text,
		    strlen(cases[i].text), &query), cases[i].result);
		if (cases[i].result == -1)
			continue;
		ck_assert_int_eq((int)query.format, cases[i].format);
		ck_assert_int_eq(query.full, cases[i].full);
	}
	ck_assert_int_eq(status_query("json\0x", 6, &query), -1);
}
END_TEST

static const char hostile[] = "/<b>&\"'\\\n\r\t\x01\x7f\xff\xc3\xa4\0]]>"
    "\xef\xbf\xbe\xef\xbf\xbf\xed\xa0\x80";

START_TEST(json_escapes)
{
	busy(hostile, sizeof(hostile) - 1);
	check_has("json&full", "\"request uri\":\"/\\u003cb>&\\\"'\\\\\\\\n"
	    "\\\\r\\\\t\\\\x01\\\\x7f\\\\xff\xc3\xa4?]]>\xef\xbf\xbe"
	    "\xef\xbf\xbf\\\\xed\\\\xa0\\\\x80\"");
}
END_TEST

START_TEST(xml_escapes)
{
	busy(hostile, sizeof(hostile) - 1);
	check_has("xml&full", "<request-uri>/&lt;b&gt;&amp;&quot;&apos;\\\\n"
	    "\\r\\t\\x01\\x7f\\xff\xc3\xa4?]]&gt;\\xef\\xbf\\xbe\\xef\\xbf"
	    "\\xbf\\xed\\xa0\\x80</request-uri>");
}
END_TEST

START_TEST(text_has_no_forged_line)
{
	busy("/\nstate: Dead", 13);
	check_has("full", "request URI:          /\\nstate: Dead\n");
	ck_assert_ptr_null(strstr(out.data, "\nstate: Dead"));
}
END_TEST

START_TEST(every_length_is_cut)
{
	char uri[2000], want[600];

	memset(uri, 'x', sizeof(uri));
	for (size_t n = 0; n < sizeof(uri); n += 7) {
		busy(uri, n);
		snprintf(want, sizeof(want), "\"request uri\":\"%.*s\"",
		    (int)(n < 511 ? n : 511), uri);
		check_has("json&full", want);
	}
}
END_TEST

START_TEST(pools_share_families)
{
	char names[][4] = { "one", "two" };
	struct conf_pool pools[2] = { { .name = names[0] },
		{ .name = names[1] } };
	struct status status[2];

	for (int i = 0; i < 2; i++)
		status_collect(&status[i], &pools[i], score, NULL, 0);
	status_metrics(status, 2, &out);
	ck_assert_ptr_nonnull(buf_string(&out));
	ck_assert_ptr_nonnull(strstr(out.data, "# TYPE lua_fpm_workers gauge\n"
	    "# HELP lua_fpm_workers Workers by state.\n"
	    "lua_fpm_workers{pool=\"one\",state=\"starting\"} 0\n"
	    "lua_fpm_workers{pool=\"one\",state=\"idle\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(out.data,
	    "lua_fpm_workers{pool=\"two\",state=\"idle\"} 1\n"));
	ck_assert_str_eq(out.data + out.len - 6, "# EOF\n");
}
END_TEST

/* A writer that was killed half way leaves an odd sequence counter: its state
 * and pid are shown, nothing waits. */
START_TEST(a_torn_slot_is_shown_as_far_as_it_goes)
{
	struct score_slot seen;
	unsigned char *board;
	unsigned at = 0, found = 0;
	off_t size = lseek(score_fd(score), 0, SEEK_END);

	busy("/torn", 5);
	board = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    score_fd(score), 0);
	ck_assert_ptr_ne(board, MAP_FAILED);
	/* The slot begins 8 bytes before its pid. */
	for (unsigned char *p = board; p < board + size; p += 128)
		if (memcmp(p + 8, "\x67\x12\0\0", 4) == 0) {
			p[0] |= 1;
			found++;
		}
	ck_assert_uint_eq(found, 1);
	ck_assert(!score_read(score, 0, &seen));
	ck_assert(score_next(score, &at, &seen));
	ck_assert_int_eq(seen.pid, 4711);
	ck_assert_int_eq(seen.state, SCORE_BUSY);
	ck_assert_str_eq(seen.uri, "");
	check_has("json&full", "\"pid\":4711,\"state\":\"Running\"");
	ck_assert_ptr_null(strstr(out.data, "torn"));
	score_dead(score, 0); /* the master mends it */
	score_born(score, 0, 4712);
	check_has("json&full", "\"pid\":4712,\"state\":\"Starting\"");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("status");
	TCase *t = tcase_create("status");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, queries);
	tcase_add_test(t, json_escapes);
	tcase_add_test(t, xml_escapes);
	tcase_add_test(t, text_has_no_forged_line);
	tcase_add_test(t, every_length_is_cut);
	tcase_add_test(t, pools_share_families);
	tcase_add_test(t, a_torn_slot_is_shown_as_far_as_it_goes);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

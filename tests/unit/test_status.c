#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sealed.h"
#include "ipc/score_page.h"
#include "status/status_format.h"

#include "board_unit.h"

/* The writers of the status: what is escaped, and how. */

static struct board *board;
static struct score *score;
static struct buf out;
static struct conf_workers workers = { .max = 2 };

static void
setup(void)
{
	board = board_unit_new(2, NULL);
	score = board_unit_born(board, 0, 4711);
	score_idle(score);
}

static void
teardown(void)
{
	board_free(board);
	buf_free(&out);
}

static void
busy(const char *uri, size_t len)
{
	struct score_request request = { .begun = clock_us(), .length = 12,
		.text[TEXT_METHOD] = { "GET", 3 }, .text[TEXT_URI] =
		{ uri, len } };

	score_busy(score, &request);
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
	ck_assert_int_eq(status_collect(&status, &pool, board, NULL, 0), 0);
	ck_assert_int_eq(status_query(query, strlen(query), &asked), 0);
	ck_assert_int_eq(status_write(&status, &asked, &out), 0);
	status_free(&status);
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
		status_collect(&status[i], &pools[i], board, NULL, 0);
	status_metrics(status, 2, &out);
	for (int i = 0; i < 2; i++)
		status_free(&status[i]);
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
	struct score_memory *memory = (void *)((char *)score_stash(score) -
	    offsetof(struct score_memory, stash));
	struct score_slot seen;
	unsigned at = 0;

	busy("/torn", 5);
	SET(memory->page.seq, GET(memory->page.seq) | 1);
	ck_assert(!board_read(board, 0, &seen));
	ck_assert(board_next(board, &at, &seen));
	ck_assert_int_eq(seen.pid, 4711);
	ck_assert_int_eq(seen.state, SCORE_BUSY);
	ck_assert_str_eq(seen.uri, "");
	check_has("json&full", "\"pid\":4711,\"state\":\"Running\"");
	ck_assert_ptr_null(strstr(out.data, "torn"));
	board_dead(board, 0);
	score = board_unit_born(board, 0, 4712);
	check_has("json&full", "\"pid\":4712,\"state\":\"Starting\"");
}
END_TEST

static void
add_timers(struct status *status)
{
	static const struct status_timer timers[] = {
		{ .name = "a", .when = "every 1m", .result = "failed",
		    .why = "<\"\n", .running = true, .pid = 5, .last = 1500,
		    .took = 61, .next = 70, .runs = 3, .failures = 1,
		    .missed = 2 },
		{ .name = "b", .when = "at 03:30", .result = "none" } };

	status->timers = malloc(sizeof(timers));
	ck_assert_ptr_nonnull(status->timers);
	memcpy(status->timers, timers, sizeof(timers));
	status->ntimers = 2;
}

START_TEST(timers_are_in_every_format)
{
	char name[] = "www";
	const struct conf_pool pool = { .name = name, .workers = workers };
	struct status status;

	ck_assert_int_eq(status_collect(&status, &pool, board, NULL, 0), 0);
	status_metrics(&status, 1, &out);
	ck_assert_ptr_null(strstr(buf_string(&out), "timer"));
	add_timers(&status);
	buf_clear(&out);
	status_json(&status, false, &out);
	ck_assert_ptr_nonnull(strstr(buf_string(&out), "\"timers\":[{\"name\":"
	    "\"a\",\"schedule\":\"every 1m\",\"state\":\"Running\",\"pid\":5,"
	    "\"last run\":1,\"result\":\"failed\",\"reason\":"
	    "\"\\u003c\\\"\\\\n\",\"duration\":0.061,\"next run\":70,"
	    "\"runs\":3,\"failures\":1,\"missed\":2},{\"name\":\"b\""));
	buf_clear(&out);
	status_metrics(&status, 1, &out);
	ck_assert_ptr_nonnull(strstr(buf_string(&out),
	    "lua_fpm_timer_runs_total{pool=\"www\",timer=\"a\"} 3\n"
	    "lua_fpm_timer_runs_total{pool=\"www\",timer=\"b\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "lua_fpm_timer_last_run_seconds"
	    "{pool=\"www\",timer=\"a\"} 1.500\n"));
	ck_assert_ptr_nonnull(strstr(out.data, "lua_fpm_timer_success"
	    "{pool=\"www\",timer=\"a\"} 0\n"));
	status_free(&status);
}
END_TEST

/* A worker that asks gets all of it; from another build nothing. */
START_TEST(it_travels_to_a_worker)
{
	char name[] = "www";
	const struct conf_pool pool = { .name = name, .workers = workers };
	struct status sent, got;
	struct buf there = { 0 };
	int memory;

	busy("/x", 2);
	ck_assert_int_eq(status_collect(&sent, &pool, board, NULL, 0), 0);
	add_timers(&sent);
	status_json(&sent, true, &out);
	memory = status_send(&sent);
	ck_assert_int_ne(memory, -1);
	ck_assert_int_eq(status_receive(&got, dup(memory), &pool), 0);
	status_json(&got, true, &there);
	ck_assert_uint_eq(there.len, out.len);
	ck_assert_mem_eq(there.data, out.data, out.len);
	status_free(&got);
	ck_assert_int_eq(pwrite(memory, "x", 1, 0), -1);
	close(memory);
	status_free(&sent);
	buf_free(&there);
}
END_TEST

static void
check_refused(int memory)
{
	struct status got;

	ck_assert_int_eq(status_receive(&got, memory, NULL), -1);
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_ptr_null(got.workers);
	ck_assert_uint_eq(got.nworkers, 0);
}

static int
sealed(const char *data, size_t n)
{
	struct buf text = { 0 };
	int fd;

	buf_add(&text, data, n);
	fd = sealed_make("test", &text);
	buf_free(&text);
	ck_assert_int_ne(fd, -1);
	return fd;
}

/* A worker shows nothing of what is cut off, too long, of another build or
 * writable, and learns no address of the master's. */
START_TEST(what_is_no_status_is_refused)
{
	char name[] = "www";
	const struct conf_pool pool = { .name = name, .workers = workers };
	struct buf good = { 0 };
	struct status sent;
	int fd;

	busy("/x", 2);
	ck_assert_int_eq(status_collect(&sent, &pool, board, NULL, 0), 0);
	fd = status_send(&sent);
	ck_assert_int_eq(sealed_read(fd, &good), 0);
	close(fd);
	for (size_t n = 1; n < good.len; n += 1 + n / 10)
		check_refused(sealed(good.data, n));
	buf_putc(&good, 'x');
	check_refused(sealed(good.data, good.len));
	fd = memfd_create("test", 0);
	ck_assert_int_eq(fd_write_all(fd, good.data, good.len - 1), 0);
	check_refused(fd);
	for (size_t i = 0; i + sizeof(void *) <= good.len; i++)
		ck_assert(memcmp(good.data + i, &sent.pool,
		    sizeof(void *)) != 0 && memcmp(good.data + i,
		    &sent.workers, sizeof(void *)) != 0);
	good.data[0] ^= 1;
	check_refused(sealed(good.data, good.len - 1));
	check_refused(-1);
	check_refused(open("/dev/zero", O_RDONLY));
	status_free(&sent);
	buf_free(&good);
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
	tcase_add_test(t, timers_are_in_every_format);
	tcase_add_test(t, it_travels_to_a_worker);
	tcase_add_test(t, what_is_no_status_is_refused);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

/* What lua-fpmctl shows: texts, tables, and a status from its JSON. */

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "ctl/fpm/fpm_status.h"
#include "ctl/fpm/fpm_table.h"
#include "ctl/fpm/fpm_text.h"
#include "ctl/fpm/fpm_view.h"

START_TEST(durations_fit_a_column)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = { { -1, "0us" }, { 0, "0us" }, { 999, "999us" },
		{ 1000, "1ms" }, { 999999, "999ms" }, { 1000000, "1.0s" },
		{ 9990000, "9.9s" }, { 10000000, "10s" }, { 59999999, "59s" },
		{ 60000000, "1m00" }, { 3599000000, "59m59" },
		{ 3600000000, "1h00m" }, { 86399000000, "23h59m" },
		{ 86400000000, "1d0h" }, { INT64_MAX, "106751991d4h" } };
	char out[FPM_TEXT];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_str_eq(fpm_duration(rows[i].us, out), rows[i].text);
}
END_TEST

START_TEST(sizes_and_counts_have_units)
{
	char out[FPM_TEXT];

	ck_assert_str_eq(fpm_size(-5, out), "0");
	ck_assert_str_eq(fpm_size(1023, out), "1023");
	ck_assert_str_eq(fpm_size(1024, out), "1.0K");
	ck_assert_str_eq(fpm_size(12 * 1024, out), "12K");
	ck_assert_str_eq(fpm_size(3565158, out), "3.4M");
	ck_assert_str_eq(fpm_size(INT64_MAX, out), "8.0E");
	ck_assert_str_eq(fpm_count(999999, out), "999999");
	ck_assert_str_eq(fpm_count(1000000, out), "1.0M");
	ck_assert_str_eq(fpm_count(35400000, out), "35M");
	ck_assert_str_eq(fpm_rate(0, out), "0");
	ck_assert_str_eq(fpm_rate(0.26, out), "0.3");
	ck_assert_str_eq(fpm_rate(1234.4, out), "1234");
}
END_TEST

START_TEST(no_byte_speaks_to_the_terminal)
{
	char text[256], out[257], small[4];

	for (int i = 0; i < 256; i++)
		text[i] = (char)i;
	fpm_visible(text, 256, out, sizeof(out));
	ck_assert_uint_eq(strlen(out), 256);
	for (int i = 0; i < 256; i++)
		ck_assert_int_eq(out[i], i >= ' ' && i <= '~' ? i : '?');
	ck_assert_str_eq(fpm_visible("abcdef", 6, small, sizeof(small)), "abc");
	ck_assert_str_eq(fpm_visible(NULL, 0, small, sizeof(small)), "");
}
END_TEST

/* ---- tables -------------------------------------------------------------- */

static const char *const titles[] = { "~NAME", "-N", "LAST", NULL };

static void
fill(struct table *table, const char *name, const char *n, const char *last)
{
	char (*cell)[TABLE_CELL] = table_row(table);

	ck_assert_ptr_nonnull(cell);
	strcpy(cell[0], name);
	strcpy(cell[1], n);
	strcpy(cell[2], last);
}

START_TEST(columns_are_as_wide_as_they_must)
{
	struct table table;
	char line[101];

	table_begin(&table, titles);
	ck_assert_str_eq(table_line(&table, -1, 100, line), "NAME  N  LAST");
	fill(&table, "first", "1", "x");
	fill(&table, "b", "1234", "");
	ck_assert_str_eq(table_line(&table, -1, 100, line),
	    "NAME      N  LAST");
	ck_assert_str_eq(table_line(&table, 0, 100, line),
	    "first     1  x");
	ck_assert_str_eq(table_line(&table, 1, 100, line), "b      1234");
	table_free(&table);
}
END_TEST

START_TEST(one_column_is_cut)
{
	struct table table;
	char line[101];

	table_begin(&table, titles);
	fill(&table, "a-long-name", "12", "last");
	ck_assert_str_eq(table_line(&table, 0, 19, line),
	    "a-long-na  12  last");
	table_free(&table);
}
END_TEST

START_TEST(no_line_is_longer_than_asked_for)
{
	struct table table;
	char line[101];

	table_begin(&table, titles);
	fill(&table, "a-long-name", "12345", "a-long-end");
	for (size_t width = 1; width <= 100; width++)
		for (long row = -1; row < 1; row++)
			ck_assert_uint_le(strlen(table_line(&table, row,
			    width, line)), width);
	table_free(&table);
}
END_TEST

START_TEST(many_rows_are_no_matter)
{
	struct table table;
	char name[32], line[101];

	table_begin(&table, titles);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		fill(&table, name, "1", "x");
	}
	ck_assert_str_eq(table_line(&table, 999, 100, line), "n999  1  x");
	table_free(&table);
}
END_TEST

/* ---- the status ---------------------------------------------------------- */

static const char good[] = "{\"version\":\"1\",\"pid\":7,\"state\":"
    "\"running\",\"pools\":[{\"pool\":\"www\",\"state\":\"serving\","
    "\"start since\":10,\"requests\":100,\"active processes\":1,"
    "\"total processes\":3,\"backoff\":{\"state\":\"waiting\"},"
    "\"processes\":["
    "{\"pid\":1,\"state\":\"Idle\",\"requests\":5,\"request duration\":9000,"
    "\"lua heap\":3,\"resident memory\":1},"
    "{\"pid\":2,\"state\":\"Running\",\"requests\":1,"
    "\"request duration\":10,\"request method\":\"GET\","
    "\"request uri\":\"/\\u001b[0m\\u0000\\u00e9\",\"lua heap\":1},"
    "{\"pid\":3,\"state\":\"Idle\",\"requests\":9,\"request duration\":8000,"
    "\"lua heap\":2,\"resident memory\":9}],"
    "\"timers\":[{\"name\":\"a\",\"schedule\":\"every 1m\",\"state\":"
    "\"Waiting\",\"last run\":940,\"result\":\"failed\",\"duration\":0.25,"
    "\"next run\":1030,\"runs\":7,\"failures\":2,\"missed\":1},"
    "{\"name\":\"b\",\"schedule\":\"at 03:30\"}]},"
    "{\"pool\":\"b\",\"state\":\"drained\",\"processes\":[]}]}";

static void
read_good(struct fpm_status *status)
{
	struct why why;

	ck_assert_int_eq(fpm_status_read(good, strlen(good), status, &why), 0);
}

START_TEST(a_status_is_read)
{
	struct fpm_status status;

	read_good(&status);
	ck_assert_str_eq(status.state, "running");
	ck_assert_int_eq(status.pid, 7);
	ck_assert_uint_eq(status.npools, 2);
	ck_assert_uint_eq(status.nworkers, 3);
	ck_assert_int_eq(status.pools[0].requests, 100);
	ck_assert_str_eq(status.pools[1].state, "drained");
	ck_assert_str_eq(status.workers[1].uri, "/?[0m???");
	ck_assert_str_eq(status.workers[1].pool, "www");
	fpm_status_free(&status);
}
END_TEST

START_TEST(what_is_no_status_is_refused)
{
	static const char *const bad[] = { "", "x", "[", "{\"pools\":[}" };
	static const char *const odd[] = { "[]", "{}", "{\"pools\":1}",
		"{\"pools\":[1,null,{\"pool\":5,\"processes\":[7]}]}" };
	struct fpm_status status;
	struct table table;
	struct why why;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(fpm_status_read(bad[i], strlen(bad[i]),
		    &status, &why), -1);
		ck_assert_ptr_nonnull(strstr(why.text, "no JSON"));
		fpm_status_free(&status);
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		ck_assert_int_eq(fpm_status_read(odd[i], strlen(odd[i]),
		    &status, &why), 0);
		view_workers(&status, NULL, BY_TIME, &table);
		table_free(&table);
		fpm_status_free(&status);
	}
}
END_TEST

static void
assert_order(enum view_order order, const char *pids)
{
	struct fpm_status status;
	char found[16] = "";

	read_good(&status);
	for (size_t i = 0; i < 3; i++) {
		struct table table;

		view_workers(&status, "www", order, &table);
		ck_assert_uint_eq(table.rows, 3);
		strcat(found, table.cells[i * table.columns + 1]);
		table_free(&table);
	}
	ck_assert_str_eq(found, pids);
	fpm_status_free(&status);
}

START_TEST(workers_are_sorted)
{
	assert_order(BY_TIME, "213"); /* who is busy comes first */
	assert_order(BY_REQUESTS, "312");
	assert_order(BY_HEAP, "132");
	assert_order(BY_RSS, "312");
	assert_order(BY_PID, "123");
}
END_TEST

START_TEST(timers_are_shown)
{
	struct fpm_status status;
	struct table table;
	char line[101];

	read_good(&status);
	view_timers(&status, "b", 1000, &table);
	ck_assert_uint_eq(table.rows, 0);
	table_free(&table);
	view_timers(&status, NULL, 1000, &table);
	ck_assert_uint_eq(table.rows, 2);
	ck_assert_str_eq(table_line(&table, 0, 100, line), "www   a      "
	    "every 1m  Waiting  1m00  failed  250ms   30s     7       2       "
	    "1");
	ck_assert_str_eq(table.cells[table.columns + 4], ""); /* never */
	table_free(&table);
	fpm_status_free(&status);
}
END_TEST

START_TEST(a_rate_needs_two_looks)
{
	struct fpm_status before, now;
	struct table table;
	char line[101];

	read_good(&before);
	read_good(&now);
	now.pools[0].requests = 150;
	view_pools(&now, "www", NULL, 0, &table);
	ck_assert_ptr_nonnull(strstr(table_line(&table, 0, 100, line),
	    "failing"));
	ck_assert_str_eq(table.cells[6], "15");
	table_free(&table);
	view_pools(&now, "www", &before, 2, &table);
	ck_assert_str_eq(table.cells[6], "25");
	table_free(&table);
	now.pools[0].requests = 10; /* counted anew */
	view_pools(&now, NULL, &before, 2, &table);
	ck_assert_uint_eq(table.rows, 2);
	ck_assert_str_eq(table.cells[6], "0");
	table_free(&table);
	fpm_status_free(&before);
	fpm_status_free(&now);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fpmctl");
	TCase *tc = tcase_create("texts");

	tcase_add_test(tc, durations_fit_a_column);
	tcase_add_test(tc, sizes_and_counts_have_units);
	tcase_add_test(tc, no_byte_speaks_to_the_terminal);
	suite_add_tcase(s, tc);
	tc = tcase_create("tables");
	tcase_add_test(tc, columns_are_as_wide_as_they_must);
	tcase_add_test(tc, one_column_is_cut);
	tcase_add_test(tc, no_line_is_longer_than_asked_for);
	tcase_add_test(tc, many_rows_are_no_matter);
	suite_add_tcase(s, tc);
	tc = tcase_create("status");
	tcase_add_test(tc, a_status_is_read);
	tcase_add_test(tc, what_is_no_status_is_refused);
	tcase_add_test(tc, workers_are_sorted);
	tcase_add_test(tc, timers_are_shown);
	tcase_add_test(tc, a_rate_needs_two_looks);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

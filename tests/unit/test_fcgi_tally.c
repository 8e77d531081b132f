#include <string.h>

#include "ctl/fcgi/fcgi_tally.h"
#include "unit.h"

static struct fcgi_tally t;

static void
empty(void)
{
	memset(&t, 0, sizeof(t));
}

START_TEST(small_latencies_are_exact)
{
	unsigned i;

	for (i = 1; i <= 100; i++)
		tally_answer(&t, 200, i);
	ck_assert_uint_eq(tally_percentile(&t, 0.5), 50);
	ck_assert_uint_eq(tally_percentile(&t, 0.9), 90);
	ck_assert_uint_eq(tally_percentile(&t, 0.99), 99);
	ck_assert_uint_eq(tally_percentile(&t, 1.0), 100);
	ck_assert_uint_eq(t.latency_min, 1);
	ck_assert_uint_eq(t.latency_max, 100);
	ck_assert_uint_eq(t.latency_sum, 5050);
}
END_TEST

/* Any size, up to the largest that fits: never below, never 2 % above. */
START_TEST(large_latencies_are_near)
{
	uint64_t latency = (uint64_t)1 << _i, got;

	latency += latency / 3;
	tally_answer(&t, 200, latency);
	tally_answer(&t, 200, UINT64_MAX);
	got = tally_percentile(&t, 0.5);
	ck_assert(got >= latency);
	ck_assert(got - latency <= latency / 50);
	ck_assert(tally_percentile(&t, 1.0) == UINT64_MAX);
}
END_TEST

START_TEST(one_slow_answer_shows_in_the_tail_only)
{
	int i;

	for (i = 0; i < 999; i++)
		tally_answer(&t, 200, 10);
	tally_answer(&t, 200, 5000000);
	ck_assert_uint_eq(tally_percentile(&t, 0.99), 10);
	ck_assert_uint_eq(tally_percentile(&t, 0.999), 10);
	ck_assert_uint_eq(tally_percentile(&t, 1.0), 5000000);
}
END_TEST

START_TEST(nothing_answered_is_all_zero)
{
	ck_assert_uint_eq(tally_percentile(&t, 0.99), 0);
	ck_assert_uint_eq(tally_failed(&t), 0);
}
END_TEST

START_TEST(failures_keep_their_first_reason)
{
	tally_failure(&t, FAIL_CONNECT, "first");
	tally_failure(&t, FAIL_CONNECT, "second");
	tally_failure(&t, FAIL_TIMEOUT, "late");
	ck_assert_uint_eq(tally_failed(&t), 3);
	ck_assert_uint_eq(t.failed[FAIL_CONNECT], 2);
	ck_assert_str_eq(t.reason[FAIL_CONNECT], "first");
	ck_assert_str_eq(t.reason[FAIL_TIMEOUT], "late");
}
END_TEST

static char *
printed(void (*print)(const struct fcgi_tally *, FILE *))
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	print(&t, out);
	fclose(out);
	return text;
}

START_TEST(report_for_people)
{
	char *text;

	tally_answer(&t, 200, 1500);
	tally_answer(&t, 404, 1500);
	tally_failure(&t, FAIL_STATUS, "404");
	t.elapsed_us = 500000;
	text = printed(tally_print);
	ck_assert(strstr(text, "2 answered, 1 failed in 0.500 s") != NULL);
	ck_assert(strstr(text, "4 requests/s") != NULL);
	ck_assert(strstr(text, "p99 1.500") != NULL);
	ck_assert(strstr(text, "200: 1 404: 1") != NULL);
	ck_assert(strstr(text, "status: 1 (404)") != NULL);
	free(text);
}
END_TEST

START_TEST(report_for_machines)
{
	char *text;

	tally_answer(&t, 200, 100);
	tally_answer(&t, 500, 100);
	tally_failure(&t, FAIL_STATUS, "500");
	t.elapsed_us = 1000000;
	t.bytes = 42;
	text = printed(tally_print_json);
	ck_assert_str_eq(text, "{\"answered\": 2, \"failed\": 1, "
	    "\"seconds\": 1.000000, \"rate\": 2.0, \"bytes\": 42, "
	    "\"reconnects\": 0, \"latency_us\": {\"min\": 100, "
	    "\"mean\": 100.0, \"p50\": 100, \"p90\": 100, \"p99\": 100, "
	    "\"p99.9\": 100, \"max\": 100}, "
	    "\"status\": {\"200\": 1, \"500\": 1}, "
	    "\"failures\": {\"connect\": 0, \"cut\": 0, \"status\": 1, "
	    "\"application\": 0, \"protocol\": 0, \"timeout\": 0}}\n");
	free(text);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fcgi_tally");
	TCase *c = tcase_create("tally");

	tcase_add_checked_fixture(c, empty, NULL);
	tcase_add_test(c, small_latencies_are_exact);
	tcase_add_loop_test(c, large_latencies_are_near, 0, 63);
	tcase_add_test(c, one_slow_answer_shows_in_the_tail_only);
	tcase_add_test(c, nothing_answered_is_all_zero);
	tcase_add_test(c, failures_keep_their_first_reason);
	tcase_add_test(c, report_for_people);
	tcase_add_test(c, report_for_machines);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

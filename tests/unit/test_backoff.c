#include <stdint.h>

#include "master/backoff.h"

#include "unit.h"

#define NOW  1000000
#define LONG 10000

START_TEST(no_trouble_no_wait)
{
	struct backoff b = { 0 };

	ck_assert(!backoff_active(&b, 0));
	ck_assert(!backoff_active(&b, NOW));
}
END_TEST

START_TEST(waits_double_up_to_half_a_minute)
{
	static const int64_t waits[] = { 100, 200, 400, 800, 1600, 3200, 6400,
		12800, 25600, 30000, 30000 };
	struct backoff b = { 0 };
	int64_t now = NOW;
	size_t i;

	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		ck_assert(backoff_failed(&b, now, false, 5));
		ck_assert(backoff_active(&b, now + waits[i] - 1));
		now += waits[i];
		ck_assert(!backoff_active(&b, now));
	}
}
END_TEST

START_TEST(waits_after_ready_workers_end_at_a_second)
{
	static const int64_t waits[] = { 100, 200, 400, 800, 1000, 1000 };
	struct backoff b = { 0 };
	int64_t now = NOW;
	size_t i;

	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		ck_assert(backoff_failed(&b, now, true, 5));
		ck_assert_int_eq(b.until, now + waits[i]);
		now = b.until;
	}
	/* one that does not come up takes it from there */
	ck_assert(backoff_failed(&b, now, false, 5));
	ck_assert_int_eq(b.until, now + 3200);
}
END_TEST

START_TEST(never_wraps)
{
	struct backoff b = { 0 };
	int64_t now = NOW;
	unsigned i;

	for (i = 0; i < 200000; i++) {
		now = b.until > 0 ? b.until : NOW;
		backoff_failed(&b, now, false, 0);
	}
	ck_assert_int_eq(b.until, now + 30000);
}
END_TEST

/* Fifty that were forked together and die together are one failure. */
START_TEST(those_of_before_belong_to_the_wait)
{
	struct backoff b = { 0 };
	unsigned i;

	ck_assert(backoff_failed(&b, NOW, false, 5));
	for (i = 0; i < 50; i++)
		ck_assert(!backoff_failed(&b, NOW + i, false, 5));
	ck_assert_int_eq(b.until, NOW + 100);
	ck_assert_uint_eq(b.failures, 1);
}
END_TEST

START_TEST(one_by_one_until_one_is_ready)
{
	struct backoff b = { 0 };

	ck_assert_uint_eq(backoff_allows(&b, NOW, 7, 3), 7);
	backoff_failed(&b, NOW, true, 5);
	ck_assert_uint_eq(backoff_allows(&b, NOW + 99, 7, 0), 0);
	ck_assert_uint_eq(backoff_allows(&b, NOW + 100, 7, 3), 7);
	backoff_failed(&b, NOW + 100, false, 5);
	ck_assert_uint_eq(backoff_allows(&b, NOW + 299, 7, 0), 0);
	ck_assert_uint_eq(backoff_allows(&b, NOW + 300, 7, 0), 1);
	ck_assert_uint_eq(backoff_allows(&b, NOW + 300, 0, 0), 0);
	ck_assert_uint_eq(backoff_allows(&b, NOW + 300, 7, 1), 0);
	backoff_ready(&b);
	ck_assert_uint_eq(backoff_allows(&b, NOW + 300, 7, 0), 7);
}
END_TEST

START_TEST(long_service_costs_no_wait_and_clears)
{
	struct backoff b = { 0 };
	unsigned i;

	for (i = 0; i < 5; i++)
		backoff_failed(&b, NOW, true, LONG - 1);
	ck_assert(backoff_active(&b, NOW));
	backoff_failed(&b, NOW, true, LONG);
	ck_assert(!backoff_active(&b, NOW));
	backoff_failed(&b, NOW, true, 1);
	ck_assert_int_eq(b.until, NOW + 100);
}
END_TEST

START_TEST(long_life_without_ready_is_a_failure)
{
	struct backoff b = { 0 };

	backoff_failed(&b, NOW, false, 6 * LONG);
	ck_assert(backoff_active(&b, NOW));
}
END_TEST

START_TEST(ready_ends_the_wait_but_forgives_nothing)
{
	struct backoff b = { 0 };

	backoff_failed(&b, NOW - 200, false, 0);
	backoff_failed(&b, NOW - 100, false, 0);
	backoff_ready(&b);
	ck_assert(!backoff_active(&b, NOW));
	backoff_failed(&b, NOW, true, 1);
	ck_assert_int_eq(b.until, NOW + 400);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("backoff");
	TCase *t = tcase_create("backoff");

	tcase_add_test(t, no_trouble_no_wait);
	tcase_add_test(t, waits_double_up_to_half_a_minute);
	tcase_add_test(t, waits_after_ready_workers_end_at_a_second);
	tcase_add_test(t, never_wraps);
	tcase_add_test(t, those_of_before_belong_to_the_wait);
	tcase_add_test(t, one_by_one_until_one_is_ready);
	tcase_add_test(t, long_service_costs_no_wait_and_clears);
	tcase_add_test(t, long_life_without_ready_is_a_failure);
	tcase_add_test(t, ready_ends_the_wait_but_forgives_nothing);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

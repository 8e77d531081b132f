#include "master/queue_age.h"

#include "unit.h"

#define LIMIT 1600 /* ms; a sample each 100 */

static struct queue_age age;
static int64_t now, since;
static uint64_t accepted;

static void
setup(void)
{
	age = (struct queue_age){ 0 };
	now = 1000000;
	since = 0;
	accepted = 70;
}

/* One look, `later` ms after the last one. */
static unsigned
look(int64_t later, unsigned waiting)
{
	now += later;
	return queue_age_look(&age, now, LIMIT, waiting, accepted, &since);
}

/* Looks each 10 ms for so long, at each of which none is late. */
static void
none_for(int64_t ms, unsigned waiting)
{
	for (int64_t end = now + ms; now < end;)
		ck_assert_uint_eq(look(10, waiting), 0);
}

START_TEST(those_that_wait_become_late)
{
	ck_assert_uint_eq(look(0, 3), 0);
	none_for(LIMIT - 10, 3);
	ck_assert_uint_eq(look(10, 5), 3);
	ck_assert_int_eq(since, 1000000);
}
END_TEST

START_TEST(those_behind_them_become_so_later)
{
	ck_assert_uint_eq(look(0, 3), 0);
	none_for(800, 3);
	ck_assert_uint_eq(look(100, 5), 0);
	none_for(690, 5);
	ck_assert_uint_eq(look(10, 5), 3);
	accepted += 3; /* they were turned away */
	none_for(890, 2);
	ck_assert_uint_eq(look(10, 2), 2);
	ck_assert_int_eq(since, 1000900);
}
END_TEST

START_TEST(who_was_served_is_not_counted)
{
	ck_assert_uint_eq(look(0, 10), 0);
	for (int i = 0; i < 159; i++) {
		accepted += i % 20 == 0; /* and another one comes */
		ck_assert_uint_eq(look(10, 10), 0);
	}
	ck_assert_uint_eq(look(10, 10), 2);
}
END_TEST

START_TEST(a_quick_queue_is_never_late)
{
	for (int i = 0; i < 2000; i++) {
		accepted += 5;
		ck_assert_uint_eq(look(10, 500), 0);
	}
}
END_TEST

/* Looks that are far apart, as while workers were idle meanwhile. */
START_TEST(a_pause_makes_nobody_late)
{
	ck_assert_uint_eq(look(0, 3), 0);
	accepted += 3;
	ck_assert_uint_eq(look(10 * LIMIT, 8), 0);
	ck_assert_uint_eq(look(LIMIT, 9), 8);
}
END_TEST

START_TEST(never_more_than_wait)
{
	ck_assert_uint_eq(look(0, 8), 0);
	ck_assert_uint_eq(look(LIMIT, 2), 2); /* clients have left */
}
END_TEST

START_TEST(a_count_that_falls_is_a_new_one)
{
	ck_assert_uint_eq(look(0, 8), 0);
	accepted = 0;
	ck_assert_uint_eq(look(LIMIT, 8), 0);
	none_for(LIMIT - 10, 8);
	ck_assert_uint_eq(look(10, 8), 8);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("queue_age");
	TCase *tc = tcase_create("queue_age");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, those_that_wait_become_late);
	tcase_add_test(tc, those_behind_them_become_so_later);
	tcase_add_test(tc, who_was_served_is_not_counted);
	tcase_add_test(tc, a_quick_queue_is_never_late);
	tcase_add_test(tc, a_pause_makes_nobody_late);
	tcase_add_test(tc, never_more_than_wait);
	tcase_add_test(tc, a_count_that_falls_is_a_new_one);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

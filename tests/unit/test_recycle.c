#include "worker/serve/recycle.h"

#include <string.h>

#include "unit.h"

static struct recycle r;
static char text[RECYCLE_TEXT];

static void
begin(int64_t requests, int64_t age, int64_t rss, uint64_t seed)
{
	const struct recycle_limits limits = { requests, age, rss };

	recycle_begin(&r, &limits, seed, 1000000);
}

START_TEST(never_asks_without_limits)
{
	begin(0, 0, 0, UINT64_MAX);
	recycle_requests(&r, UINT64_MAX);
	recycle_rss(&r, INT64_MAX, 2000000);
	ck_assert(!recycle_wants_rss(&r, INT64_MAX));
	ck_assert(!recycle_ask(&r, INT64_MAX / 2));
	ck_assert_int_eq(recycle_next(&r), -1);
}
END_TEST

START_TEST(asks_at_its_number_of_requests)
{
	begin(1000, 0, 0, 100); /* the middle of 900 to 1100 */
	recycle_requests(&r, 999);
	ck_assert(!recycle_ask(&r, 1000001));
	ck_assert_int_eq(recycle_next(&r), -1);
	recycle_requests(&r, 1000);
	ck_assert(recycle_ask(&r, 1000001));
	ck_assert_str_eq(recycle_text(&r, 1000001, text),
	    "after 1000 requests");
}
END_TEST

START_TEST(draws_within_a_tenth)
{
	int64_t least = INT64_MAX, most = 0;
	uint64_t seed = 1;

	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		begin(1000, 60000, 0, seed);
		if (r.limits.requests < least)
			least = r.limits.requests;
		if (r.limits.requests > most)
			most = r.limits.requests;
		ck_assert_int_ge(r.limits.age, 54000);
		ck_assert_int_le(r.limits.age, 66000);
	}
	ck_assert_int_eq(least, 900);
	ck_assert_int_eq(most, 1100);
	begin(1, 0, 0, UINT64_MAX);
	ck_assert_int_eq(r.limits.requests, 1);
}
END_TEST

START_TEST(wakes_at_its_age)
{
	begin(0, 5000, 0, (uint64_t)500 << 32);
	ck_assert_int_eq(recycle_next(&r), 1005000);
	ck_assert(!recycle_ask(&r, 1004999));
	ck_assert(recycle_ask(&r, 1005000));
	ck_assert_str_eq(recycle_text(&r, 1005000, text), "at the age of 5s");
}
END_TEST

START_TEST(asks_again_ever_more_seldom)
{
	int64_t now = 1000000, pause, before = 0;

	begin(1, 0, 0, 0);
	recycle_requests(&r, 1);
	for (int i = 0; i < 12; i++) {
		ck_assert(recycle_ask(&r, now));
		ck_assert(!recycle_ask(&r, now));
		pause = recycle_next(&r) - now;
		ck_assert_int_ge(pause, before);
		ck_assert_int_ge(pause, 250);
		ck_assert_int_le(pause, 60000);
		ck_assert(!recycle_ask(&r, now + pause - 1));
		before = pause;
		now += pause;
	}
	ck_assert_int_eq(before, 60000);
}
END_TEST

START_TEST(looks_at_memory_often_only_near_the_limit)
{
	begin(0, 0, 1000, 0);
	recycle_rss(&r, 100, 1000000);
	ck_assert(!recycle_wants_rss(&r, 1000001));
	ck_assert(recycle_wants_rss(&r, 1000100));
	recycle_rss(&r, 900, 1000100);
	ck_assert(recycle_wants_rss(&r, 1000100));
	ck_assert(!recycle_ask(&r, 1000100));
	recycle_rss(&r, 1000, 1000100);
	ck_assert(!recycle_ask(&r, 1000100));
	recycle_rss(&r, 1001, 1000101);
	ck_assert(recycle_ask(&r, 1000101));
	ck_assert(!recycle_wants_rss(&r, 2000000));
}
END_TEST

START_TEST(tells_the_first_reason)
{
	begin(10, 10, 64 << 20, 0);
	recycle_rss(&r, 65 << 20, 1000001);
	recycle_requests(&r, 100);
	recycle_memory(&r);
	ck_assert(recycle_ask(&r, 1000100));
	ck_assert_str_eq(recycle_text(&r, 1000100, text), "resident memory of "
	    "65M is above limits.rss, 64M");
	begin(10, 0, 0, 0);
	recycle_memory(&r);
	ck_assert(recycle_ask(&r, 1000000));
	ck_assert_str_eq(recycle_text(&r, 1000000, text),
	    "its Lua heap has reached limits.memory");
	begin(10, 0, 0, 0);
	recycle_wish(&r);
	recycle_memory(&r);
	ck_assert(recycle_ask(&r, 1000000));
	ck_assert_str_eq(recycle_text(&r, 1000000, text),
	    "the application wants it");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("recycle");
	TCase *t = tcase_create("recycle");

	tcase_add_test(t, never_asks_without_limits);
	tcase_add_test(t, asks_at_its_number_of_requests);
	tcase_add_test(t, draws_within_a_tenth);
	tcase_add_test(t, wakes_at_its_age);
	tcase_add_test(t, asks_again_ever_more_seldom);
	tcase_add_test(t, looks_at_memory_often_only_near_the_limit);
	tcase_add_test(t, tells_the_first_reason);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

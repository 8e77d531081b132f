#include "base/tuning.h"
#include "master/fullness.h"

#include "unit.h"

static struct fullness f;
static int64_t now;

/* One look, `later` ms after the last one. */
static enum fullness_change
look(int64_t later, bool busy, unsigned waiting)
{
	now += later;
	return fullness_look(&f, busy, waiting, now);
}

static void
setup(void)
{
	f = (struct fullness){ 0 };
	now = 1000000;
}

/* Full at a look each 50 ms until it is said. */
static void
begin(unsigned waiting)
{
	int64_t until = now + tuning.full;

	ck_assert_int_eq(look(0, true, waiting), FULLNESS_SAME);
	while (now + 50 < until)
		ck_assert_int_eq(look(50, true, waiting), FULLNESS_SAME);
	ck_assert_int_eq(look(50, true, waiting), FULLNESS_BEGINS);
}

START_TEST(begins_and_ends_once)
{
	begin(3);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(look(50, true, 5), FULLNESS_SAME);
	ck_assert_int_eq(fullness_due(&f), now + tuning.room);
	ck_assert_int_eq(look(50, false, 0), FULLNESS_SAME);
	ck_assert_int_eq(look(tuning.room, false, 0), FULLNESS_ENDS);
	ck_assert_uint_eq(f.longest, 5);
	ck_assert_int_eq(fullness_due(&f), -1);
	ck_assert_int_eq(look(50, false, 0), FULLNESS_SAME);
	begin(1);
	ck_assert_uint_eq(f.longest, 1);
}
END_TEST

START_TEST(a_pause_is_no_end)
{
	begin(3);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(look(tuning.room / 2, false, 0),
		    FULLNESS_SAME);
		ck_assert_int_eq(look(1, true, 1), FULLNESS_SAME);
	}
}
END_TEST

START_TEST(a_burst_is_none)
{
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(look(tuning.full, true, 9), FULLNESS_SAME);
		ck_assert_int_eq(look(tuning.full / 2, true, 9),
		    FULLNESS_SAME);
	}
	ck_assert_int_eq(fullness_due(&f), -1);
}
END_TEST

START_TEST(busy_or_queued_alone_is_not_full)
{
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(look(50, true, 0), FULLNESS_SAME);
		ck_assert_int_eq(look(50, false, 9), FULLNESS_SAME);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fullness");
	TCase *tc = tcase_create("fullness");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, begins_and_ends_once);
	tcase_add_test(tc, a_pause_is_no_end);
	tcase_add_test(tc, a_burst_is_none);
	tcase_add_test(tc, busy_or_queued_alone_is_not_full);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

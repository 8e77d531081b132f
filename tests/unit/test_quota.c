/* Workers come and go over all pools; who may be forked, and who is told. */

#include "unit.h"

#include "master/quota.h"

START_TEST(without_a_limit_there_is_always_room)
{
	struct quota quota = { .max = 0 };

	for (int i = 0; i < 1000; i++) {
		ck_assert(quota_room(&quota));
		quota_add(&quota);
	}
	ck_assert(!quota_freed(&quota));
}
END_TEST

START_TEST(full_until_one_leaves)
{
	struct quota quota = { .max = 2 };

	quota_add(&quota);
	ck_assert(quota_room(&quota));
	quota_add(&quota);
	ck_assert(!quota_room(&quota));
	ck_assert(!quota_freed(&quota));
	quota_remove(&quota);
	ck_assert(quota_freed(&quota));
	ck_assert_msg(!quota_freed(&quota), "it is told once");
	ck_assert(quota_room(&quota));
}
END_TEST

START_TEST(who_was_not_refused_is_not_told)
{
	struct quota quota = { .max = 1 };

	quota_add(&quota);
	quota_remove(&quota);
	ck_assert(!quota_freed(&quota));
}
END_TEST

/* Successors go beyond the limit: one that leaves makes no room then. */
START_TEST(beyond_the_limit)
{
	struct quota quota = { .max = 1 };

	quota_add(&quota);
	quota_add(&quota);
	ck_assert(!quota_room(&quota));
	quota_remove(&quota);
	ck_assert(!quota_freed(&quota));
	ck_assert(!quota_room(&quota));
	quota_remove(&quota);
	ck_assert(quota_freed(&quota));
}
END_TEST

START_TEST(another_limit)
{
	struct quota quota = { .max = 1 };

	quota_add(&quota);
	ck_assert(!quota_room(&quota));
	quota.max = 2;
	ck_assert(quota_freed(&quota));
	quota.max = 1;
	ck_assert(!quota_room(&quota));
	quota.max = 0;
	ck_assert(quota_freed(&quota));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("quota");
	TCase *tc = tcase_create("room");

	tcase_add_test(tc, without_a_limit_there_is_always_room);
	tcase_add_test(tc, full_until_one_leaves);
	tcase_add_test(tc, who_was_not_refused_is_not_told);
	tcase_add_test(tc, beyond_the_limit);
	tcase_add_test(tc, another_limit);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

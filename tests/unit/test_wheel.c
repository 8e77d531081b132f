/* The wheel of timers: each fires once, not before its time and in the tick
 * after it, however it was set, moved and cleared. */

#include "base/wheel.h"

#include <stddef.h>
#include <stdint.h>

#include "unit.h"

#define N 500

START_TEST(a_timer_fires_in_its_tick)
{
	static const int64_t after[] = { 0, 1, 49, 50, 51, 1000, 51199, 51200,
		51201, 200000 };
	struct wheel wheel;
	struct wheel_timer timer = { 0 };

	for (size_t i = 0; i < sizeof(after) / sizeof(*after); i++) {
		wheel_init(&wheel, 1000);
		wheel_set(&wheel, &timer, 1000 + after[i]);
		ck_assert_ptr_null(wheel_expired(&wheel,
		    1000 + after[i] - 1));
		ck_assert_ptr_eq(wheel_expired(&wheel,
		    1000 + after[i] + WHEEL_TICK), &timer);
		ck_assert_ptr_null(wheel_expired(&wheel, 1000000));
	}
}
END_TEST

START_TEST(nothing_is_due_without_a_timer)
{
	struct wheel wheel;
	struct wheel_timer timer = { 0 };

	wheel_init(&wheel, 5);
	ck_assert_int_eq(wheel_due(&wheel), -1);
	wheel_set(&wheel, &timer, 100000);
	ck_assert_int_gt(wheel_due(&wheel), 0);
	wheel_clear(&wheel, &timer);
	wheel_clear(&wheel, &timer);
	ck_assert_int_eq(wheel_due(&wheel), -1);
	ck_assert_ptr_null(wheel_expired(&wheel, 10000000));
}
END_TEST

/* None is due before the wheel wakes for it; at `now` none is overdue. */
static void
check_table(const int64_t due[N], int64_t sleep, int64_t now)
{
	for (size_t i = 0; i < N; i++)
		if (due[i] != -1 && (sleep > due[i] + WHEEL_TICK ||
		    due[i] + 2 * WHEEL_TICK <= now))
			ck_abort_msg("%zu: due %lld, sleep %lld, now %lld", i,
			    (long long)due[i], (long long)sleep,
			    (long long)now);
}

/* Many timers against a plain table of times. */
START_TEST(many_timers_are_as_in_a_plain_table)
{
	struct wheel wheel;
	static struct wheel_timer timers[N];
	int64_t due[N], now = 77, sleep;
	unsigned seed = 1;

	wheel_init(&wheel, now);
	for (size_t i = 0; i < N; i++)
		due[i] = -1;
	for (int step = 0; step < (unit_is_slow() ? 2000 : 20000); step++) {
		size_t which = (seed = seed * 1103515245 + 12345) / 65536 % N;
		int64_t delay = (seed >> 4) % 90000;
		struct wheel_timer *t;

		if (seed % 7 == 0) {
			wheel_clear(&wheel, &timers[which]);
			due[which] = -1;
		} else {
			due[which] = now + delay;
			wheel_set(&wheel, &timers[which], due[which]);
		}
		sleep = wheel_due(&wheel);
		check_table(due, sleep, now);
		now += seed % 300;
		while ((t = wheel_expired(&wheel, now)) != NULL) {
			size_t i = (size_t)(t - timers);

			ck_assert_int_ne(due[i], -1);
			ck_assert_int_le(due[i], now);
			due[i] = -1;
		}
		check_table(due, now, now);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("wheel");
	TCase *t = tcase_create("wheel");

	tcase_add_test(t, a_timer_fires_in_its_tick);
	tcase_add_test(t, nothing_is_due_without_a_timer);
	tcase_add_test(t, many_timers_are_as_in_a_plain_table);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

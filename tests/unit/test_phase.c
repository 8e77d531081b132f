#include <stddef.h>

#include "master/phase.h"

#include "unit.h"

static void
assert_step(enum phase now, enum phase_event event, enum phase next,
    enum phase_action action)
{
	struct phase_step step = phase_step(now, event);

	ck_assert_int_eq(step.next, next);
	ck_assert_int_eq(step.action, action);
}

START_TEST(comes_up_and_reloads)
{
	assert_step(PHASE_STARTING, EVENT_UP, PHASE_RUNNING, ACTION_ANNOUNCE);
	assert_step(PHASE_RUNNING, EVENT_HUP, PHASE_RELOADING, ACTION_RELOAD);
	assert_step(PHASE_RELOADING, EVENT_RELOADED, PHASE_RUNNING,
	    ACTION_ANNOUNCE);
}
END_TEST

START_TEST(a_hup_too_early_is_remembered)
{
	assert_step(PHASE_STARTING, EVENT_HUP, PHASE_STARTING,
	    ACTION_REMEMBER);
	assert_step(PHASE_RELOADING, EVENT_HUP, PHASE_RELOADING,
	    ACTION_REMEMBER);
}
END_TEST

START_TEST(a_binary_is_tried_and_becomes_us_or_not)
{
	assert_step(PHASE_RUNNING, EVENT_USR2, PHASE_TRYING, ACTION_TRY);
	assert_step(PHASE_TRYING, EVENT_GOOD, PHASE_TRYING, ACTION_UPGRADE);
	assert_step(PHASE_TRYING, EVENT_BAD, PHASE_RUNNING, ACTION_REFUSE);
}
END_TEST

START_TEST(what_comes_during_a_trial_is_remembered)
{
	assert_step(PHASE_STARTING, EVENT_USR2, PHASE_STARTING,
	    ACTION_REMEMBER);
	assert_step(PHASE_RELOADING, EVENT_USR2, PHASE_RELOADING,
	    ACTION_REMEMBER);
	assert_step(PHASE_TRYING, EVENT_USR2, PHASE_TRYING, ACTION_REMEMBER);
	assert_step(PHASE_TRYING, EVENT_HUP, PHASE_TRYING, ACTION_REMEMBER);
}
END_TEST

START_TEST(stops_ever_more_urgently)
{
	static const enum phase alive[] = { PHASE_STARTING, PHASE_RUNNING,
		PHASE_RELOADING, PHASE_TRYING };
	size_t i;

	for (i = 0; i < sizeof(alive) / sizeof(alive[0]); i++) {
		assert_step(alive[i], EVENT_TERM, PHASE_STOPPING, ACTION_STOP);
		assert_step(alive[i], EVENT_INT, PHASE_HURRYING, ACTION_HURRY);
	}
	assert_step(PHASE_STOPPING, EVENT_TERM, PHASE_HURRYING, ACTION_HURRY);
	assert_step(PHASE_STOPPING, EVENT_INT, PHASE_HURRYING, ACTION_HURRY);
	assert_step(PHASE_HURRYING, EVENT_TERM, PHASE_KILLING, ACTION_KILL);
	assert_step(PHASE_HURRYING, EVENT_INT, PHASE_KILLING, ACTION_KILL);
}
END_TEST

/* There is no way back, and nothing is done twice. */
START_TEST(what_has_no_business_changes_nothing)
{
	enum phase p;

	for (p = PHASE_STARTING; p <= PHASE_KILLING; p++) {
		if (p != PHASE_STARTING)
			assert_step(p, EVENT_UP, p, ACTION_NONE);
		if (p != PHASE_RELOADING)
			assert_step(p, EVENT_RELOADED, p, ACTION_NONE);
		if (p != PHASE_TRYING) {
			assert_step(p, EVENT_GOOD, p, ACTION_NONE);
			assert_step(p, EVENT_BAD, p, ACTION_NONE);
		}
		if (p >= PHASE_STOPPING) {
			assert_step(p, EVENT_HUP, p, ACTION_NONE);
			assert_step(p, EVENT_USR2, p, ACTION_NONE);
		}
	}
	assert_step(PHASE_KILLING, EVENT_TERM, PHASE_KILLING, ACTION_NONE);
	assert_step(PHASE_KILLING, EVENT_INT, PHASE_KILLING, ACTION_NONE);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("phase");
	TCase *t = tcase_create("phase");

	tcase_add_test(t, comes_up_and_reloads);
	tcase_add_test(t, a_hup_too_early_is_remembered);
	tcase_add_test(t, a_binary_is_tried_and_becomes_us_or_not);
	tcase_add_test(t, what_comes_during_a_trial_is_remembered);
	tcase_add_test(t, stops_ever_more_urgently);
	tcase_add_test(t, what_has_no_business_changes_nothing);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

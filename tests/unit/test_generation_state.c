#include <stddef.h>

#include "master/generation_state.h"

#include "unit.h"

static void
assert_move(enum generation_state now, enum generation_event event,
    enum generation_state next, enum generation_action action)
{
	struct generation_move move = generation_move(now, event);

	ck_assert_int_eq(move.next, next);
	ck_assert_int_eq(move.action, action);
}

START_TEST(a_trial_comes_up_whole)
{
	assert_move(GENERATION_TRIAL, GENERATION_UP, GENERATION_TRIAL,
	    GENERATION_NOTHING);
	assert_move(GENERATION_TRIAL, GENERATION_OPEN, GENERATION_TRIAL,
	    GENERATION_NOTHING);
	assert_move(GENERATION_TRIAL, GENERATION_COMPLETE, GENERATION_READY,
	    GENERATION_NOTHING);
	assert_move(GENERATION_READY, GENERATION_OPEN, GENERATION_SERVING,
	    GENERATION_ADMIT);
}
END_TEST

START_TEST(a_trial_fails_with_any_worker)
{
	assert_move(GENERATION_TRIAL, GENERATION_LOST, GENERATION_FAILED,
	    GENERATION_NOTE);
	assert_move(GENERATION_TRIAL, GENERATION_STUNTED, GENERATION_FAILED,
	    GENERATION_NOTHING);
	assert_move(GENERATION_READY, GENERATION_LOST, GENERATION_FAILED,
	    GENERATION_NOTE);
}
END_TEST

START_TEST(a_failed_trial_stays_failed)
{
	static const enum generation_event events[] = { GENERATION_UP,
		GENERATION_COMPLETE, GENERATION_STUNTED, GENERATION_LOST,
		GENERATION_OPEN };

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		assert_move(GENERATION_FAILED, events[i], GENERATION_FAILED,
		    GENERATION_NOTHING);
}
END_TEST

/* No connection has reached it, so it has nothing to hand over. */
START_TEST(a_trial_that_is_given_up_is_discarded)
{
	static const enum generation_state trials[] = { GENERATION_TRIAL,
		GENERATION_READY, GENERATION_FAILED };

	for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++) {
		assert_move(trials[i], GENERATION_REPLACED,
		    GENERATION_DISCARDED, GENERATION_DISCARD);
		assert_move(trials[i], GENERATION_SPLIT,
		    GENERATION_DISCARDED, GENERATION_DISCARD);
		assert_move(trials[i], GENERATION_DROPPED,
		    GENERATION_DISCARDED, GENERATION_DISCARD);
		assert_move(trials[i], GENERATION_KILLED,
		    GENERATION_DISCARDED, GENERATION_KILL);
	}
	assert_move(GENERATION_DISCARDED, GENERATION_DROPPED,
	    GENERATION_DISCARDED, GENERATION_HASTEN);
	assert_move(GENERATION_DISCARDED, GENERATION_LOST,
	    GENERATION_DISCARDED, GENERATION_NOTHING);
}
END_TEST

START_TEST(a_start_serves_with_its_first_worker)
{
	assert_move(GENERATION_STARTING, GENERATION_UP, GENERATION_SERVING,
	    GENERATION_NOTHING);
	assert_move(GENERATION_STARTING, GENERATION_LOST, GENERATION_BROKEN,
	    GENERATION_SUFFER);
	assert_move(GENERATION_STARTING, GENERATION_STUNTED,
	    GENERATION_BROKEN, GENERATION_NOTHING);
	assert_move(GENERATION_BROKEN, GENERATION_LOST, GENERATION_BROKEN,
	    GENERATION_COUNT);
	assert_move(GENERATION_BROKEN, GENERATION_UP, GENERATION_SERVING,
	    GENERATION_NOTHING);
	assert_move(GENERATION_SERVING, GENERATION_LOST, GENERATION_SERVING,
	    GENERATION_COUNT);
}
END_TEST

START_TEST(what_serves_leaves_as_it_is_told)
{
	static const enum generation_state states[] = { GENERATION_STARTING,
		GENERATION_SERVING, GENERATION_BROKEN };

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		assert_move(states[i], GENERATION_REPLACED,
		    GENERATION_DRAINING, GENERATION_LEAVE);
		assert_move(states[i], GENERATION_SPLIT,
		    GENERATION_PARTED, GENERATION_KEEP);
		assert_move(states[i], GENERATION_DROPPED, GENERATION_LAST,
		    GENERATION_SERVE);
		assert_move(states[i], GENERATION_KILLED,
		    GENERATION_DRAINING, GENERATION_KILL);
	}
}
END_TEST

/* A stop makes the last one of what is being replaced, and hastens the last,
 * and what has no address any more. */
START_TEST(a_stop_reaches_those_that_leave)
{
	assert_move(GENERATION_DRAINING, GENERATION_DROPPED, GENERATION_LAST,
	    GENERATION_SERVE);
	assert_move(GENERATION_LAST, GENERATION_DROPPED, GENERATION_LAST,
	    GENERATION_SERVE);
	assert_move(GENERATION_PARTED, GENERATION_DROPPED, GENERATION_PARTED,
	    GENERATION_HASTEN);
	assert_move(GENERATION_PARTED, GENERATION_KILLED, GENERATION_PARTED,
	    GENERATION_KILL);
	assert_move(GENERATION_LAST, GENERATION_KILLED, GENERATION_DRAINING,
	    GENERATION_KILL);
	assert_move(GENERATION_DRAINING, GENERATION_KILLED,
	    GENERATION_DRAINING, GENERATION_KILL);
}
END_TEST

START_TEST(what_leaves_never_serves_again)
{
	for (int state = GENERATION_DISCARDED; state < GENERATION_STATES;
	    state++)
		for (int event = 0; event < GENERATION_EVENTS; event++) {
			struct generation_move move = generation_move(
			    (enum generation_state)state,
			    (enum generation_event)event);

			ck_assert(generation_leaves(move.next));
			ck_assert_int_ne(move.action, GENERATION_COUNT);
			ck_assert_int_ne(move.action, GENERATION_ADMIT);
		}
}
END_TEST

START_TEST(a_state_is_of_one_kind)
{
	for (int i = 0; i < GENERATION_STATES; i++) {
		enum generation_state state = (enum generation_state)i;

		ck_assert_int_eq(generation_on_trial(state) +
		    generation_serves(state) + generation_leaves(state), 1);
		ck_assert_int_eq(generation_state_find(
		    generation_state_name(state)), state);
	}
	ck_assert_int_eq(generation_state_find("none"), GENERATION_STATES);
	ck_assert_int_eq(generation_state_find(""), GENERATION_STATES);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("generation_state");
	TCase *t = tcase_create("generation_state");

	tcase_add_test(t, a_trial_comes_up_whole);
	tcase_add_test(t, a_trial_fails_with_any_worker);
	tcase_add_test(t, a_failed_trial_stays_failed);
	tcase_add_test(t, a_trial_that_is_given_up_is_discarded);
	tcase_add_test(t, a_start_serves_with_its_first_worker);
	tcase_add_test(t, what_serves_leaves_as_it_is_told);
	tcase_add_test(t, a_stop_reaches_those_that_leave);
	tcase_add_test(t, what_leaves_never_serves_again);
	tcase_add_test(t, a_state_is_of_one_kind);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

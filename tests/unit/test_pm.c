#include <stdbool.h>
#include <stdint.h>

#include "master/pm.h"

#include "unit.h"

static const struct conf_workers fixed = { .mode = MODE_STATIC, .max = 4,
	.spawn_rate = 2 };
static const struct conf_workers dynamic = { .mode = MODE_DYNAMIC, .max = 10,
	.start = 3, .min_spare = 2, .max_spare = 4, .spawn_rate = 3 };
static const struct conf_workers ondemand = { .mode = MODE_ONDEMAND,
	.max = 5, .spawn_rate = 2, .idle_timeout = 10000 };

static struct pm_step
step(const struct conf_workers *limits, struct pm_view view)
{
	view.now = 100000;
	return pm_step(limits, &view, false);
}

static struct pm_step
throttled(const struct conf_workers *limits, struct pm_view view)
{
	view.now = 100000;
	return pm_step(limits, &view, true);
}

/* ---- one step at a time -------------------------------------------------- */

START_TEST(starts_with)
{
	ck_assert_uint_eq(pm_initial(&fixed), 4);
	ck_assert_uint_eq(pm_initial(&dynamic), 3);
	ck_assert_uint_eq(pm_initial(&ondemand), 0);
}
END_TEST

START_TEST(knows_what_is_more_than_needed)
{
	ck_assert(!pm_spare(&fixed, 4));
	ck_assert(!pm_spare(&dynamic, 4));
	ck_assert(pm_spare(&dynamic, 5));
	ck_assert(!pm_spare(&ondemand, 0));
	ck_assert(pm_spare(&ondemand, 1));
}
END_TEST

START_TEST(static_is_full_at_once)
{
	struct pm_step s = step(&fixed, (struct pm_view){ .idle_since = -1 });

	ck_assert_uint_eq(s.spawn, 4);
	ck_assert_uint_eq(s.wake_below, 0);
	ck_assert(!s.watch);
	s = step(&fixed, (struct pm_view){ .starting = 1, .idle = 1, .busy = 2,
	    .queued = 9, .idle_since = 0 });
	ck_assert_uint_eq(s.spawn, 0);
	ck_assert_uint_eq(s.retire, 0);
	ck_assert_int_eq(s.again, -1);
}
END_TEST

START_TEST(the_leaving_count_to_max)
{
	ck_assert_uint_eq(step(&fixed, (struct pm_view){ .busy = 1,
	    .leaving = 2 }).spawn, 1);
	ck_assert_uint_eq(step(&dynamic, (struct pm_view){ .busy = 7,
	    .leaving = 2 }).spawn, 1);
	ck_assert_uint_eq(step(&ondemand, (struct pm_view){ .queued = 9,
	    .leaving = 3 }).spawn, 2);
	ck_assert_uint_eq(step(&ondemand, (struct pm_view){ .queued = 9,
	    .leaving = 5 }).spawn, 0);
}
END_TEST

START_TEST(nobody_is_forked_while_throttled)
{
	struct pm_step s = throttled(&fixed, (struct pm_view){ 0 });

	ck_assert_uint_eq(s.spawn, 0);
	ck_assert_uint_eq(throttled(&dynamic, (struct pm_view){ 0 }).spawn, 0);
	s = throttled(&ondemand, (struct pm_view){ .queued = 3 });
	ck_assert_uint_eq(s.spawn, 0);
	ck_assert(!s.watch); /* or the waiting client would spin the loop */
	ck_assert_uint_eq(s.wake_below, 1);
}
END_TEST

START_TEST(a_lowered_max_is_reached)
{
	struct pm_step s = step(&fixed, (struct pm_view){ .idle = 1,
	    .busy = 6 });

	ck_assert_uint_eq(s.retire, 1);
	ck_assert_int_eq(s.again, 101000); /* no busy one says it is idle */
	s = step(&fixed, (struct pm_view){ .idle = 6 });
	ck_assert_uint_eq(s.retire, 2);
	ck_assert_int_eq(s.again, -1);
}
END_TEST

START_TEST(dynamic_keeps_min_spare)
{
	struct pm_step s = step(&dynamic, (struct pm_view){ .busy = 3,
	    .idle = 1, .idle_since = -1 });

	ck_assert_uint_eq(s.spawn, 1);
	ck_assert_uint_eq(s.wake_below, 2);
	ck_assert_uint_eq(step(&dynamic, (struct pm_view){ .busy = 3,
	    .starting = 1, .idle = 1 }).spawn, 0);
	s = step(&dynamic, (struct pm_view){ .busy = 9 });
	ck_assert_uint_eq(s.spawn, 1);
	ck_assert_uint_eq(s.wake_below, 0); /* full: nothing to be done */
}
END_TEST

START_TEST(dynamic_serves_the_queue_by_spawn_rate)
{
	struct pm_step s = step(&dynamic, (struct pm_view){ .idle = 2,
	    .queued = 7, .idle_since = -1 });

	ck_assert_uint_eq(s.spawn, 3);
	ck_assert_int_eq(s.again, 101000); /* two more are wanted */
	ck_assert_uint_eq(step(&dynamic, (struct pm_view){ .idle = 2,
	    .starting = 5, .queued = 7 }).spawn, 0);
	s = step(&dynamic, (struct pm_view){ .idle = 3, .idle_since = -1 });
	ck_assert_int_eq(s.again, -1);
}
END_TEST

START_TEST(dynamic_retires_one_a_second)
{
	struct pm_view view = { .idle = 6, .idle_since = 99500 };
	struct pm_step s = step(&dynamic, view);

	ck_assert_uint_eq(s.retire, 0);
	ck_assert_int_eq(s.again, 100500);
	view.idle_since = 99000;
	s = step(&dynamic, view);
	ck_assert_uint_eq(s.retire, 1);
	ck_assert_int_eq(s.again, 101000);
	view.idle = 5;
	ck_assert_int_eq(step(&dynamic, view).again, -1);
}
END_TEST

START_TEST(dynamic_retires_nobody_who_may_be_needed)
{
	struct pm_view view = { .idle = 6, .starting = 1 };

	ck_assert_uint_eq(step(&dynamic, view).retire, 0);
	view.starting = 0;
	view.queued = 1;
	ck_assert_uint_eq(step(&dynamic, view).retire, 0);
	view.queued = 0;
	view.idle_since = -1;
	ck_assert_uint_eq(step(&dynamic, view).retire, 0);
	view.idle_since = 0;
	ck_assert_uint_eq(step(&dynamic, view).retire, 1);
}
END_TEST

/* Nobody tells the master that a worker falls idle. */
START_TEST(dynamic_looks_again_while_more_than_enough_are_busy)
{
	struct pm_view view = { .idle = 2, .busy = 3, .idle_since = -1 };

	ck_assert_int_eq(step(&dynamic, view).again, 101000);
	view.busy = 2;
	ck_assert_int_eq(step(&dynamic, view).again, -1);
}
END_TEST

START_TEST(ondemand_watches_while_nobody_is_there)
{
	struct pm_step s = step(&ondemand, (struct pm_view){ 0 });

	ck_assert(s.watch);
	ck_assert_int_eq(s.again, -1);
	ck_assert(!step(&ondemand, (struct pm_view){ .starting = 1 }).watch);
	ck_assert(!step(&ondemand, (struct pm_view){ .idle = 1,
	    .idle_since = -1 }).watch);
	ck_assert(!step(&ondemand, (struct pm_view){ .queued = 1 }).watch);
	ck_assert(step(&ondemand, (struct pm_view){ .busy = 4 }).watch);
	s = step(&ondemand, (struct pm_view){ .busy = 5 });
	ck_assert(!s.watch);
	ck_assert_uint_eq(s.wake_below, 0);
}
END_TEST

START_TEST(ondemand_answers_a_burst_in_one_step)
{
	unsigned n;

	for (n = 0; n < 20; n++)
		ck_assert_uint_eq(step(&ondemand, (struct pm_view){
		    .queued = n }).spawn, n < 5 ? n : 5);
	ck_assert_uint_eq(step(&ondemand, (struct pm_view){ .queued = 3,
	    .idle = 1, .starting = 1 }).spawn, 1);
}
END_TEST

START_TEST(ondemand_retires_all_after_idle_timeout)
{
	struct pm_view view = { .idle = 3, .busy = 1, .idle_since = 90001 };
	struct pm_step s = step(&ondemand, view);

	ck_assert_uint_eq(s.retire, 0);
	ck_assert_int_eq(s.again, 100001);
	view.idle_since = 90000;
	ck_assert_uint_eq(step(&ondemand, view).retire, 3);
	view.queued = 1;
	s = step(&ondemand, view);
	ck_assert_uint_eq(s.retire, 0);
	ck_assert_int_gt(s.again, 100000);
}
END_TEST

/* ---- millions of steps --------------------------------------------------- */

#define STEPS 1000000

/* Check notes every assertion that holds, which takes too long here. */
#define must(x) \
	do { \
		if (!(x)) \
			ck_abort_msg("%s", #x); \
	} while (0)

struct world { /* a pool and its clients, in whole milliseconds */
	struct pm_view view;
	unsigned load; /* clients that are served or wait */
	uint32_t chance;
};

static uint32_t
chance(struct world *w, uint32_t below)
{
	w->chance ^= w->chance << 13;
	w->chance ^= w->chance >> 17;
	w->chance ^= w->chance << 5;
	return w->chance % below;
}

/* Whoever can serve does, whoever has none to serve is idle. */
static void
settle(struct world *w)
{
	unsigned serving = w->view.idle + w->view.busy;

	w->view.busy = w->load < serving ? w->load : serving;
	w->view.idle = serving - w->view.busy;
	w->view.queued = w->load - w->view.busy;
}

static void
disturb(struct world *w)
{
	struct pm_view *v = &w->view;
	unsigned n;

	if (v->starting > 0) {
		n = chance(w, v->starting + 1);
		v->starting -= n;
		if (chance(w, 10) > 0) /* the tenth time they died */
			v->idle += n;
	}
	if (v->leaving > 0)
		v->leaving -= chance(w, v->leaving + 1);
	if (chance(w, 50) == 0 && v->busy > 0)
		v->busy--;
	if (chance(w, 4) == 0)
		w->load = chance(w, 3) == 0 ? 0 : chance(w, 20);
	v->now += 1 + chance(w, 700);
}

/* What the pool does with a step, and what must hold before and after. */
static void
carry_out(struct world *w, const struct conf_workers *limits, bool brake)
{
	struct pm_view *v = &w->view;
	struct pm_step s;

	settle(w);
	if (!pm_spare(limits, v->idle))
		v->idle_since = -1;
	else if (v->idle_since == -1)
		v->idle_since = v->now;
	s = pm_step(limits, v, brake);
	must(s.spawn == 0 || s.retire == 0);
	must(!brake || s.spawn == 0);
	must(s.retire <= v->idle);
	must(s.again == -1 || s.again > v->now);
	must(!s.watch || (limits->mode == MODE_ONDEMAND &&
	    v->idle == s.retire && v->starting + s.spawn == 0 && !brake));
	must(limits->mode != MODE_DYNAMIC ||
	    s.spawn <= limits->spawn_rate);
	v->starting += s.spawn;
	v->idle -= s.retire;
	v->leaving += s.retire;
	if (s.retire > 0)
		v->idle_since = v->now;
	must(v->starting + v->idle + v->busy + v->leaving <=
	    limits->max);
}

/* The load stands still, nobody dies, and only what was asked for happens. */
static void
converge(struct world *w, const struct conf_workers *limits)
{
	struct pm_view *v = &w->view, before;
	unsigned i;

	for (i = 0; i < 100; i++) {
		v->idle += v->starting;
		v->starting = v->leaving = 0;
		v->now += limits->idle_timeout + 1000;
		carry_out(w, limits, false);
	}
	settle(w);
	before = *v;
	v->now += limits->idle_timeout + 1000;
	carry_out(w, limits, false);
	must(v->starting + v->leaving == 0);
	must(v->idle == before.idle);
	must(v->queued == 0 || v->busy == limits->max);
	if (limits->mode == MODE_STATIC)
		must(v->idle + v->busy == limits->max);
	if (limits->mode == MODE_ONDEMAND)
		must(v->idle == 0);
	if (limits->mode == MODE_DYNAMIC) {
		must(v->idle <= limits->max_spare);
		must(v->idle >= limits->min_spare ||
		    v->idle + v->busy == limits->max);
	}
}

static void
simulate(const struct conf_workers *limits)
{
	struct world w = { .view.idle_since = -1, .chance = 20261120 };
	unsigned i;

	w.view.starting = pm_initial(limits);
	for (i = 0; i < STEPS; i++) {
		disturb(&w);
		carry_out(&w, limits, chance(&w, 8) == 0);
		if (i % 1000 == 999)
			converge(&w, limits);
	}
}

START_TEST(static_for_a_million_steps)
{
	simulate(&fixed);
}
END_TEST

START_TEST(dynamic_for_a_million_steps)
{
	simulate(&dynamic);
}
END_TEST

START_TEST(ondemand_for_a_million_steps)
{
	simulate(&ondemand);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("pm");
	TCase *t = tcase_create("step");
	TCase *simulation = tcase_create("simulation");

	tcase_add_test(t, starts_with);
	tcase_add_test(t, knows_what_is_more_than_needed);
	tcase_add_test(t, static_is_full_at_once);
	tcase_add_test(t, the_leaving_count_to_max);
	tcase_add_test(t, nobody_is_forked_while_throttled);
	tcase_add_test(t, a_lowered_max_is_reached);
	tcase_add_test(t, dynamic_keeps_min_spare);
	tcase_add_test(t, dynamic_serves_the_queue_by_spawn_rate);
	tcase_add_test(t, dynamic_retires_one_a_second);
	tcase_add_test(t, dynamic_retires_nobody_who_may_be_needed);
	tcase_add_test(t,
	    dynamic_looks_again_while_more_than_enough_are_busy);
	tcase_add_test(t, ondemand_watches_while_nobody_is_there);
	tcase_add_test(t, ondemand_answers_a_burst_in_one_step);
	tcase_add_test(t, ondemand_retires_all_after_idle_timeout);
	suite_add_tcase(s, t);
	tcase_set_timeout(simulation, 120);
	tcase_add_test(simulation, static_for_a_million_steps);
	tcase_add_test(simulation, dynamic_for_a_million_steps);
	tcase_add_test(simulation, ondemand_for_a_million_steps);
	suite_add_tcase(s, simulation);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

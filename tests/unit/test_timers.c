/* When timers are due: against a clock that is read minute by minute, and over
 * millions of steps with lateness, outages, sleep and clocks that jump. */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "master/timers.h"

#include "unit.h"

#define S    INT64_C(1000)
#define MIN  (60 * S)
#define HOUR (60 * MIN)
#define DAY  (24 * HOUR)

/* 2026-01-15 12:00:00 UTC */
#define NOON INT64_C(1768478400)

/* As rules, so that no zoneinfo is needed: none, Berlin, New York, Lord Howe
 * (half an hour), Nuuk (at the end of Saturday), St. John's of old (at 00:01),
 * Sydney, Cuba (at midnight). */
static const char *const zones[] = { "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3",
	"EST5EDT,M3.2.0,M11.1.0", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
	"<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
	"NST3:30NDT,M3.2.0/0:01,M11.1.0/0:01",
	"AEST-10AEDT,M10.1.0,M4.1.0/3", "CST5CDT,M3.2.0/0,M11.1.0/1" };

static struct timers_now now;
static struct timers *timers;

static void
zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static struct conf_list
list_of(const char *const *texts)
{
	struct conf_list list = { 0 };

	for (; *texts != NULL; texts++)
		ck_assert_int_eq(conf_list_add(&list, *texts), 0);
	return list;
}

static void
configure(const char *const *texts)
{
	struct conf_list list = list_of(texts);

	timers_configure(timers, &list, &now);
	conf_list_free(&list);
}

#define CONFIGURE(...) configure((const char *const[]){ __VA_ARGS__, NULL })

static void
setup(void)
{
	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	now = (struct timers_now){ .boot = 1000, .wall = NOON * 1000 };
	timers = timers_new();
	ck_assert_ptr_nonnull(timers);
}

static void
teardown(void)
{
	timers_leave(timers);
}

static struct timer *
find(const char *name)
{
	struct timer *timer = timers_find(timers, name);

	ck_assert_ptr_nonnull(timer);
	return timer;
}

static void
pass(int64_t ms)
{
	now.boot += ms;
	now.wall += ms;
}

/* The name of the one that is due, or "". */
static const char *
due(void)
{
	int64_t wait;
	int which = timers_due(timers, &now, &wait);

	ck_assert_int_eq(which != -1, wait == 0);
	return which == -1 ? "" : timers->item[which].conf.name;
}

static int64_t
wait_for(void)
{
	int64_t wait;

	ck_assert_int_eq(timers_due(timers, &now, &wait), -1);
	return wait;
}

static void
begin(const char *name)
{
	ck_assert_str_eq(due(), name);
	timers_begin(timers, (int)(find(name) - timers->item), &now);
	ck_assert_str_eq(timers_running(timers), name);
}

static void
run(const char *name)
{
	begin(name);
	timers_end(timers, TIMER_SUCCESS, NULL, &now);
	ck_assert_ptr_null(timers_running(timers));
}

/* ---- dates --------------------------------------------------------------- */

static const int64_t times[] = { 0, 1, 30, 59, 60, 90, 119, 120, 150, 179, 180,
	181, 210, 720, 1380, 1410, 1439 };
#define TIMES (sizeof(times) / sizeof(times[0]))

static int64_t fired[TIMES]; /* the last date that was */

/* One minute of the oracle: its local date and time are known. */
static void
see(int64_t moment, int64_t day, int64_t minute)
{
	int64_t said;

	for (size_t i = 0; i < TIMES; i++) {
		if (fired[i] < day - 1) { /* its date ended before its time */
			fired[i]++;
			ck_assert(timers_moment(fired[i], times[i], &said));
			ck_assert_int_eq(said, moment);
		}
		if (fired[i] < day && minute >= times[i]) {
			fired[i]++;
			ck_assert(timers_moment(day, times[i], &said));
			ck_assert_int_eq(said, moment);
		}
	}
}

START_TEST(every_minute_of_a_year)
{
	int64_t moment = NOON, end = moment + 400 * 86400;
	struct tm tm;

	zone(zones[_i]);
	for (; moment < end; moment += 60) {
		time_t t = (time_t)moment;
		int64_t day;

		localtime_r(&t, &tm);
		day = (moment + tm.tm_gmtoff) / 86400;
		for (size_t i = 0; moment == NOON && i < TIMES; i++)
			fired[i] = day - (tm.tm_hour * 60 < times[i]);
		see(moment, day, tm.tm_hour * 60 + tm.tm_min);
		if (unit_is_slow() && tm.tm_hour > 4 && tm.tm_hour < 22)
			moment += 600 - 60;
	}
}
END_TEST

/* 2011-12-30 was left out in Samoa: whoever has no zoneinfo cannot know. */
START_TEST(a_date_that_does_not_exist)
{
	int64_t day = 15338, moment;

	if (access("/usr/share/zoneinfo/Pacific/Apia", R_OK) == -1)
		return;
	zone("Pacific/Apia");
	ck_assert(timers_moment(day - 1, 210, &moment));
	ck_assert_int_eq(moment, 1325165400);
	ck_assert(!timers_moment(day, 210, &moment));
	ck_assert(timers_moment(day + 1, 210, &moment));
	ck_assert_int_eq(moment, 1325165400 + 86400);
	now.wall = (1325165400 - 60) * S;
	CONFIGURE("a at 03:30");
	pass(MIN);
	run("a");
	ck_assert_int_eq(wait_for(), DAY);
}
END_TEST

/* ---- one at a time ------------------------------------------------------- */

START_TEST(an_interval)
{
	CONFIGURE("a every 10s");
	ck_assert_int_eq(wait_for(), 10 * S);
	pass(10 * S - 1);
	ck_assert_int_eq(wait_for(), 1);
	pass(1);
	run("a");
	ck_assert_int_eq(wait_for(), 10 * S);
	pass(14 * S); /* late: the grid stays */
	run("a");
	ck_assert_int_eq(wait_for(), 6 * S);
	pass(36 * S); /* 4 times in one run */
	run("a");
	ck_assert_str_eq(due(), "");
	ck_assert_uint_eq(find("a")->missed, 3);
	ck_assert_uint_eq(find("a")->begun, 3);
	now.wall -= 30 * DAY; /* concerns nobody */
	ck_assert_int_eq(wait_for(), 10 * S);
	ck_assert_int_eq(timers_next(find("a"), &now),
	    now.wall / 1000 + 10);
}
END_TEST

START_TEST(a_time_of_the_day)
{
	CONFIGURE("a at 03:30"); /* it is 13:00 */
	ck_assert_int_eq(wait_for(), 14 * HOUR + 30 * MIN);
	ck_assert_int_eq(timers_next(find("a"), &now), NOON + 52200);
	pass(14 * HOUR + 30 * MIN);
	run("a");
	ck_assert_int_eq(wait_for(), DAY);
	pass(5 * DAY + HOUR);
	run("a");
	ck_assert_uint_eq(find("a")->missed, 4);
	ck_assert_int_eq(wait_for(), 23 * HOUR);
}
END_TEST

START_TEST(none_for_a_time_that_was_before)
{
	CONFIGURE("a at 13:00", "b at 12:59", "c at 13:01");
	ck_assert_int_eq(wait_for(), MIN);
	pass(MIN);
	run("c");
	ck_assert_int_eq(wait_for(), DAY - 2 * MIN);
}
END_TEST

START_TEST(the_clock_is_put_back)
{
	CONFIGURE("a at 03:30");
	pass(15 * HOUR);
	run("a");
	now.wall -= 2 * HOUR; /* 03:30 comes again, the run does not */
	ck_assert_int_eq(wait_for(), DAY + 90 * MIN);
	now.wall -= DAY;
	ck_assert_int_eq(wait_for(), 2 * DAY + 90 * MIN);
	now.wall -= 365 * DAY; /* it was wrong before */
	ck_assert_int_eq(wait_for(), 90 * MIN);
	pass(2 * HOUR);
	run("a");
	ck_assert_uint_eq(find("a")->missed, 0);
}
END_TEST

START_TEST(the_clock_is_put_forward)
{
	now.wall = 5 * DAY; /* of 1970, as on a machine without a clock */
	CONFIGURE("a at 03:30", "b every 1m");
	now.wall = NOON * S;
	run("a");
	ck_assert_uint_eq(find("a")->missed, 20463);
	ck_assert_int_eq(wait_for(), MIN);
	ck_assert_uint_eq(find("b")->missed, 0);
}
END_TEST

START_TEST(the_one_that_waits_longest)
{
	CONFIGURE("a every 1s", "b every 3s", "c at 13:01");
	pass(4 * S);
	run("a");
	run("b");
	pass(MIN);
	begin("a");
	pass(10 * S); /* each comes, though the first is always due */
	timers_end(timers, TIMER_SUCCESS, NULL, &now);
	begin("b");
	pass(10 * S);
	timers_end(timers, TIMER_SUCCESS, NULL, &now);
	begin("c");
	pass(10 * S);
	timers_end(timers, TIMER_SUCCESS, NULL, &now);
	begin("a");
	timers_ask(find("b"));
	timers_end(timers, TIMER_SUCCESS, NULL, &now);
	run("b");
}
END_TEST

START_TEST(how_runs_end)
{
	struct timer *a;

	CONFIGURE("a every 10s");
	a = find("a");
	pass(10 * S);
	begin("a");
	ck_assert_int_eq(a->last, now.wall);
	ck_assert_int_eq(a->end, TIMER_NEVER);
	pass(1234);
	timers_end(timers, TIMER_LATE, "app.lua:1: late", &now);
	ck_assert_int_eq(a->took, 1234);
	ck_assert_str_eq(a->why, "app.lua:1: late");
	ck_assert_uint_eq(a->failures, 1);
	timers_end(timers, TIMER_KILLED, NULL, &now); /* none runs */
	ck_assert_int_eq(a->end, TIMER_LATE);
	pass(10 * S);
	begin("a");
	timers_end(timers, TIMER_KILLED, NULL, &now);
	ck_assert_str_eq(due(), ""); /* not at once again */
	ck_assert_str_eq(a->why, "");
	ck_assert_uint_eq(a->failures, 2);
	pass(10 * S);
	run("a");
	ck_assert_uint_eq(a->failures, 2);
	ck_assert_uint_eq(a->ended, 3);
}
END_TEST

START_TEST(a_run_that_is_asked_for)
{
	struct timer *a;

	CONFIGURE("a every 10s");
	a = find("a");
	ck_assert_uint_eq(timers_ask(a), 1);
	ck_assert_uint_eq(timers_ask(a), 1);
	begin("a");
	ck_assert_uint_eq(timers_ask(a), 2); /* not the one that runs */
	ck_assert_uint_eq(a->ended, 0);
	timers_end(timers, TIMER_SUCCESS, NULL, &now);
	ck_assert_uint_eq(a->ended, 1);
	run("a");
	ck_assert_int_eq(wait_for(), 10 * S); /* its times stay */
	timers_ask(a);
	pass(25 * S);
	run("a"); /* for both */
	ck_assert_str_eq(due(), "");
	ck_assert_uint_eq(a->missed, 1);
	ck_assert_uint_eq(timers_ask(a), 4);
	timers_give_up(timers, "no process", &now);
	ck_assert_str_eq(due(), "");
	ck_assert_uint_eq(a->ended, 4);
	ck_assert_int_eq(a->end, TIMER_FAILED);
	ck_assert_str_eq(a->why, "no process");
}
END_TEST

/* ---- over reloads and upgrades ------------------------------------------- */

START_TEST(a_reload)
{
	CONFIGURE("a every 10s", "b every 20s", "c at 03:30", "d at 03:31");
	pass(10 * S);
	begin("a");
	pass(5 * S);
	CONFIGURE("d at 03:31", "b every 30s", "e every 1s");
	ck_assert_str_eq(timers_running(timers), "a");
	ck_assert_ptr_null(timers_find(timers, "a"));
	ck_assert_int_eq(wait_for(), S);
	ck_assert_int_eq(find("b")->next, now.boot + 30 * S);
	CONFIGURE("b every 30s", "a every 10s");
	ck_assert_int_eq(wait_for(), 5 * S); /* as it was */
	CONFIGURE("b every 30s");
	timers_end(timers, TIMER_SUCCESS, NULL, &now);
	ck_assert_ptr_null(timers_running(timers));
	ck_assert_uint_eq(timers->n, 1);
	CONFIGURE("b at 00:00"); /* counts stay, times do not */
	ck_assert_int_gt(find("b")->next, NOON);
	configure((const char *const[]){ NULL });
	ck_assert_uint_eq(timers->n, 0);
	ck_assert_int_eq(wait_for(), -1);
}
END_TEST

START_TEST(as_many_others)
{
	const char *texts[TIMERS_MOST + 1] = { NULL };
	char text[2][TIMERS_MOST][TIMER_TEXT];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < TIMERS_MOST; i++) {
			sprintf(text[round][i], "%c%d every 1s",
			    round == 0 ? 'a' : 'b', i);
			texts[i] = text[round][i];
		}
		configure(texts);
		if (round == 0) {
			pass(S);
			begin("a0");
		}
	}
	ck_assert_uint_eq(timers->n, TIMERS_MOST + 1);
	ck_assert_str_eq(timers_running(timers), "a0");
	timers_end(timers, TIMER_SUCCESS, NULL, &now);
	ck_assert_uint_eq(timers->n, TIMERS_MOST);
	find("b31");
}
END_TEST

START_TEST(an_upgrade)
{
	struct buf out = { 0 }, all = { 0 };
	struct timers *next = timers_new();
	struct record record;
	const char *rest;
	size_t len;

	CONFIGURE("a every 10s", "b at 03:30");
	pass(35 * S);
	begin("a");
	timers_end(timers, TIMER_FAILED, "app.lua:3: no", &now);
	timers_ask(find("b"));
	begin("b");
	timers_ask(find("b"));
	timers_hand_over(timers, &out);
	record_put(&all, "timers", out.data, out.len);
	rest = all.data;
	len = all.len;
	ck_assert(record_next(&rest, &len, &record));
	timers_take_over(next, &record);
	next->users = timers->users;
	ck_assert_uint_eq(next->n, timers->n);
	ck_assert_int_eq(next->running, timers->running);
	ck_assert_int_eq(next->since, timers->since);
	for (size_t i = 0; i < next->n; i++) {
		const struct timer *x = &next->item[i], *y = &timers->item[i];

		ck_assert_str_eq(x->conf.name, y->conf.name);
		ck_assert_int_eq(x->conf.every, y->conf.every);
		ck_assert_int_eq(x->conf.at, y->conf.at);
		ck_assert_int_eq(x->next, y->next);
		ck_assert_int_eq(x->day, y->day);
		ck_assert_int_eq(x->asked, y->asked);
		ck_assert_uint_eq(x->begun, y->begun);
		ck_assert_uint_eq(x->ended, y->ended);
		ck_assert_uint_eq(x->failures, y->failures);
		ck_assert_uint_eq(x->missed, y->missed);
		ck_assert_int_eq(x->last, y->last);
		ck_assert_int_eq(x->took, y->took);
		ck_assert_int_eq(x->end, y->end);
		ck_assert_str_eq(x->why, y->why);
	}
	timers_leave(next);
	buf_free(&out);
	buf_free(&all);
}
END_TEST

/* ---- millions of steps --------------------------------------------------- */

static uint64_t seed;

static int64_t
draw(int64_t below)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (int64_t)(seed >> 20) % below;
}

#define SIMULATED 5

static struct {
	int64_t first[SIMULATED]; /* the first moment, or the date before */
	int64_t latest[SIMULATED]; /* the date of the last run */
	bool up, on_time; /* there is a process; there always was one */
	int64_t until; /* end of the run */
	int64_t high;  /* the wall clock at its furthest */
	unsigned runs;
} world;

static void
check_begin(int which)
{
	struct timer *timer = &timers->item[which];
	uint64_t times_passed;
	int64_t moment;

	timers_begin(timers, which, &now);
	world.runs++;
	times_passed = timer->begun + timer->missed;
	if (timer->conf.every > 0) {
		ck_assert_int_eq(timer->next, world.first[which] +
		    (int64_t)times_passed * timer->conf.every);
		ck_assert_int_gt(timer->next, now.boot);
		return;
	}
	/* A date has one run at the most, and that at its moment or later. */
	ck_assert_int_gt(timer->day, world.latest[which]);
	world.latest[which] = timer->day;
	ck_assert(timers_moment(timer->day, timer->conf.at, &moment));
	ck_assert_int_le(moment * 1000, now.wall);
	ck_assert_int_eq((int64_t)times_passed, timer->day -
	    world.first[which]);
	if (world.on_time) {
		ck_assert_uint_eq(timer->missed, 0);
		ck_assert_int_lt(now.wall - moment * 1000, HOUR);
	}
}

static void
jump(void)
{
	if (now.wall > world.high)
		world.high = now.wall;
	switch (draw(4)) {
	case 0: /* it sleeps */
		pass(draw(3 * DAY));
		break;
	case 1:
		now.wall += draw(40 * DAY);
		break;
	case 2: /* not as far as TIMERS_BACK, all in all */
		now.wall = world.high - draw(45 * HOUR);
		break;
	default:
		world.up = !world.up;
	}
}

/* Sleep as long as the table says, or until the run ends; wake up late, or too
 * early. */
static void
sleep_on(int64_t wait)
{
	int64_t left = timers->running != -1 ? world.until - now.boot : wait;

	if (!world.up)
		left = draw(2 * HOUR);
	if (left < 0)
		left = 0;
	switch (draw(4)) {
	case 0:
		left += draw(500);
		break;
	case 1:
		left -= draw(left + 1);
		break;
	default:
		break;
	}
	pass(left);
}

static void
simulate(const char *tz, bool jumps, unsigned steps)
{
	int64_t wait;
	int which;

	zone(tz);
	CONFIGURE("a every 7s", "b every 1m", "c at 02:30", "d at 00:00",
	    "e at 23:59");
	for (int i = 0; i < SIMULATED; i++) {
		struct timer *timer = &timers->item[i];

		world.first[i] = timer->conf.every > 0 ? timer->next :
							 timer->day;
		world.latest[i] = timer->day;
	}
	world.up = world.on_time = true;
	world.high = 0;
	for (; steps > 0; steps--) {
		if (jumps && draw(2000) == 0) {
			world.on_time = false;
			jump();
		}
		if (timers->running != -1 && (now.boot >= world.until ||
		    (jumps && draw(100) == 0)))
			timers_end(timers, draw(2) == 0 ? TIMER_SUCCESS :
			    TIMER_KILLED, NULL, &now);
		which = timers_due(timers, &now, &wait);
		if (which != -1 && world.up && timers->running == -1) {
			check_begin(which);
			world.until = now.boot + (draw(50) == 0 ?
			    draw(30 * MIN) : draw(2 * S));
		} else {
			sleep_on(wait);
		}
	}
}

START_TEST(simulation)
{
	for (int jumps = 0; jumps < 2; jumps++) {
		world.runs = 0;
		seed = (uint64_t)(_i * 2 + jumps);
		timers_leave(timers);
		setup();
		simulate(zones[_i], jumps, unit_is_slow() ? 3000 : 300000);
		ck_assert_uint_gt(world.runs, unit_is_slow() ? 100 : 30000);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("timers");
	TCase *tc = tcase_create("timers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_minute_of_a_year, 0,
	    sizeof(zones) / sizeof(zones[0]));
	tcase_add_test(tc, a_date_that_does_not_exist);
	tcase_add_test(tc, an_interval);
	tcase_add_test(tc, a_time_of_the_day);
	tcase_add_test(tc, none_for_a_time_that_was_before);
	tcase_add_test(tc, the_clock_is_put_back);
	tcase_add_test(tc, the_clock_is_put_forward);
	tcase_add_test(tc, the_one_that_waits_longest);
	tcase_add_test(tc, how_runs_end);
	tcase_add_test(tc, a_run_that_is_asked_for);
	tcase_add_test(tc, a_reload);
	tcase_add_test(tc, as_many_others);
	tcase_add_test(tc, an_upgrade);
	tcase_add_loop_test(tc, simulation, 0,
	    sizeof(zones) / sizeof(zones[0]));
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

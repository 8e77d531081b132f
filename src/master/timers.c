#include "master/timers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"

#define DAY    INT64_C(86400) /* s */
#define MINUTE INT64_C(60)
#define NEXT_MOST (INT64_C(1) << 50) /* to calculate with */

/* ---- the calendar -------------------------------------------------------- */

/* Seconds by which local time is ahead of UTC at that moment. */
static int64_t
ahead_at(int64_t moment)
{
	time_t t = (time_t)moment;
	struct tm tm = { .tm_gmtoff = 0 };

	localtime_r(&t, &tm);
	return tm.tm_gmtoff;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t
day_of(int64_t moment)
{
	return floor_div(moment + ahead_at(moment), DAY);
}

/* The moment within (early, late] at which local time changes: no more than one
 * change is expected there. */
static int64_t
change_between(int64_t early, int64_t late)
{
	int64_t before = ahead_at(early), middle;

	while (late - early > 1) {
		middle = early + (late - early) / 2;
		if (ahead_at(middle) == before)
			early = middle;
		else
			late = middle;
	}
	return late;
}

/* The first moment at which local time is `local` (seconds since 1970, as if it
 * were UTC) or later, having been earlier.  Local time is less than a day from
 * UTC. */
static int64_t
first_moment(int64_t local)
{
	int64_t early = local - DAY - DAY / 4, late = local + DAY + DAY / 4;
	int64_t before = ahead_at(early), after = ahead_at(late), change;

	if (before == after)
		return local - before;
	change = change_between(early, late);
	if (local - before < change)
		return local - before;
	return local - after > change ? local - after : change;
}

bool
timers_moment(int64_t day, int64_t at, int64_t *moment)
{
	*moment = first_moment(day * DAY + at * MINUTE);
	return day_of(*moment) == day ||
	    day_of(first_moment(day * DAY)) == day;
}

/* The last date whose moment has come by `wall` (s). */
static int64_t
last_day(int64_t at, int64_t wall)
{
	int64_t day = day_of(wall), moment;

	while (!timers_moment(day, at, &moment) || moment > wall)
		day--;
	return day;
}

/* Let the next date after timer->day be the next one that is due. */
static void
plan_day(struct timer *timer)
{
	int64_t day = timer->day + 1;

	while (!timers_moment(day, timer->conf.at, &timer->next))
		day++;
}

/* ---- one timer ----------------------------------------------------------- */

static bool
is_daily(const struct timer *timer)
{
	return timer->conf.every == 0;
}

/* Its times begin now. */
static void
plan(struct timer *timer, const struct timers_now *now)
{
	if (is_daily(timer)) {
		timer->day = last_day(timer->conf.at, now->wall / 1000);
		plan_day(timer);
	} else {
		timer->next = now->boot + timer->conf.every;
	}
}

/* ms until it is due; not positive: for how long it has been. */
static int64_t
wait_of(struct timer *timer, const struct timers_now *now)
{
	if (!is_daily(timer)) {
		if (timer->next - now->boot > timer->conf.every)
			plan(timer, now); /* of another machine's clock */
		return timer->next - now->boot;
	}
	if (timer->next - now->wall / 1000 > TIMERS_BACK)
		plan(timer, now);
	return timer->next * 1000 - now->wall;
}

/* Its run begins: count the times that have passed, and plan the next one. */
static void
pass(struct timer *timer, const struct timers_now *now)
{
	int64_t passed;

	if (wait_of(timer, now) > 0)
		return;
	if (is_daily(timer)) {
		int64_t day = last_day(timer->conf.at, now->wall / 1000);

		passed = day - timer->day;
		timer->day = day;
		plan_day(timer);
	} else {
		passed = (now->boot - timer->next) / timer->conf.every + 1;
		timer->next += passed * timer->conf.every;
	}
	if (passed > 1)
		timer->missed += (uint64_t)passed - 1;
}

int64_t
timers_next(const struct timer *timer, const struct timers_now *now)
{
	if (is_daily(timer))
		return timer->next;
	return (now->wall + timer->next - now->boot) / 1000;
}

static bool
same_times(const struct conf_timer *a, const struct conf_timer *b)
{
	return a->every == b->every && (a->every > 0 || a->at == b->at);
}

/* ---- all of them --------------------------------------------------------- */

struct timers *
timers_new(void)
{
	struct timers *timers = calloc(1, sizeof(*timers));

	if (timers == NULL)
		return NULL;
	timers->users = 1;
	timers->running = -1;
	return timers;
}

struct timers *
timers_join(struct timers *timers)
{
	timers->users++;
	return timers;
}

void
timers_leave(struct timers *timers)
{
	if (timers != NULL && --timers->users == 0)
		free(timers);
}

static struct timer *
look_up(struct timers *timers, const char *name)
{
	for (size_t i = 0; i < timers->n; i++)
		if (strcmp(timers->item[i].conf.name, name) == 0)
			return &timers->item[i];
	return NULL;
}

struct timer *
timers_find(struct timers *timers, const char *name)
{
	struct timer *timer = look_up(timers, name);

	return timer == NULL || timer->dropped ? NULL : timer;
}

static void
remove_at(struct timers *timers, size_t i)
{
	memmove(&timers->item[i], &timers->item[i + 1],
	    (timers->n - i - 1) * sizeof(timers->item[0]));
	timers->n--;
	if (timers->running > (int)i)
		timers->running--;
}

static bool
is_listed(const struct conf_list *list, const char *name)
{
	struct conf_timer conf;

	for (size_t i = 0; i < list->n; i++)
		if (conf_timer_read(list->item[i], &conf) == 0 &&
		    strcmp(conf.name, name) == 0)
			return true;
	return false;
}

/* The one that runs is dropped when its run is over. */
static void
drop_others(struct timers *timers, const struct conf_list *list)
{
	for (size_t i = timers->n; i-- > 0;) {
		if (is_listed(list, timers->item[i].conf.name))
			continue;
		if (timers->running == (int)i)
			timers->item[i].dropped = true;
		else
			remove_at(timers, i);
	}
}

static void
take(struct timers *timers, const struct conf_timer *conf,
    const struct timers_now *now)
{
	struct timer *timer = look_up(timers, conf->name);
	bool same = timer != NULL && same_times(&timer->conf, conf);

	if (timer == NULL) {
		timer = &timers->item[timers->n++];
		*timer = (struct timer){ .dropped = false };
	}
	timer->dropped = false;
	timer->conf = *conf;
	if (!same)
		plan(timer, now);
}

void
timers_configure(struct timers *timers, const struct conf_list *list,
    const struct timers_now *now)
{
	struct conf_timer conf;

	drop_others(timers, list);
	for (size_t i = 0; i < list->n && i < TIMERS_MOST; i++)
		if (conf_timer_read(list->item[i], &conf) == 0)
			take(timers, &conf, now);
}

/* ---- runs ---------------------------------------------------------------- */

int
timers_due(struct timers *timers, const struct timers_now *now, int64_t *wait)
{
	int64_t least = INT64_MAX, one;
	int which = -1;

	for (size_t i = 0; i < timers->n; i++) {
		struct timer *timer = &timers->item[i];

		if (timer->dropped)
			continue;
		one = timer->asked ? INT64_MIN : wait_of(timer, now);
		if (one < least) {
			least = one;
			which = (int)i;
		}
	}
	*wait = which == -1 ? -1 : least > 0 ? least : 0;
	return least > 0 ? -1 : which;
}

void
timers_begin(struct timers *timers, int which, const struct timers_now *now)
{
	struct timer *timer = &timers->item[which];

	pass(timer, now);
	timer->asked = false;
	timer->begun++;
	timer->last = now->wall;
	timers->running = which;
	timers->since = now->boot;
}

static void
note_end(struct timer *timer, enum timer_end end, const char *why)
{
	timer->ended = timer->begun;
	timer->end = end;
	timer->failures += end != TIMER_SUCCESS;
	snprintf(timer->why, sizeof(timer->why), "%s", why == NULL ? "" : why);
}

void
timers_end(struct timers *timers, enum timer_end end, const char *why,
    const struct timers_now *now)
{
	struct timer *timer;

	if (timers->running == -1)
		return;
	timer = &timers->item[timers->running];
	timer->took = now->boot - timers->since;
	note_end(timer, end, why);
	if (timer->dropped)
		remove_at(timers, (size_t)timers->running);
	timers->running = -1;
}

void
timers_give_up(struct timers *timers, const char *why,
    const struct timers_now *now)
{
	for (size_t i = 0; i < timers->n; i++) {
		struct timer *timer = &timers->item[i];

		if (!timer->asked || timer->dropped)
			continue;
		timer->asked = false;
		timer->begun++;
		timer->last = now->wall;
		timer->took = 0;
		note_end(timer, TIMER_FAILED, why);
	}
}

uint64_t
timers_ask(struct timer *timer)
{
	timer->asked = true;
	return timer->begun + 1;
}

const char *
timers_running(const struct timers *timers)
{
	return timers->running == -1 ? NULL :
	    timers->item[timers->running].conf.name;
}

static const char *const ends[] = {
	[TIMER_NEVER] = "none",
	[TIMER_SUCCESS] = "success",
	[TIMER_FAILED] = "failed",
	[TIMER_LATE] = "timeout",
	[TIMER_KILLED] = "killed"
};

const char *
timers_end_name(enum timer_end end)
{
	return ends[end];
}

/* ---- over an upgrade in place -------------------------------------------- */

static void
put(const struct timer *timer, struct buf *out)
{
	struct buf record = { 0 };
	char text[TIMER_TEXT];

	record_put_text(&record, "conf", conf_timer_text(&timer->conf, text));
	record_put_number(&record, "dropped", timer->dropped);
	record_put_number(&record, "next", timer->next);
	record_put_number(&record, "day", timer->day);
	record_put_number(&record, "asked", timer->asked);
	record_put_number(&record, "begun", (int64_t)timer->begun);
	record_put_number(&record, "ended", (int64_t)timer->ended);
	record_put_number(&record, "failures", (int64_t)timer->failures);
	record_put_number(&record, "missed", (int64_t)timer->missed);
	record_put_number(&record, "last", timer->last);
	record_put_number(&record, "took", timer->took);
	record_put_number(&record, "end", timer->end);
	record_put_text(&record, "why", timer->why);
	record_put_records(out, "timer", &record);
}

void
timers_hand_over(const struct timers *timers, struct buf *out)
{
	record_put_number(out, "running", timers->running);
	record_put_number(out, "since", timers->since);
	for (size_t i = 0; i < timers->n; i++)
		put(&timers->item[i], out);
}

static int
get(const struct record *record, struct timer *timer)
{
	char *conf = record_text(record, "conf");
	char *why = record_text(record, "why");
	int64_t end = record_number(record, "end", TIMER_NEVER);
	int result = conf == NULL ? -1 : conf_timer_read(conf, &timer->conf);

	timer->dropped = record_number(record, "dropped", 0) != 0;
	timer->next = num_most(0, num_least(record_number(record, "next", 0),
	    NEXT_MOST));
	timer->day = num_most(0, num_least(record_number(record, "day", 0),
	    NEXT_MOST / DAY));
	timer->asked = record_number(record, "asked", 0) != 0;
	timer->begun = (uint64_t)record_number(record, "begun", 0);
	timer->ended = (uint64_t)record_number(record, "ended", 0);
	timer->failures = (uint64_t)record_number(record, "failures", 0);
	timer->missed = (uint64_t)record_number(record, "missed", 0);
	timer->last = record_number(record, "last", 0);
	timer->took = record_number(record, "took", 0);
	if (end >= TIMER_NEVER && end <= TIMER_KILLED)
		timer->end = (enum timer_end)end;
	snprintf(timer->why, sizeof(timer->why), "%s", why == NULL ? "" : why);
	free(conf);
	free(why);
	return result;
}

void
timers_take_over(struct timers *timers, const struct record *record)
{
	const char *rest = record->value;
	size_t len = record->len;
	int64_t running = record_number(record, "running", -1);
	struct record part;

	while (record_next(&rest, &len, &part)) {
		struct timer timer = { .dropped = false };

		if (!record_is(&part, "timer") || timers->n > TIMERS_MOST)
			continue;
		if (get(&part, &timer) == -1)
			running = -1; /* of another build: its index is off */
		else
			timers->item[timers->n++] = timer;
	}
	timers->since = record_number(record, "since", 0);
	if (running >= 0 && running < (int64_t)timers->n)
		timers->running = (int)running;
}

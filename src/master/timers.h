#ifndef MASTER_TIMERS_H
#define MASTER_TIMERS_H

/*
 * The timers of a pool: when each is due, which one runs, how the last runs
 * ended.  All generations of a pool share one such table, so that no more than
 * one timer runs at a time whatever becomes of them.  Values in, values out,
 * and local time by TZ; simulated over millions of steps in
 * tests/unit/test_timers.c.
 *
 * `every` has a grid: it is due each so many ms of the boot-time clock, which no
 * change of the wall clock moves and which goes on while the machine sleeps.
 * `at` is due once for each local date, at the first moment at which the clock
 * shows that time or a later one: a time that the change to summer time leaves
 * out is due right after the gap, one that the change back shows twice at its
 * first occurrence.  If the wall clock is put back, a date that had its run gets
 * no other, unless it is put back by more than TIMERS_BACK.
 *
 * Times that pass while nothing can run (another timer runs, there is no
 * process, the clock jumped) are made up for by one run; the others count as
 * missed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/conf_timer.h"
#include "ipc/record.h"

#define TIMERS_BACK (INT64_C(3) * 86400) /* s */
#define TIMERS_WHY  240			 /* bytes */

struct timers_now {
	int64_t boot; /* ms of CLOCK_BOOTTIME */
	int64_t wall; /* ms since 1970, CLOCK_REALTIME */
};

enum timer_end { /* of the last run */
	TIMER_NEVER, /* there was none */
	TIMER_SUCCESS,
	TIMER_FAILED, /* interval raised, or no process came up for it */
	TIMER_LATE,   /* it was stopped at timeouts.request */
	TIMER_KILLED  /* its process ended */
};

struct timer {
	struct conf_timer conf;
	bool dropped; /* no longer configured, but it runs */
	int64_t next; /* every: ms of the boot-time clock; at: s since 1970 */
	int64_t day;  /* at: the last date that had its run, in days since
			 1970 */
	bool asked;	/* a run was asked for (timers_ask) */
	uint64_t begun; /* runs, ever */
	uint64_t ended;
	uint64_t failures;
	uint64_t missed;
	int64_t last;	/* ms since 1970 at the begin of the last run */
	int64_t took;	/* ms, of the last run that is over */
	enum timer_end end;
	char why[TIMERS_WHY]; /* it did not end well; a worker's own text */
};

struct timers {
	unsigned users; /* generations */
	struct timer item[TIMERS_MOST + 1]; /* one that was dropped may run */
	size_t n;
	int running;	  /* index, -1: none */
	int64_t since;	  /* ms of the boot-time clock at its begin */
	const void *holder; /* the generation that has the process, or NULL */
};

/* Make an empty table, which has one user; join and leave it: the last that
 * leaves frees it (NULL: no effect).  NULL: no memory. */
struct timers *timers_new(void);
struct timers *timers_join(struct timers *timers);
void timers_leave(struct timers *timers);

/* Let the table have the timers of a list (conf_pool.timers).  One that was
 * there keeps its counts, and if it is due at the same times, these too. */
void timers_configure(struct timers *timers, const struct conf_list *list,
    const struct timers_now *now);

/*
 * The timer to run now, the one that has waited longest; -1: none is due.  *wait
 * becomes the ms until the next one is due, as far as is known now, -1: never.
 * Call again when the wall clock was set.  Whether one runs plays no part.
 */
int timers_due(struct timers *timers, const struct timers_now *now,
    int64_t *wait);

/* The run of a timer begins; none may run. */
void timers_begin(struct timers *timers, int which,
    const struct timers_now *now);

/* The run has ended.  why: in one line, for an end that is not good; NULL:
 * nothing is known.  No effect if none runs. */
void timers_end(struct timers *timers, enum timer_end end, const char *why,
    const struct timers_now *now);

/* No process comes up to run those that were asked for: they have failed. */
void timers_give_up(struct timers *timers, const char *why,
    const struct timers_now *now);

/* The timer of that name, or NULL.  Ask for a run of it, beside its times: the
 * run that is over when `ended` is at least the result; a run that goes on has
 * not been asked for. */
struct timer *timers_find(struct timers *timers, const char *name);
uint64_t timers_ask(struct timer *timer);

/* The name of the one that runs, or NULL. */
const char *timers_running(const struct timers *timers);

/* Seconds since 1970 at which it is due next. */
int64_t timers_next(const struct timer *timer, const struct timers_now *now);

/* The word for an end: "success". */
const char *timers_end_name(enum timer_end end);

/* For the tests: seconds since 1970 at which a time of the day (in minutes) is
 * due on a date (in days since 1970), by the rule above; false: the date does
 * not exist. */
bool timers_moment(int64_t day, int64_t at, int64_t *moment);

/* Over an upgrade in place: append the fields of a record; an empty table
 * becomes what such a record says. */
void timers_hand_over(const struct timers *timers, struct buf *out);
void timers_take_over(struct timers *timers, const struct record *record);

#endif

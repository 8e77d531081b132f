#ifndef CONF_CONF_TIMER_H
#define CONF_CONF_TIMER_H

/*
 * One timer of a pool (the key timers): its name and when it is due.  The
 * configuration keeps each as a text, "cleanup every 1m" or "nightly at 03:30".
 * Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMERS_MOST 32 /* of a pool */
#define TIMER_NAME  33 /* bytes, the NUL included */
#define TIMER_TEXT  96

#define TIMER_SHORTEST INT64_C(100)		/* ms, of `every` */
#define TIMER_LONGEST  (INT64_C(30) * 86400000)

struct conf_timer {
	char name[TIMER_NAME];
	int64_t every; /* ms; 0: it is due once a day, */
	int64_t at;    /* so many minutes after midnight, local time */
};

/* True if a timer may have that name: 1 to 32 letters, digits, '_', '-'. */
bool conf_timer_is_name(const char *name);

/* Read an interval, "1m", or a time of the day, "03:30", into *timer, whose
 * other members stay.  0, or -1 with errno EINVAL or ERANGE. */
int conf_timer_every(const char *text, struct conf_timer *timer);
int conf_timer_at(const char *text, struct conf_timer *timer);

/* Read the text of a timer.  0, or -1 with errno EINVAL or ERANGE. */
int conf_timer_read(const char *text, struct conf_timer *timer);

/* Its text, in its shortest form, and the part of that behind the name.  Both
 * return out. */
const char *conf_timer_text(const struct conf_timer *timer,
    char out[TIMER_TEXT]);
const char *conf_timer_when(const struct conf_timer *timer,
    char out[TIMER_TEXT]);

#endif

#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

/*
 * Many timers that are mostly moved before they fire: a wheel of slots, one for
 * each tick, and a timer lies in the slot of its tick, whatever the turn.  To
 * set, move and clear one takes no time; a timer fires up to a tick late.
 * Allocates nothing; times are of one clock, in milliseconds.
 */

#include <stdint.h>

#define WHEEL_TICK  50 /* ms */
#define WHEEL_SLOTS 1024

struct wheel_timer { /* of its owner; all zero: not set */
	struct wheel_timer *next, **back; /* the wheel's */
	uint32_t due; /* in ticks */
};

struct wheel {
	struct wheel_timer *slot[WHEEL_SLOTS];
	int64_t origin;	  /* ms, tick 0 */
	uint32_t now;	  /* the ticks before it are over */
	uint32_t soonest; /* none is due before */
	uint32_t count;
};

void wheel_init(struct wheel *wheel, int64_t now);

/* Have it fire at `due`, or in the next tick if that is over; it may be set
 * already.  And clear it; no effect if it is not set. */
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, int64_t due);
void wheel_clear(struct wheel *wheel, struct wheel_timer *timer);

/* When it fires, in ms; -1: it is not set. */
int64_t wheel_when(const struct wheel *wheel, const struct wheel_timer *timer);

/* Take a timer that is due at `now`, which is not set any more; NULL: none is.
 * To be called until it returns NULL. */
struct wheel_timer *wheel_expired(struct wheel *wheel, int64_t now);

/* A time at which wheel_expired may have one, never a later one; -1: none is
 * set. */
int64_t wheel_due(struct wheel *wheel);

#endif

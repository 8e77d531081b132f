#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

/*
 * Time.  Deadlines and durations use the monotonic clock, so that a jump of
 * the wall clock does no harm; wall time is for display only.
 */

#include <stdint.h>

#define CLOCK_TEXT 40

/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);
int64_t clock_us(void);

/* The earlier of two times; -1 means never. */
int64_t clock_sooner(int64_t a, int64_t b);

/* Processor time of this process in microseconds; costs a system call. */
int64_t clock_cpu_us(void);

/* Microseconds since 1970 (CLOCK_REALTIME), for display. */
int64_t clock_wall_us(void);

/* Now as RFC 3339 with milliseconds, local zone:
 * "2026-11-20T13:24:01.123+01:00".  Returns out. */
const char *clock_text(char out[CLOCK_TEXT]);

#endif

#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/locale.h"

static int64_t
microseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_us(void)
{
	return microseconds(CLOCK_MONOTONIC);
}

int64_t
clock_sooner(int64_t a, int64_t b)
{
	return a == -1 || (b != -1 && b < a) ? b : a;
}

int64_t
clock_cpu_us(void)
{
	return microseconds(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t
clock_wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const char *
clock_text(char out[CLOCK_TEXT])
{
	struct timespec now;
	struct tm tm;
	char day[24], zone[8];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	locale_time(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	locale_time(zone, sizeof(zone), "%z", &tm);
	snprintf(out, CLOCK_TEXT, "%s.%03d%.3s:%.2s", day,
	    (int)(now.tv_nsec / 1000000), zone, zone + 3);
	return out;
}

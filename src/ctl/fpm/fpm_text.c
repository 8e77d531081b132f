#include "ctl/fpm/fpm_text.h"

#include <inttypes.h>
#include <stdio.h>

const char *
fpm_duration(int64_t us, char out[FPM_TEXT])
{
	int64_t ms = us / 1000, s = us / 1000000, m = s / 60, h = m / 60;

	if (us < 1000)
		snprintf(out, FPM_TEXT, "%" PRId64 "us", us < 0 ? 0 : us);
	else if (ms < 1000)
		snprintf(out, FPM_TEXT, "%" PRId64 "ms", ms);
	else if (s < 10)
		snprintf(out, FPM_TEXT, "%" PRId64 ".%" PRId64 "s", s,
		    ms % 1000 / 100);
	else if (m < 1)
		snprintf(out, FPM_TEXT, "%" PRId64 "s", s);
	else if (h < 1)
		snprintf(out, FPM_TEXT, "%" PRId64 "m%02" PRId64, m, s % 60);
	else if (h < 24)
		snprintf(out, FPM_TEXT, "%" PRId64 "h%02" PRId64 "m", h,
		    m % 60);
	else
		snprintf(out, FPM_TEXT, "%" PRId64 "d%" PRId64 "h", h / 24,
		    h % 24);
	return out;
}

/* A number below `plain` has all its digits, others at least two. */
static const char *
scaled(int64_t n, int64_t plain, double step, char out[FPM_TEXT])
{
	static const char units[] = "KMGTPE";
	double value = (double)n;
	int unit = -1;

	if (n < plain) {
		snprintf(out, FPM_TEXT, "%" PRId64, n < 0 ? 0 : n);
		return out;
	}
	for (; value >= step && units[unit + 1] != '\0'; unit++)
		value /= step;
	snprintf(out, FPM_TEXT, value < 9.95 ? "%.1f%c" : "%.0f%c", value,
	    units[unit]);
	return out;
}

const char *
fpm_size(int64_t bytes, char out[FPM_TEXT])
{
	return scaled(bytes, 1024, 1024, out);
}

const char *
fpm_count(int64_t n, char out[FPM_TEXT])
{
	return scaled(n, 1000000, 1000, out);
}

const char *
fpm_rate(double rate, char out[FPM_TEXT])
{
	snprintf(out, FPM_TEXT, rate > 0 && rate < 9.95 ? "%.1f" : "%.0f",
	    rate);
	return out;
}

const char *
fpm_visible(const char *text, size_t n, char *out, size_t size)
{
	size_t i;

	for (i = 0; i < n && i + 1 < size; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	out[i] = '\0';
	return out;
}

#ifndef CONF_FORMAT_H
#define CONF_FORMAT_H

/*
 * Compile the format of an access log, logs.access_format, to a list of items.
 * lua-fpm-logs(7) describes each specifier; status/access.h formats a line by
 * the items.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/why.h"

#define FORMAT_STAMP 128 /* room for a time as text */

struct format_item {
	char op;      /* the specifier's letter; 0: copy text */
	int unit;     /* enum format_unit */
	char *text;   /* the text, a name, or a format for strftime(3) */
	size_t len;
	time_t second; /* which `stamp` shows, made once a second; -1: none */
	char stamp[FORMAT_STAMP];
	size_t stamp_len;
};

enum format_unit { /* its meaning for time; for memory; for CPU time */
	UNIT_ONE,   /* seconds; bytes; total: the default */
	UNIT_MILLI, /* milliseconds; kilobytes; user */
	UNIT_MICRO  /* microseconds; megabytes; system */
};

struct format {
	struct format_item *item;
	size_t n;
	bool json; /* begins with '{': values are escaped for JSON */
	bool cpu;  /* an item needs the CPU time of the request */
	bool first; /* an item needs the time of its first byte */
};

/*
 * Compile a format, or a preset by its name: "default", "common", "combined",
 * "json".  0, or -1 and why, with the place of the fault.  The caller calls
 * format_free in either case.
 */
int format_compile(struct format *format, const char *text, struct why *why);
void format_free(struct format *format);

#endif

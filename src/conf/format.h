#ifndef CONF_FORMAT_H
#define CONF_FORMAT_H

/*
 * The format of an access log, logs.access_format, compiled: text in, a list
 * of items out, faults with their place.  Pure; lua-fpm-logs(7) says what each
 * specifier means, status/access.h makes a line of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/why.h"

#define FORMAT_STAMP 128 /* room for a time as text */

struct format_item {
	char op;      /* the specifier's letter, 0: text as it stands */
	int unit;     /* see format_unit */
	char *text;   /* the text, a name, or what strftime(3) takes */
	size_t len;
	time_t second; /* renders once a second: of this the text is */
	char stamp[FORMAT_STAMP];
	size_t stamp_len;
};

enum format_unit { /* the first of each specifier is its default */
	UNIT_ONE,   /* seconds; bytes; total */
	UNIT_MILLI, /* milliseconds; kilobytes; user */
	UNIT_MICRO  /* microseconds; megabytes; system */
};

struct format {
	struct format_item *item;
	size_t n;
	bool json; /* begins with '{': values are escaped for JSON */
	bool cpu;  /* the CPU time of a request is wanted */
	bool first; /* and the time of its first byte */
};

/*
 * A format, or the name of a preset: "default", "common", "combined", "json".
 * 0, or -1 and why.  To be given back with format_free, in either case.
 */
int format_compile(struct format *format, const char *text, struct why *why);
void format_free(struct format *format);

#endif

#ifndef CONF_CONF_SCAN_H
#define CONF_CONF_SCAN_H

/*
 * Find what libconfig 1.5 would read wrongly without an error, before it reads:
 * an integer that does not fit an int becomes another number, a NUL ends the
 * text early, a comment without an end hides the rest, a string without an end
 * leaks memory, and @include of a directory or a lack of memory ends the
 * process.  All other faults are left to libconfig.  Pure.
 */

#include <stddef.h>

#include "base/why.h"

/* 0, or -1 and why, with its line, for the first of these faults. */
int conf_scan(const char *text, size_t len, struct why *why);

#endif

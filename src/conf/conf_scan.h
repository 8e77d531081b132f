#ifndef CONF_CONF_SCAN_H
#define CONF_CONF_SCAN_H

/*
 * What libconfig 1.5 would get wrong without a word, found before it reads:
 * an integer that does not fit an int becomes another number, a NUL ends the
 * text early, a comment without an end swallows the rest, a string without
 * one leaks, and @include of a directory ends the process, as does a want of
 * memory.  Pure: bytes in, verdict out; everything else about the text is
 * libconfig's to judge.
 */

#include <stddef.h>

#include "base/why.h"

/* 0, or -1 and why, with its line, for the first thing of that kind. */
int conf_scan(const char *text, size_t len, struct why *why);

#endif

#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

/*
 * Bytes from anywhere as text that people and terminals can be shown: on one
 * line, in well-formed UTF-8, and never able to forge a line.  Pure; runs
 * everywhere.
 */

#include <stddef.h>

#include "base/buf.h"

/* Bytes of the well-formed UTF-8 character that n > 0 bytes begin with, 0 if
 * they do not, or if it is a control character. */
size_t escape_character(const char *text, size_t n);

/* Append n bytes: control bytes and what is not UTF-8 appear as \n, \t, \r
 * or \xHH, all else as it is. */
void escape_text(struct buf *out, const char *text, size_t n);

/* The same of many lines: their ends and tabs stay. */
void escape_lines(struct buf *out, const char *text, size_t n);

/* The same of one line into `size` bytes, terminated and cut between
 * characters if there is no room; needs no memory.  Returns its length. */
size_t escape_cut(const char *text, size_t n, char *out, size_t size);

/* Append n bytes as a JSON string, in its quotes.  A byte that is not UTF-8
 * appears as the four characters \xHH. */
void escape_json(struct buf *out, const char *text, size_t n);

#endif

#ifndef BASE_ESCAPE_H
#define BASE_ESCAPE_H

/*
 * Bytes of any origin made safe to show: well-formed UTF-8 without control
 * characters, so that they can neither steer a terminal nor forge a line of a
 * log.  Pure; runs everywhere.
 */

#include <stddef.h>

#include "base/buf.h"

/* Returns the length of the UTF-8 character at the start of n > 0 bytes; 0 if
 * no well-formed one is there, or a control character. */
size_t escape_character(const char *text, size_t n);

/* Append n bytes.  Control characters and bytes that are not UTF-8 become \n,
 * \t, \r or \xHH; the rest is copied. */
void escape_text(struct buf *out, const char *text, size_t n);

/* As escape_text for several lines: keeps tabs, "\n" and "\r\n". */
void escape_lines(struct buf *out, const char *text, size_t n);

/* As escape_text into `size` > 0 bytes, terminated; a text that is too long is
 * cut between characters.  Allocates nothing.  Returns the length. */
size_t escape_cut(const char *text, size_t n, char *out, size_t size);

/* Append n bytes as a field of a line, perhaps between quotes: control
 * characters, bytes that are not UTF-8, quotes and backslashes become \xHH. */
void escape_field(struct buf *out, const char *text, size_t n);

/* Append n bytes as a JSON string with its quotes, or as a part of one.  A byte
 * that is not UTF-8 becomes the four characters \xHH in the string. */
void escape_json(struct buf *out, const char *text, size_t n);
void escape_json_part(struct buf *out, const char *text, size_t n);

#endif

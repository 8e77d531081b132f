#include "base/escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

size_t
escape_character(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned code = p[0];
	size_t size, i;

	if (code < 0x80)
		return code >= 0x20 && code != 0x7f;
	size = code >= 0xf0 ? 4 : code >= 0xe0 ? 3 : 2;
	if (code < 0xc2 || code > 0xf4 || size > n)
		return 0;
	code &= 0x7fU >> size;
	for (i = 1; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	/* C1 controls, overlong forms, beyond U+10FFFF, surrogates */
	if (code < 0xa0 || (size == 3 && code < 0x800) ||
	    (size == 4 && code < 0x10000) || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return size;
}

static size_t
name_byte(char out[5], unsigned char byte)
{
	static const char names[] = "n\nt\tr\r";
	const char *name = byte == 0 ? NULL : strchr(names, byte);

	if (byte < 0x20 && name != NULL)
		return (size_t)snprintf(out, 5, "\\%c", name[-1]);
	return (size_t)snprintf(out, 5, "\\x%02x", byte);
}

static void
show_byte(struct buf *out, unsigned char byte)
{
	char text[5];

	buf_add(out, text, name_byte(text, byte));
}

static bool
is_quoting(char c)
{
	return c == '"' || c == '\\';
}

/* The length of what stands as it is at the start of n bytes; quoting: without
 * quotes and backslashes. */
static size_t
plain_length(const char *text, size_t n, bool quoting)
{
	size_t len = 0, size;

	while (len < n && !(quoting && is_quoting(text[len]))) {
		if (text[len] >= ' ' && text[len] < 0x7f)
			size = 1; /* as most are */
		else if ((size = escape_character(text + len, n - len)) == 0)
			break;
		len += size;
	}
	return len;
}

/* Append what stands as it is; pass each other byte to `byte`. */
static void
show(struct buf *out, const char *text, size_t n, bool quoting,
    void (*byte)(struct buf *out, unsigned char byte))
{
	size_t plain;

	while (n > 0) {
		plain = plain_length(text, n, quoting);
		buf_add(out, text, plain);
		if (plain == n)
			return;
		byte(out, (unsigned char)text[plain]);
		text += plain + 1;
		n -= plain + 1;
	}
}

void
escape_text(struct buf *out, const char *text, size_t len)
{
	show(out, text, len, false, show_byte);
}

/* A carriage return is kept before a newline only. */
void
escape_lines(struct buf *out, const char *text, size_t n)
{
	size_t piece, end;

	for (; n > 0; text += end, n -= end) {
		for (piece = 0; piece < n && text[piece] != '\n' &&
		    text[piece] != '\t'; piece++)
			;
		end = piece < n ? piece + 1 : n;
		if (piece < n && piece > 0 && text[piece] == '\n' &&
		    text[piece - 1] == '\r')
			piece--;
		escape_text(out, text, piece);
		buf_add(out, text + piece, end - piece);
	}
}

size_t
escape_cut(const char *text, size_t n, char *out, size_t size)
{
	size_t used = 0, step, len;
	const char *shown;
	char byte[5];

	for (; n > 0; text += step, n -= step, used += len) {
		shown = text;
		len = step = escape_character(text, n);
		if (step == 0) {
			shown = byte;
			len = name_byte(byte, (unsigned char)*text);
			step = 1;
		}
		if (used + len >= size)
			break;
		memcpy(out + used, shown, len);
	}
	out[used] = '\0';
	return used;
}

static void
show_json_byte(struct buf *out, unsigned char byte)
{
	static const char names[] = "n\nt\tr\r";
	const char *name = byte == 0 ? NULL : strchr(names, byte);

	if (byte == '"' || byte == '\\')
		buf_addf(out, "\\%c", byte);
	else if (byte < 0x20 && name != NULL)
		buf_addf(out, "\\%c", name[-1]);
	else
		buf_addf(out, byte < 0x80 ? "\\u%04x" : "\\\\x%02x", byte);
}

void
escape_json_part(struct buf *out, const char *text, size_t n)
{
	show(out, text, n, true, show_json_byte);
}

void
escape_json(struct buf *out, const char *text, size_t n)
{
	buf_putc(out, '"');
	escape_json_part(out, text, n);
	buf_putc(out, '"');
}

static void
show_field_byte(struct buf *out, unsigned char byte)
{
	buf_addf(out, "\\x%02x", byte);
}

void
escape_field(struct buf *out, const char *text, size_t n)
{
	show(out, text, n, true, show_field_byte);
}

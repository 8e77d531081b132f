#include "base/escape.h"

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

/* Append characters as they are; pass each byte of the others, and of those
 * in `special`, to `byte`. */
static void
show(struct buf *out, const char *text, size_t len, const char *special,
    void (*byte)(struct buf *out, unsigned char byte))
{
	const unsigned char *p = (const unsigned char *)text;
	size_t size, plain = 0;

	while (plain < len) {
		size = escape_character((const char *)p + plain, len - plain);
		if (size > 0 && strchr(special, p[plain]) == NULL) {
			plain += size;
			continue;
		}
		buf_add(out, p, plain);
		byte(out, p[plain]);
		p += plain + 1;
		len -= plain + 1;
		plain = 0;
	}
	buf_add(out, p, plain);
}

void
escape_text(struct buf *out, const char *text, size_t len)
{
	show(out, text, len, "", show_byte);
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
escape_json(struct buf *out, const char *text, size_t len)
{
	buf_putc(out, '"');
	show(out, text, len, "\"\\", show_json_byte);
	buf_putc(out, '"');
}

#include "worker/lua/lib/urlencoded.h"

#include <stdint.h>
#include <string.h>

/* 0 to 15, or -1. */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t
urlencoded_decode(const char *text, size_t n, char *out, bool *malformed)
{
	const char *end = text + n;
	char *to = out;

	for (; text < end; text++) {
		if (*text == '+') {
			*to++ = ' ';
		} else if (*text != '%') {
			*to++ = *text;
		} else if (end - text > 2 && digit(text[1]) != -1 &&
		    digit(text[2]) != -1) {
			*to++ = (char)(digit(text[1]) << 4 | digit(text[2]));
			text += 2;
		} else {
			*malformed = true;
			*to++ = *text;
		}
	}
	return (size_t)(to - out);
}

/* The length of the character of several bytes at the start of n > 0 bytes, 0
 * if none is there. */
static size_t
sequence(const unsigned char *s, size_t n)
{
	size_t len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4, i;

	if (s[0] < 0xc2 || s[0] > 0xf4 || n < len)
		return 0;
	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

bool
urlencoded_is_utf8(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text, *end = s + n;
	uint64_t eight;
	size_t len;

	while (s < end) {
		if (end - s >= 8) {
			memcpy(&eight, s, 8);
			if ((eight & UINT64_C(0x8080808080808080)) == 0) {
				s += 8;
				continue;
			}
		}
		len = *s < 0x80 ? 1 : sequence(s, (size_t)(end - s));
		if (len == 0)
			return false;
		s += len;
	}
	return true;
}

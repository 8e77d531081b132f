/* Decoding what forms send: what comes out encodes to what comes out again. */

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "worker/lua/lib/urlencoded.h"

/* By the bytes that a character's code would have. */
static size_t
character(const uint8_t *s, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 :
	    s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
	uint32_t code = len < 2 ? s[0] : s[0] & (0xffu >> (len + 1));

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	return code < least[len] || code > 0x10ffff || code >> 11 == 0x1b ?
	    0 : len;
}

static bool
is_utf8(const uint8_t *s, size_t n)
{
	size_t at = 0, len;

	while (at < n) {
		if ((len = character(s + at, n - at)) == 0)
			return false;
		at += len;
	}
	return true;
}

FUZZ(urlencoded)
{
	char *decoded = malloc(size + 1), *coded, *again;
	bool malformed = false;
	size_t n = urlencoded_decode((const char *)data, size, decoded,
	    &malformed);

	must(n <= size);
	must(!malformed || memchr(data, '%', size) != NULL);
	coded = malloc(3 * n + 1);
	again = malloc(3 * n + 1);
	for (size_t i = 0; i < n; i++)
		sprintf(coded + 3 * i, i % 2 ? "%%%02x" : "%%%02X",
		    (unsigned char)decoded[i]);
	malformed = false;
	must(urlencoded_decode(coded, 3 * n, again, &malformed) == n);
	must(!malformed && memcmp(again, decoded, n) == 0);
	must(urlencoded_is_utf8(decoded, n) ==
	    is_utf8((const uint8_t *)decoded, n));
	must(urlencoded_is_utf8((const char *)data, size) ==
	    is_utf8(data, size));
	free(again);
	free(coded);
	free(decoded);
}

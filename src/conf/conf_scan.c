#include "conf/conf_scan.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define MEMORY (256 * 1024) /* bytes that libconfig may need for no text */

struct text {
	const char *start;
	const char *end;
};

static int
refuse(const struct text *text, const char *at, struct why *why,
    const char *what)
{
	why_set(why, "%s", what);
	why->line = 1;
	for (const char *p = text->start; p < at; p++)
		why->line += *p == '\n';
	return -1;
}

/* The end of the string at p; NULL if it does not end. */
static const char *
after_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
	}
	return p < end ? p + 1 : NULL;
}

static const char *
after_line(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));

	return newline != NULL ? newline + 1 : end;
}

/* The end of the comment, or of the '/', at p; NULL if it does not end. */
static const char *
after_slash(const char *p, const char *end)
{
	const char *close;

	if (p + 1 < end && p[1] == '/')
		return after_line(p, end);
	if (p + 1 == end || p[1] != '*')
		return p + 1;
	close = memmem(p + 2, (size_t)(end - p) - 2, "*/", 2);
	return close != NULL ? close + 2 : NULL;
}

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("_*+-.", c));
}

/* True if the word is an integer, neither a name nor a float, that libconfig
 * would change to fit an int. */
static bool
wraps(const char *word, size_t len)
{
	char copy[32] = "", *end;
	long long value;

	memcpy(copy, word, len < sizeof(copy) ? len : sizeof(copy) - 1);
	errno = 0;
	value = strtoll(copy, &end, strncasecmp(copy, "0x", 2) == 0 ? 16 : 10);
	if (end == copy || (*end != '\0' && *end != 'L'))
		return false;
	return errno == ERANGE ||
	    (*end == '\0' && (value < INT_MIN || value > INT_MAX));
}

/* The end of the word at start; NULL if it is a number that wraps. */
static const char *
after_word(const char *start, const char *end)
{
	const char *p = start;

	while (p < end && is_word(*p))
		p++;
	return wraps(start, (size_t)(p - start)) ? NULL : p;
}

/* The end of the token at p; or NULL, and *wrong says what is wrong with it. */
static const char *
after_token(const char *p, const char *end, const char **wrong)
{
	switch (*p) {
	case '"':
		*wrong = "a string without an end";
		return after_string(p, end);
	case '/':
		*wrong = "a comment without an end";
		return after_slash(p, end);
	case '#':
		return after_line(p, end);
	case '@':
		*wrong = "@include is not supported: set the key include";
		return NULL;
	default:
		*wrong = "an integer that is too large";
		return is_word(*p) ? after_word(p, end) : p + 1;
	}
}

int
conf_scan(const char *start, size_t len, struct why *why)
{
	const struct text text = { start, start + len };
	const char *p = len > 0 ? memchr(start, '\0', len) : NULL;
	const char *next, *wrong;

	if (p != NULL)
		return refuse(&text, p, why, "a NUL byte: this is no text");
	for (p = text.start; p < text.end; p = next) {
		next = after_token(p, text.end, &wrong);
		if (next == NULL)
			return refuse(&text, p, why, wrong);
	}
	if (buf_possible(MEMORY + 32 * len))
		return 0;
	why_set(why, "%s", strerror(ENOMEM));
	return -1;
}

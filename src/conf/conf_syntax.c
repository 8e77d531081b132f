#include "conf/conf_syntax.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEEPEST	   64	/* groups and lists within each other */
#define NAMES_MOST 4096 /* that are compared for being there twice */
#define SHOWN	   60	/* bytes of the text in a fault */

struct open { /* a group, list or array that has begun */
	char end; /* the sign that ends it */
	int line;
	int indent;	  /* of its line */
	const char *name; /* of its setting; NULL: an item of a list */
	size_t len;
	unsigned serial;
};

struct name {
	const char *text;
	size_t len;
	unsigned group; /* serial of the group it is in */
	int line;
};

struct syntax {
	const char *start, *end;
	const char *p; /* what comes next, after blanks and comments */
	int line;      /* of p */
	struct why *why;
	struct open open[DEEPEST];
	size_t depth;
	unsigned serial; /* of the group begun last */
	int unclosed;	 /* the line of a group that its indentation tells
			    from the sign that ended it; 0: none */
	const char *unclosed_name;
	size_t unclosed_len;
	int comma; /* the line of a ',' at the end of a list; 0: none */
	struct name *names;
	size_t nnames;
};

static int __attribute__((format(printf, 3, 4)))
fault(struct syntax *s, int line, const char *fmt, ...)
{
	char text[sizeof(s->why->text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	why_set(s->why, "%s", text);
	s->why->line = line;
	return -1;
}

/* ---- tokens -------------------------------------------------------------- */

static void
step(struct syntax *s, size_t n)
{
	for (; n > 0 && s->p < s->end; n--, s->p++)
		s->line += *s->p == '\n';
}

static bool
next_is(const struct syntax *s, const char *sign)
{
	size_t n = strlen(sign);

	return (size_t)(s->end - s->p) >= n && memcmp(s->p, sign, n) == 0;
}

static char
next(const struct syntax *s)
{
	return s->p < s->end ? *s->p : '\0';
}

static void
skip_comment(struct syntax *s)
{
	step(s, 2);
	while (s->p < s->end && !next_is(s, "*/"))
		step(s, 1);
	step(s, 2);
}

static void
skip_blanks(struct syntax *s)
{
	while (s->p < s->end) {
		if (isspace((unsigned char)*s->p))
			step(s, 1);
		else if (*s->p == '#' || next_is(s, "//"))
			while (s->p < s->end && *s->p != '\n')
				step(s, 1);
		else if (next_is(s, "/*"))
			skip_comment(s);
		else
			return;
	}
}

/* The length of what stands at p as its writer sees it: up to a blank or a sign
 * that ends a value. */
static size_t
raw_length(const struct syntax *s)
{
	const char *p = s->p;

	while (p < s->end && !isspace((unsigned char)*p) &&
	    strchr(";,{}()", *p) == NULL)
		p++;
	return p > s->p ? (size_t)(p - s->p) : p < s->end;
}

/* What stands at p, between quotes. */
static const char *
found(const struct syntax *s, char out[SHOWN + 8])
{
	size_t n = raw_length(s);

	if (n == 0)
		return strcpy(out, "the end of the file");
	snprintf(out, SHOWN + 8, *s->p == '"' ? "%.*s%s" : "\"%.*s\"%s",
	    (int)(n < SHOWN ? n : SHOWN), s->p, n < SHOWN ? "" : "...");
	return out;
}

static size_t
name_length(const struct syntax *s)
{
	const char *p = s->p;

	if (p == s->end || (!isalpha((unsigned char)*p) && *p != '*'))
		return 0;
	while (p < s->end && (isalnum((unsigned char)*p) || (*p != '\0' &&
	    strchr("_*-", *p) != NULL)))
		p++;
	return (size_t)(p - s->p);
}

static bool
word_is(const char *word, size_t len, const char *other)
{
	return strlen(other) == len && strncasecmp(word, other, len) == 0;
}

/* True if the n bytes at p are a number or a boolean. */
static bool
is_plain(const char *p, size_t n)
{
	char copy[64] = "", *end;

	if (word_is(p, n, "true") || word_is(p, n, "false"))
		return true;
	if (n == 0 || n >= sizeof(copy))
		return false;
	memcpy(copy, p, n);
	if (strchr("+-.0123456789", *copy) == NULL)
		return false;
	if (strncasecmp(copy, "0x", 2) == 0)
		strtoull(copy, &end, 16);
	else
		strtod(copy, &end);
	end += strspn(end, "L");
	return *end == '\0';
}

/* ---- groups and lists ---------------------------------------------------- */

static int
indent_of(const struct syntax *s, const char *p)
{
	int n = 0;

	while (p > s->start && p[-1] != '\n')
		p--;
	for (; p < s->end && (*p == ' ' || *p == '\t'); p++)
		n += *p == '\t' ? 8 - n % 8 : 1;
	return n;
}

/* True if nothing but blanks stands before p in its line. */
static bool
is_first(const struct syntax *s)
{
	const char *p = s->p;

	while (p > s->start && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p == s->start || p[-1] == '\n';
}

static int
enter(struct syntax *s, const char *name, size_t len)
{
	struct open *open = &s->open[s->depth];

	if (s->depth == DEEPEST)
		return fault(s, s->line, "more than %d groups within each "
		    "other", DEEPEST);
	*open = (struct open){ .line = s->line, .indent = indent_of(s, s->p),
		.end = *s->p == '{' ? '}' : *s->p == '(' ? ')' : ']',
		.name = name, .len = len, .serial = ++s->serial };
	s->depth++;
	step(s, 1);
	return 0;
}

/* A '}' further to the left than the line of its '{' shows that an inner group
 * was not closed. */
static void
leave(struct syntax *s)
{
	const struct open *open = &s->open[--s->depth];

	if (s->unclosed == 0 && is_first(s) &&
	    indent_of(s, s->p) < open->indent) {
		s->unclosed = open->line;
		s->unclosed_name = open->name;
		s->unclosed_len = open->len;
	}
	step(s, 1);
}

static int
fault_end(struct syntax *s)
{
	const struct open *open = &s->open[s->depth - 1];
	bool known = s->unclosed != 0 && open->end == '}';
	const char *name = known ? s->unclosed_name : open->name;
	size_t len = known ? s->unclosed_len : open->len;

	if (name == NULL)
		return fault(s, open->line, "a '%c' is missing for the list "
		    "that begins here", open->end);
	return fault(s, known ? s->unclosed : open->line,
	    "a '%c' is missing for \"%.*s\", which begins here", open->end,
	    (int)len, name);
}

/* ---- names --------------------------------------------------------------- */

static int
note_name(struct syntax *s, size_t len)
{
	unsigned group = s->depth == 0 ? 0 : s->open[s->depth - 1].serial;
	struct name *grown;

	for (size_t i = 0; i < s->nnames; i++) {
		const struct name *n = &s->names[i];

		if (n->group == group && n->len == len &&
		    memcmp(n->text, s->p, len) == 0)
			return fault(s, s->line, "\"%.*s\" is there twice, "
			    "first in line %d", (int)len, s->p, n->line);
	}
	if (s->nnames == NAMES_MOST)
		return 0;
	grown = reallocarray(s->names, s->nnames + 1, sizeof(*grown));
	if (grown == NULL)
		return 0;
	s->names = grown;
	grown[s->nnames++] = (struct name){ s->p, len, group, s->line };
	return 0;
}

/* The text at p is no name although one must stand there. */
static int
fault_name(struct syntax *s)
{
	size_t n = raw_length(s), word = 0;
	char text[SHOWN + 8];

	while (word < n && (isalnum((unsigned char)s->p[word]) ||
	    strchr("._*-", s->p[word]) != NULL))
		word++;
	if (*s->p == '[' && s->depth == 0)
		return fault(s, s->line, "found %s, which is the syntax of "
		    "php-fpm: a pool is written pools: { www: { ... }; }; "
		    "lua-fpm --from-php-fpm translates a file", found(s, text));
	if (*s->p == ';')
		return fault(s, s->line, "a ';' where a key was expected; "
		    "comments begin with '#'");
	if (strchr("})]", *s->p) != NULL)
		return fault(s, s->line, "a '%c' that closes nothing, or not "
		    "what is open", *s->p);
	if (word > 0)
		return fault(s, s->line, "\"%.*s\" is no name: names begin "
		    "with a letter and have letters, digits, '_' and '-'",
		    (int)(word < SHOWN ? word : SHOWN), s->p);
	return fault(s, s->line, "expected the name of a key, found %s",
	    found(s, text));
}

/* ---- values -------------------------------------------------------------- */

static void
skip_string(struct syntax *s)
{
	step(s, 1);
	while (s->p < s->end && *s->p != '"')
		step(s, *s->p == '\\' ? 2 : 1);
	step(s, 1);
}

static int
fault_value(struct syntax *s, const char *name, size_t len)
{
	size_t n = raw_length(s);
	char text[SHOWN + 8];
	const char *meant;

	if (strchr(";,}])", *s->p) != NULL)
		return fault(s, s->line, "%.*s: expected a value, found %s",
		    (int)len, name, found(s, text));
	if (*s->p == '\'')
		return fault(s, s->line, "%.*s: strings stand in double "
		    "quotes, as \"text\"", (int)len, name);
	if (word_is(s->p, n, "yes") || word_is(s->p, n, "on") ||
	    word_is(s->p, n, "no") || word_is(s->p, n, "off")) {
		meant = word_is(s->p, n, "yes") || word_is(s->p, n, "on") ?
		    "true" : "false";
		return fault(s, s->line, "%.*s: expected true or false, found "
		    "%s: did you mean %s?", (int)len, name, found(s, text),
		    meant);
	}
	return fault(s, s->line, "%.*s: a string stands in double quotes: "
	    "write %s", (int)len, name, found(s, text));
}

/* Skip a value, or enter it if it is a group or a list.  `name` is that of the
 * setting. */
static int
value(struct syntax *s, const char *name, size_t len)
{
	size_t n = 0;

	if (s->p < s->end && strchr("{([", *s->p) != NULL)
		return enter(s, name, len);
	if (next(s) == '"') {
		while (next(s) == '"') {
			skip_string(s);
			skip_blanks(s);
		}
		return 0;
	}
	while (s->p + n < s->end && (isalnum((unsigned char)s->p[n]) ||
	    strchr("+-._", s->p[n]) != NULL))
		n++;
	if (!is_plain(s->p, n))
		return fault_value(s, name, len);
	step(s, n);
	return 0;
}

static int
setting(struct syntax *s)
{
	const char *name = s->p;
	size_t len = name_length(s);
	const int line = s->line;
	char text[SHOWN + 8];

	if (len == 0 || (name + len < s->end && name[len] == '.') ||
	    is_plain(name, len))
		return fault_name(s);
	if (note_name(s, len) == -1)
		return -1;
	step(s, len);
	skip_blanks(s);
	if (next(s) != '=' && next(s) != ':')
		return fault(s, line, "expected '=' after \"%.*s\", found "
		    "%s", (int)len, name, found(s, text));
	step(s, 1);
	skip_blanks(s);
	if (s->p == s->end) /* its line says nothing */
		return fault(s, line, "%.*s: expected a value, found the end "
		    "of the file", (int)len, name);
	return value(s, name, len);
}

/* One setting of a group, one item of a list, or the end of either. */
static int
item(struct syntax *s)
{
	const struct open *open = s->depth == 0 ? NULL :
	    &s->open[s->depth - 1];
	int result = 0;

	if (open != NULL && next(s) == open->end)
		leave(s);
	else if (open == NULL || open->end == '}')
		result = setting(s);
	else
		result = value(s, open->name == NULL ? "" : open->name,
		    open->len);
	skip_blanks(s);
	return result;
}

/* Skip the sign after a value: a group needs none, a list a comma. */
static int
separator(struct syntax *s)
{
	const struct open *open = s->depth == 0 ? NULL :
	    &s->open[s->depth - 1];
	bool list = open != NULL && open->end != '}';
	char text[SHOWN + 8];

	if (list && next(s) != ',' && next(s) != open->end && s->p < s->end)
		return fault(s, s->line, "expected ',' or '%c', found %s",
		    open->end, found(s, text));
	if (next(s) == ',' || (next(s) == ';' && !list)) {
		step(s, 1);
		skip_blanks(s);
		if (list && s->comma == 0 && next(s) == open->end)
			s->comma = s->line;
	}
	return 0;
}

int
conf_syntax(const char *text, size_t len, struct why *why)
{
	struct syntax s = { .start = text, .end = text + len, .p = text,
		.line = 1, .why = why };
	size_t depth;
	int result = 0;

	skip_blanks(&s);
	while (result == 0 && s.p < s.end) {
		depth = s.depth;
		result = item(&s);
		if (result == 0 && s.depth <= depth)
			result = separator(&s);
	}
	if (result == 0 && s.depth > 0)
		result = fault_end(&s);
	else if (result == 0 && s.comma > 0) /* libconfig 1.7 permits it */
		result = fault(&s, s.comma, "a ',' after the last item of a "
		    "list");
	free(s.names);
	return result;
}

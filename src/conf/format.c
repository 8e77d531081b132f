#include "conf/format.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CLF_TIME "%d/%b/%Y:%H:%M:%S %z"

static const struct {
	const char *name;
	const char *text;
} presets[] = {
	{ "default", "%R - %u %t \"%m %r\" %s" },
	{ "common", "%R - %u [%t] \"%m %r%Q%q %{SERVER_PROTOCOL}e\" %s %b" },
	{ "combined", "%R - %u [%t] \"%m %r%Q%q %{SERVER_PROTOCOL}e\" %s %b "
	    "\"%{HTTP_REFERER}e\" \"%{HTTP_USER_AGENT}e\"" },
	{ "json", "{\"time\":\"%{%Y-%m-%dT%H:%M:%S%z}t\",\"pool\":\"%n\","
	    "\"pid\":%p,\"id\":\"%L\",\"remote\":\"%R\",\"user\":\"%u\","
	    "\"method\":\"%m\",\"uri\":\"%r%Q%q\","
	    "\"protocol\":\"%{SERVER_PROTOCOL}e\","
	    "\"host\":\"%{HTTP_HOST}e\",\"status\":%s,\"end\":\"%X\","
	    "\"duration\":%{micro}d,\"bytes_in\":%I,\"bytes_out\":%O,"
	    "\"referer\":\"%{HTTP_REFERER}e\","
	    "\"agent\":\"%{HTTP_USER_AGENT}e\"}" },
};

enum kind {
	PLAIN, /* no braces */
	UNITS, /* a word of a list in braces, or no braces */
	NAME,  /* a name in braces */
	TIME   /* a format of strftime(3) in braces, or no braces */
};

#define WORDS 7

static const struct word {
	const char *name;
	enum format_unit unit;
} time_words[WORDS] = {
	{ "seconds", UNIT_ONE },
	{ "milliseconds", UNIT_MILLI }, { "milli", UNIT_MILLI },
	{ "miliseconds", UNIT_MILLI }, { "mili", UNIT_MILLI }, /* php-fpm */
	{ "microseconds", UNIT_MICRO }, { "micro", UNIT_MICRO },
}, memory_words[WORDS] = {
	{ "bytes", UNIT_ONE }, { "kilobytes", UNIT_MILLI },
	{ "kilo", UNIT_MILLI }, { "megabytes", UNIT_MICRO },
	{ "mega", UNIT_MICRO },
}, cpu_words[WORDS] = {
	{ "total", UNIT_ONE }, { "user", UNIT_MILLI },
	{ "system", UNIT_MICRO },
};

static const struct specifier {
	char letter;
	enum kind kind;
	const struct word *words;
	const char *param; /* the specifier means %{param}e */
} specifiers[] = {
	{ 'C', UNITS, cpu_words, NULL },
	{ 'd', UNITS, time_words, NULL },
	{ 'F', UNITS, time_words, NULL },
	{ 'M', UNITS, memory_words, NULL },
	{ 'e', NAME, NULL, NULL },
	{ 'o', NAME, NULL, NULL },
	{ 't', TIME, NULL, NULL },
	{ 'T', TIME, NULL, NULL },
	{ 'f', PLAIN, NULL, "SCRIPT_FILENAME" },
	{ 'm', PLAIN, NULL, "REQUEST_METHOD" },
	{ 'R', PLAIN, NULL, "REMOTE_ADDR" },
	{ 'u', PLAIN, NULL, "REMOTE_USER" },
	{ 'b', PLAIN, NULL, NULL },
	{ 'I', PLAIN, NULL, NULL },
	{ 'l', PLAIN, NULL, NULL },
	{ 'L', PLAIN, NULL, NULL },
	{ 'n', PLAIN, NULL, NULL },
	{ 'O', PLAIN, NULL, NULL },
	{ 'p', PLAIN, NULL, NULL },
	{ 'P', PLAIN, NULL, NULL },
	{ 'q', PLAIN, NULL, NULL },
	{ 'Q', PLAIN, NULL, NULL },
	{ 'r', PLAIN, NULL, NULL },
	{ 's', PLAIN, NULL, NULL },
	{ 'S', PLAIN, NULL, NULL },
	{ 'X', PLAIN, NULL, NULL },
};

struct compiler {
	struct format *format;
	const char *begin;
	const char *at; /* the specifier or text in hand */
	struct why *why;
};

/* ---- faults -------------------------------------------------------------- */

/* Add the place: the byte, counted from 1, and the text from there on. */
static int
fail(const struct compiler *c, const char *what)
{
	why_set(c->why, "%s at byte %d: \"%.24s\"", what,
	    (int)(c->at - c->begin) + 1, c->at);
	return -1;
}

/* ---- items --------------------------------------------------------------- */

static int
add(struct compiler *c, char op, int unit, const char *text, size_t len)
{
	struct format *f = c->format;
	struct format_item *grown = reallocarray(f->item, f->n + 1,
	    sizeof(*grown));

	if (grown != NULL)
		f->item = grown;
	if (grown == NULL || (text = strndup(text, len)) == NULL) {
		why_set(c->why, "out of memory");
		return -1;
	}
	f->item[f->n] = (struct format_item){ .op = op, .unit = unit,
		.text = (char *)(uintptr_t)text, .len = len, .second = -1 };
	f->n++;
	f->cpu |= op == 'C';
	f->first |= op == 'F';
	return 0;
}

/* Text up to the next '%'.  Tabs are allowed; other control characters would
 * break the line. */
static int
add_text(struct compiler *c)
{
	size_t len = strcspn(c->at, "%");

	for (const char *end = c->at + len; len > 0 && c->at < end; c->at++)
		if ((unsigned char)*c->at < ' ' && *c->at != '\t')
			return fail(c, "a control character");
	return add(c, 0, 0, c->at - len, len);
}

static const struct specifier *
find(char letter)
{
	size_t n = sizeof(specifiers) / sizeof(specifiers[0]);

	for (size_t i = 0; i < n; i++)
		if (specifiers[i].letter == letter)
			return &specifiers[i];
	return NULL;
}

static int
add_unit(struct compiler *c, const struct specifier *s, const char *word,
    size_t len)
{
	const struct word *w = s->words;

	for (int i = 0; i < WORDS && w[i].name != NULL; i++)
		if (strlen(w[i].name) == len &&
		    strncasecmp(w[i].name, word, len) == 0)
			return add(c, s->letter, w[i].unit, "", 0);
	return fail(c, "no unit of this specifier");
}

static int
add_time(struct compiler *c, const struct specifier *s, const char *text,
    size_t len)
{
	if (len >= FORMAT_STAMP / 2)
		return fail(c, "a format of the time that is too long");
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ')
			return fail(c, "a control character");
	return add(c, s->letter, 0, text, len);
}

static int
add_specifier(struct compiler *c, const struct specifier *s, const char *arg,
    size_t len)
{
	switch (s->kind) {
	case UNITS:
		return arg == NULL ? add(c, s->letter, UNIT_ONE, "", 0) :
				     add_unit(c, s, arg, len);
	case NAME:
		if (len == 0)
			return fail(c, "a name in braces is missing");
		return add(c, s->letter, 0, arg, len);
	case TIME:
		return arg == NULL ? add_time(c, s, CLF_TIME,
		    strlen(CLF_TIME)) : add_time(c, s, arg, len);
	default:
		if (arg != NULL)
			return fail(c, "no braces belong to this specifier");
		if (s->param != NULL)
			return add(c, 'e', 0, s->param, strlen(s->param));
		return add(c, s->letter, 0, "", 0);
	}
}

/* Compile one specifier; c->at moves from its '%' to behind its letter. */
static int
specifier(struct compiler *c)
{
	const char *arg = NULL, *p = c->at + 1;
	const struct specifier *s;
	size_t len = 0;

	if (*p == '%') {
		if (add(c, 0, 0, p, 1) == -1)
			return -1;
		c->at = p + 1;
		return 0;
	}
	if (*p == '{') {
		arg = ++p;
		len = strcspn(arg, "}");
		p += len;
		if (*p++ == '\0')
			return fail(c, "a brace that is not closed");
	}
	s = *p == '\0' ? NULL : find(*p);
	if (s == NULL)
		return fail(c, "no specifier");
	if (add_specifier(c, s, arg, len) == -1)
		return -1;
	c->at = p + 1;
	return 0;
}

int
format_compile(struct format *format, const char *text, struct why *why)
{
	struct compiler c = { .format = format, .why = why };

	for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++)
		if (strcmp(presets[i].name, text) == 0)
			text = presets[i].text;
	*format = (struct format){ .json = *text == '{' };
	c.begin = c.at = text;
	while (*c.at != '\0')
		if ((*c.at == '%' ? specifier(&c) : add_text(&c)) == -1)
			return -1;
	return 0;
}

void
format_free(struct format *format)
{
	for (size_t i = 0; i < format->n; i++)
		free(format->item[i].text);
	free(format->item);
	*format = (struct format){ 0 };
}

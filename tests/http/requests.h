#ifndef TESTS_HTTP_REQUESTS_H
#define TESTS_HTTP_REQUESTS_H

/*
 * The corpus of requests: tests/http/requests.txt, which says how it is written.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct requests {
	FILE *file;
	char *line;
	size_t size;
	char *story;
	struct buf bytes;
};

/* False if the file cannot be opened; TOP_SRCDIR says where the tree is. */
static inline bool
requests_open(struct requests *r)
{
	const char *top = getenv("TOP_SRCDIR");
	struct buf path = { 0 };

	memset(r, 0, sizeof(*r));
	buf_addf(&path, "%s/tests/http/requests.txt", top != NULL ? top : ".");
	r->file = fopen(buf_string(&path), "r");
	buf_free(&path);
	return r->file != NULL;
}

/* \(TEXT*N), from TEXT on; returns what is behind it. */
static inline const char *
requests_repeat(struct buf *out, const char *text)
{
	const char *star = text;
	char *end;

	for (;;) {
		long times;

		star = strchr(star, '*') + 1;
		times = strtol(star, &end, 10);
		if (end == star || *end != ')')
			continue;
		for (size_t len = (size_t)(star - text); times > 0; times--)
			for (size_t i = 0; i + 1 < len; i++)
				if (text[i] == '$')
					buf_puts(out, "\r\n");
				else
					buf_putc(out, text[i]);
		return end + 1;
	}
}

/* What is behind a backslash; returns what is behind that. */
static inline const char *
requests_escape(struct buf *out, const char *p)
{
	char hex[3] = { 0 };

	switch (*p) {
	case '(':
		return requests_repeat(out, p + 1);
	case 'x':
		memcpy(hex, p + 1, 2);
		buf_putc(out, (char)strtol(hex, NULL, 16));
		return p + 3;
	case '0':
		buf_putc(out, '\0');
		return p + 1;
	default:
		buf_putc(out, *p == 'r' ? '\r' : *p == 'n' ? '\n' :
		    *p == 't' ? '\t' : *p);
		return p + 1;
	}
}

/* The next case is in story and bytes.  False: there is none. */
static inline bool
requests_next(struct requests *r)
{
	ssize_t len;
	const char *p;

	do
		len = getline(&r->line, &r->size, r->file);
	while (len > 0 && (r->line[0] == '#' || r->line[0] == '\n'));
	if (len <= 0)
		return false;
	r->line[strcspn(r->line, "\n")] = '\0';
	r->story = r->line;
	p = strchr(r->line, '\t');
	r->line[p++ - r->line] = '\0';
	buf_clear(&r->bytes);
	while (*p != '\0') {
		if (*p == '\\') {
			p = requests_escape(&r->bytes, p + 1);
		} else if (*p == '$') {
			buf_puts(&r->bytes, "\r\n");
			p++;
		} else {
			buf_putc(&r->bytes, *p++);
		}
	}
	return true;
}

static inline void
requests_close(struct requests *r)
{
	fclose(r->file);
	free(r->line);
	buf_free(&r->bytes);
}

#endif

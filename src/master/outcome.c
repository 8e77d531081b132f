#include "master/outcome.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

#define MOST 65536 /* bytes of all lines */

void
trouble_add(struct trouble *trouble, const char *what, const char *fmt, ...)
{
	char text[sizeof(trouble->text)];
	struct buf line = { 0 };
	int begin = 0;
	va_list ap;

	if (trouble->all.len < MOST) {
		va_start(ap, fmt);
		buf_addv(&line, fmt, ap);
		va_end(ap);
		show_text(&trouble->all, line.data, line.len);
		buf_putc(&trouble->all, '\n');
		buf_free(&line);
	}
	if (trouble->text[0] != '\0')
		return;
	/* Formatted anew: there may have been no memory for it above. */
	if (what != NULL)
		begin = snprintf(text, sizeof(text), "%.64s: ", what);
	va_start(ap, fmt);
	vsnprintf(text + begin, sizeof(text) - (size_t)begin, fmt, ap);
	va_end(ap);
	show_cut(text, strlen(text), trouble->text, sizeof(trouble->text));
}

void
trouble_clear(struct trouble *trouble)
{
	trouble->text[0] = '\0';
	buf_clear(&trouble->all);
}

void
trouble_free(struct trouble *trouble)
{
	buf_free(&trouble->all);
}

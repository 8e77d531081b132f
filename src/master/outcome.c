#include "master/outcome.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"

#define MOST 65536 /* bytes of all lines, beyond which none is added */

void
outcome_add(struct outcome *outcome, const char *what, const char *fmt, ...)
{
	char text[sizeof(outcome->text)];
	struct buf line = { 0 };
	int begin = 0;
	va_list ap;

	if (outcome->all.len < MOST) {
		va_start(ap, fmt);
		buf_addv(&line, fmt, ap);
		va_end(ap);
		escape_text(&outcome->all, line.data, line.len);
		buf_putc(&outcome->all, '\n');
		buf_free(&line);
	}
	if (outcome->text[0] != '\0')
		return;
	/* Formatted anew, since there may have been no memory for the line
	 * above. */
	if (what != NULL)
		begin = snprintf(text, sizeof(text), "%.64s: ", what);
	va_start(ap, fmt);
	vsnprintf(text + begin, sizeof(text) - (size_t)begin, fmt, ap);
	va_end(ap);
	escape_cut(text, strlen(text), outcome->text, sizeof(outcome->text));
}

void
outcome_clear(struct outcome *outcome)
{
	outcome->text[0] = '\0';
	buf_clear(&outcome->all);
}

void
outcome_free(struct outcome *outcome)
{
	buf_free(&outcome->all);
}

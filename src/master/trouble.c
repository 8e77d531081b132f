#include "master/trouble.h"

#include <stdio.h>

#define MOST 65536 /* bytes of all lines */

void
trouble_add(struct trouble *trouble, const char *what, const char *fmt, ...)
{
	int begin = 0;
	va_list ap;

	if (trouble->all.len < MOST) {
		va_start(ap, fmt);
		buf_addv(&trouble->all, fmt, ap);
		va_end(ap);
		buf_putc(&trouble->all, '\n');
	}
	if (trouble->text[0] != '\0')
		return;
	/* Formatted anew: there may have been no memory for it above. */
	if (what != NULL)
		begin = snprintf(trouble->text, sizeof(trouble->text),
		    "%.64s: ", what);
	va_start(ap, fmt);
	vsnprintf(trouble->text + begin,
	    sizeof(trouble->text) - (size_t)begin, fmt, ap);
	va_end(ap);
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

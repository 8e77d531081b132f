#include "base/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct title_state {
	char *area; /* what ps reads: argv and environ, one after the other */
	size_t size;
} state;

/* Copy the strings to elsewhere, as far as they lie one after the other from
 * *end on, which moves past them.  -1: no memory. */
static int
title_move(char **strings, char **end)
{
	char *copy;

	for (; *strings != NULL && *strings == *end; strings++) {
		if ((copy = strdup(*strings)) == NULL)
			return -1;
		*end += strlen(copy) + 1;
		*strings = copy;
	}
	return 0;
}

void
title_init(int argc, char **argv)
{
	char *end = argc > 0 ? argv[0] : NULL;
	char *area = end;

	if (area == NULL)
		return;
	if (title_move(argv, &end) == -1 || title_move(environ, &end) == -1)
		return;
	state.area = area;
	state.size = (size_t)(end - area);
}

void
title_set(const char *fmt, ...)
{
	va_list ap;

	if (state.size == 0)
		return;
	memset(state.area, 0, state.size);
	va_start(ap, fmt);
	vsnprintf(state.area, state.size, fmt, ap);
	va_end(ap);
}

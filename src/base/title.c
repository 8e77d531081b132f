#include "base/title.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct title_state {
	char *area; /* what ps reads: argv and environ, one after the other */
	size_t size;
	char *copy; /* the texts of both */
} state;

/* The end of those strings that follow each other in memory, from `end` on. */
static char *
title_end(char **strings, char *end)
{
	for (; *strings != NULL && *strings == end; strings++)
		end += strlen(end) + 1;
	return end;
}

static void
title_point_to_copy(char **string)
{
	if (*string >= state.area && *string < state.area + state.size)
		*string = state.copy + (*string - state.area);
}

static void
title_point_all_to_copy(char **strings)
{
	for (; *strings != NULL; strings++)
		title_point_to_copy(strings);
}

void
title_init(int argc, char **argv)
{
	size_t size;

	if (argc < 1)
		return;
	size = (size_t)(title_end(environ, title_end(argv, argv[0])) -
	    argv[0]);
	if ((state.copy = malloc(size)) == NULL)
		return;
	memcpy(state.copy, argv[0], size);
	state.area = argv[0];
	state.size = size;
	title_point_all_to_copy(argv);
	title_point_all_to_copy(environ);
	title_point_to_copy(&program_invocation_name);
	title_point_to_copy(&program_invocation_short_name);
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

#include "base/why.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void
why_set(struct why *why, const char *fmt, ...)
{
	va_list ap;

	if (why == NULL)
		return;
	why->line = 0;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
}

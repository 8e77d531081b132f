#include "base/locale.h"

#include <locale.h>

/* glibc has this locale built in: the call neither allocates nor fails, and is
 * the same pointer in every thread. */
static locale_t
c_locale(void)
{
	static _Atomic(locale_t) made;

	if (made == (locale_t)0)
		made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	return made;
}

void
locale_ours(void)
{
	uselocale(c_locale());
}

void
locale_theirs(void)
{
	uselocale(LC_GLOBAL_LOCALE);
}

size_t
locale_time(char *out, size_t n, const char *format, const struct tm *tm)
{
	return strftime_l(out, n, format, tm, c_locale());
}

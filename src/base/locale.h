#ifndef BASE_LOCALE_H
#define BASE_LOCALE_H

/*
 * Keep what this program writes independent of the locale that an application
 * sets.  setlocale(3) sets the locale of the process.  A thread has the C
 * locale of its own (uselocale(3)) while it runs our code, and the locale of
 * the process while it runs the application's.
 */

#include <stddef.h>
#include <time.h>

/* Give the calling thread the C locale, before it runs our code; the locale of
 * the process, before it runs the application's. */
void locale_ours(void);
void locale_theirs(void);

/* strftime(3) in the C locale, whatever locale the thread has. */
size_t locale_time(char *out, size_t n, const char *format,
    const struct tm *tm);

#endif

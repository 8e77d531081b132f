#ifndef BASE_LOCALE_H
#define BASE_LOCALE_H

/*
 * What this program writes does not depend on the locale that an application
 * sets: setlocale(3) sets the process's, so a thread that runs our code has
 * one of its own, the C locale, and takes the process's while it runs the
 * application's.
 */

#include <stddef.h>
#include <time.h>

/* The calling thread runs our code; it runs the application's. */
void locale_ours(void);
void locale_theirs(void);

/* strftime(3), in the C locale whoever calls. */
size_t locale_time(char *out, size_t n, const char *format,
    const struct tm *tm);

#endif

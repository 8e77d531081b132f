#ifndef BASE_TITLE_H
#define BASE_TITLE_H

/*
 * The process title that ps(1) shows, written over argv and environ as other
 * daemons do.  Call title_init first in main, before a thread starts or a
 * pointer from getenv(3) is kept: it moves the texts of the environment and of
 * the arguments away (argv itself stays and points to the copies).
 */

void title_init(int argc, char **argv);

/* Set the whole title, including the program's name; it is cut to the room of
 * argv and environ.  No effect without title_init. */
void title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

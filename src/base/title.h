#ifndef BASE_TITLE_H
#define BASE_TITLE_H

/*
 * The process title that ps(1) shows, written over argv and environ as other
 * daemons do.  Call title_init first thing in main, before any thread or
 * getenv pointer is kept: it moves the environment and the arguments' text
 * away (argv itself stays and points to the copies).
 */

void title_init(int argc, char **argv);

/* The whole title, the program's name included; cut to the room there is.
 * Without title_init nothing happens. */
void title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

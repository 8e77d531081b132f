#ifndef BASE_SAY_H
#define BASE_SAY_H

/*
 * What a program tells the person who called it.  Nothing that came from a
 * file, an argument or a peer can speak to the terminal: all of it goes
 * through base/escape.h.  Runs in the programs, before there is a log or where
 * it is out of sight.
 */

#include <stddef.h>
#include <stdio.h>

/* "PROGRAM: text", a line on stderr; with a code, and that is the end. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A line as it is, without the program's name. */
void say_line(FILE *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Lines of somebody else, as escape_lines; not flushed. */
void say_lines(FILE *out, const char *text, size_t n);

/* What getopt(3) has returned '?' or ':' for. */
void say_option(int option, char *const *argv);

#endif

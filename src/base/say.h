#ifndef BASE_SAY_H
#define BASE_SAY_H

/*
 * Messages of a program to the user who called it.  They are escaped
 * (base/escape.h), so that no text from a file, an argument or a peer can
 * steer the terminal.  For programs, before the log is open or where the user
 * does not see it.
 */

#include <stddef.h>
#include <stdio.h>

/* Print "PROGRAM: text" as a line on stderr; die ends the process with `code`
 * as well. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(int code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Print a line without the program's name. */
void say_line(FILE *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Print n bytes of lines from another program, as escape_lines; no flush. */
void say_lines(FILE *out, const char *text, size_t n);

/* Say what is wrong with the option for which getopt(3) returned '?' or ':'
 * (`option`). */
void say_option(int option, char *const *argv);

#endif

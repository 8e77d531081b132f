#ifndef BASE_WHY_H
#define BASE_WHY_H

/*
 * The reason for a failure, as text for the administrator.  Lower floors fill
 * one and return -1 or NULL; only master, worker and main decide what follows.
 * Runs everywhere.
 */

struct why {
	int line;	 /* line of the file in question; 0: not known */
	char text[4608]; /* one line, no newline at its end; a path fits */
};

/* Fill why (may be NULL) with a text, cut if it is too long; line becomes 0. */
void why_set(struct why *why, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif

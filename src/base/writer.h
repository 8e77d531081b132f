#ifndef BASE_WRITER_H
#define BASE_WRITER_H

/*
 * Write lines to a descriptor that may refuse them: a pipe or terminal that is
 * not read, a full disk, a peer that is gone.  A write waits for room at most
 * WRITER_PATIENCE; lost lines are counted.  Runs in master and worker.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITER_PATIENCE 500 /* ms */

struct writer {
	int fd;	       /* -1: none */
	bool socket;   /* written to with send(2) */
	bool blocks;   /* a pipe or terminal whose write(2) would wait */
	size_t went;   /* bytes written of the last line */
	size_t torn;   /* bytes of a cut line without a newline yet; or 0 */
	bool stalled;  /* the last line was lost: do not wait for the next */
	uint64_t lost; /* number of lost lines; the caller resets it */
	int error;     /* errno of the last lost line */
};

/* Write to fd (-1: none) from now on; the old one is not closed, and has to be
 * open yet.  `lost` and `stalled` keep their values, and `torn` if fd is the
 * same file. */
void writer_set(struct writer *o, int fd);

/* Others have the descriptor too, and O_NONBLOCK is of all of them: whoever
 * clears it would have the next write wait.  Do not rely on it. */
void writer_distrust(struct writer *o);

/*
 * Make a copy of `fd`, close-on-exec and above 2.  A pipe or a terminal is
 * opened again with O_NONBLOCK if possible, so that other processes that hold
 * `fd` see no change.  Returns the copy, or -1 with errno.
 */
int writer_own(int fd);

/* Write one line, which ends with its newline.  0, or -1 with errno: the line,
 * or its end, is lost, and counted. */
int writer_write(struct writer *o, const char *line, size_t n);

/* Overwrite what a regular file has of a cut line (torn) with blanks and a
 * newline.  `fd` must be this process's alone: for a moment its writes do not
 * append. */
void writer_mend(struct writer *o);

#endif

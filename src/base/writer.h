#ifndef BASE_WRITER_H
#define BASE_WRITER_H

/*
 * Lines into a descriptor that may refuse them: a pipe or terminal that
 * nobody reads, a full disk, a peer that is gone.  Whoever writes waits a
 * moment for room and never for ever; what is lost meanwhile is counted.
 * Runs in master and worker; knows nothing of what the lines say.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WRITER_PATIENCE 500 /* ms */

struct writer {
	int fd;	       /* -1: none */
	bool socket;   /* send(2) */
	bool blocks;   /* a pipe or terminal whose write(2) would wait */
	size_t went;   /* bytes of the last line */
	size_t torn;   /* the same if it was cut and not yet ended; or 0 */
	bool stalled;  /* patience has ended: none until it takes a line */
	uint64_t lost; /* lines; whoever tells of them makes it 0 */
	int error;     /* errno of the last that was lost */
};

/* Lead to fd from now on, which may be -1.  What was lost stays counted, and
 * patience ended. */
void writer_set(struct writer *o, int fd);

/*
 * A descriptor of our own for what `fd` leads to, close-on-exec and above 2.
 * If that is a pipe or a terminal it does not wait, while others who hold
 * `fd` see no change.  -1 with errno.
 */
int writer_own(int fd);

/* One line, with its newline.  0, or -1 with errno: it is lost (or its end
 * is), and counted. */
int writer_write(struct writer *o, const char *line, size_t n);

#endif

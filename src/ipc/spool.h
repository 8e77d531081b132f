#ifndef IPC_SPOOL_H
#define IPC_SPOOL_H

/*
 * Lines of a worker for a log that is a file: collected in memory that the
 * master can read (score_stash), and written many at a time.  If the worker is
 * killed, at any instruction, the master finds out which of them the file has,
 * mends a cut line and writes the rest.  The worker writes to a descriptor of
 * its own (sink_lend), whose position tells how much it has written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ipc/score.h"
#include "ipc/sink.h"

struct spool; /* empty if its memory is all zero */

/* The spool in a worker's stash (score_stash). */
struct spool *spool_of(struct score *score);

/* ---- worker -------------------------------------------------------------- */

/* A number that changes with every line: the worker notes it (score_line)
 * before it adds the line, so that the master can tell if it came to that. */
int64_t spool_mark(const struct spool *p);

/* True if there is room for n bytes; add one line of n bytes that fits, with
 * its newline. */
bool spool_fits(const struct spool *p, size_t n);
void spool_add(struct spool *p, const char *line, size_t n);

/* Write all pending lines.  0, or -1 with errno: the log did not take all, and
 * the others are still pending. */
int spool_push(struct spool *p, struct sink *sink);

/* True if a line is pending; write the first pending line: 0, or -1 with errno,
 * and it is lost. */
bool spool_any(const struct spool *p);
int spool_push_one(struct spool *p, struct sink *sink);

/* Write a line that does not fit, while none is pending.  0, or -1 with errno:
 * it is lost. */
int spool_pass(struct spool *p, struct sink *sink, const char *line,
    size_t n);

/* ---- master -------------------------------------------------------------- */

/*
 * After a worker's death: append the lines that it had not written, from its
 * stash (board_stash), to out.  Lines that are not whole, or have control
 * characters, are dropped.  `own` is the descriptor it wrote to
 * (sink_loan_used); -1: not known.  A line that was cut by its death is among
 * them; its beginning in the file becomes blanks.  Returns the last spool_mark:
 * if the worker noted another one, it had added its line.
 */
int64_t spool_salvage(const void *stash, int own, struct buf *out);

#endif

#ifndef IPC_SPOOL_H
#define IPC_SPOOL_H

/*
 * Lines of a worker on their way into a log that is a file: gathered in
 * memory that it shares with the master (score_stash), and written many at a
 * time.  Should the worker be killed, at whatever instruction, the master
 * finds out what the file has of them, mends it and writes the rest.  One
 * worker writes, to a descriptor of its own (sink_lend), whose position tells
 * what it has written.  Knows nothing of what the lines say.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "ipc/score.h"
#include "ipc/sink.h"

struct spool; /* memory that is all zero is one: nothing is pending */

/* Of a worker: in its stash (score_stash). */
struct spool *spool_of(struct score *score);

/* ---- worker -------------------------------------------------------------- */

/* A number that changes with every line: the worker notes it (score_line)
 * before it adds one. */
int64_t spool_mark(const struct spool *p);

/* Is there room for so many bytes?  Add one line, with its newline. */
bool spool_fits(const struct spool *p, size_t n);
void spool_add(struct spool *p, const char *line, size_t n);

/* Write all.  0: nothing is pending; -1 with errno: some lines still are, the
 * log took no more. */
int spool_push(struct spool *p, struct sink *sink);

/* Is any pending?  Then write one.  0, or -1 with errno: it is lost. */
bool spool_any(const struct spool *p);
int spool_push_one(struct spool *p, struct sink *sink);

/* Write a line for which there is no room when nothing is pending.  0, or -1
 * with errno: it is lost. */
int spool_pass(struct spool *p, struct sink *sink, const char *line,
    size_t n);

/* ---- master -------------------------------------------------------------- */

/*
 * The worker is dead.  What it had still to write, by its stash (board_stash),
 * is added to out: whole lines without control characters.  `own` is what it
 * wrote to (sink_loan_used), -1: not known.  A line that it was killed in the
 * middle of is among them; what the file has of it is made blank.  Returns
 * what spool_mark was at its end: another than the worker has noted, if it
 * had come to its line.
 */
int64_t spool_salvage(const void *stash, int own, struct buf *out);

#endif

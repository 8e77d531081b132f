#ifndef BASE_LOG_FOLD_H
#define BASE_LOG_FOLD_H

/*
 * Count entries of the error log that repeat the last one written, instead of
 * writing them.  A repeat has the same level, pid, pool, request, method, URI
 * and text, comes within tuning.fold (ten seconds) after that one was written,
 * and is no alert.  Pure: the time is an argument.  The count may also be kept
 * in memory that outlives the process.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log_line.h"

#define FOLD_TEXT 64

struct log_fold {
	bool set;	   /* `last` is an entry that was written */
	struct log_entry last; /* its texts are in `copy` */
	struct buf copy;
	int64_t until;	   /* clock_ms(): from then on an entry is written */
	uint64_t count;	   /* repeats that are not reported yet */
	_Atomic uint64_t *shared; /* the word for log_fold_left; or NULL */
};

/* True if the entry is a repeat at `now` (clock_ms()): it is counted, and the
 * caller does not write it. */
bool log_fold_takes(struct log_fold *fold, const struct log_entry *entry,
    int64_t now);

/* The caller has written the entry: count its repeats from now on.  Copies
 * it. */
void log_fold_begin(struct log_fold *fold, const struct log_entry *entry,
    int64_t now);

/*
 * End the counting, so that the next entry is written.  True if there were
 * repeats: *entry is the entry that reports them, with its message in `text`
 * and its other texts in fold, up to log_fold_begin.
 */
bool log_fold_end(struct log_fold *fold, struct log_entry *entry,
    char text[FOLD_TEXT]);

/* As log_fold_end for a process that died, from the word it left in *shared;
 * sets level and text only.  False if the word tells of no repeats. */
bool log_fold_left(uint64_t word, struct log_entry *entry,
    char text[FOLD_TEXT]);

#endif

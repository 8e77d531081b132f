#ifndef BASE_LOG_FOLD_H
#define BASE_LOG_FOLD_H

/*
 * Which entries of the error log repeat the one before: same level, pool, pid,
 * request and text, within tuning.fold (ten seconds) after that was written, and
 * no alert.
 * They are counted instead of written.  Pure: time is told; the count may lie
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
	int64_t until;	   /* clock_ms(): what comes then is written again */
	uint64_t count;	   /* of repeats not told of yet */
	_Atomic uint64_t *shared; /* the same for others, NULL: for nobody */
};

/* Is it a repeat?  Then it is counted, and is not to be written. */
bool log_fold_takes(struct log_fold *fold, const struct log_entry *entry,
    int64_t now);

/* It was written: what repeats it is counted from now on. */
void log_fold_begin(struct log_fold *fold, const struct log_entry *entry,
    int64_t now);

/*
 * Are there repeats to tell of?  Then *entry is the one that does, its text in
 * `text`; the count begins anew, and what comes next is written.
 */
bool log_fold_end(struct log_fold *fold, struct log_entry *entry,
    char text[FOLD_TEXT]);

/* What a process that died had not told of, by its shared count: as
 * log_fold_end, level and text only. */
bool log_fold_left(uint64_t word, struct log_entry *entry,
    char text[FOLD_TEXT]);

#endif

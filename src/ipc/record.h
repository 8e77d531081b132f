#ifndef IPC_RECORD_H
#define IPC_RECORD_H

/*
 * Named values as bytes, one after the other, "NAME LENGTH\nVALUE\n", to pass
 * from one process or image of the daemon to another.  A value may be a
 * sequence of records itself.  A reader skips names that it does not know, so
 * that an older and a newer build understand each other.  Pure, except for
 * record_put_fd, record_take_fd and record_fd.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct record {
	const char *name; /* not terminated, as is the value */
	size_t name_len;
	const char *value;
	size_t len;
};

/* Append a record; out->failed is set if memory runs out.  A name must not
 * contain a space or a newline. */
void record_put(struct buf *out, const char *name, const void *value,
    size_t len);
void record_put_text(struct buf *out, const char *name, const char *text);
void record_put_number(struct buf *out, const char *name, int64_t number);

/* Append a record of the records that were gathered in `records`, which is freed
 * and empty afterwards; out->failed is set if that of `records` is. */
void record_put_records(struct buf *out, const char *name,
    struct buf *records);

/* The same for the number of a descriptor (-1: none), which from here on stays
 * open over exec(3). */
void record_put_fd(struct buf *out, const char *name, int fd);

/*
 * Take the next record of a sequence of *len bytes at *rest; *rest and *len
 * become what follows it.  *out points into the sequence.  False: there is no
 * record; *len is 0 at the end, and not 0 if the bytes are no record.
 */
bool record_next(const char **rest, size_t *len, struct record *out);

/* True if the value of `in` consists of records to its last byte. */
bool record_is_whole(const struct record *in);

/* Find the first record with that name in the value of `in`.  False: not
 * found. */
bool record_find(const struct record *in, const char *name,
    struct record *out);

/* The number with that name in the value of `in`; `otherwise` if it is missing
 * or no number. */
int64_t record_number(const struct record *in, const char *name,
    int64_t otherwise);

/*
 * Take the descriptor whose number is the value of a record, or of the first
 * record with that name in the value of `in`.  It becomes close-on-exec, and
 * the caller owns it.  -1: the record is missing; no descriptor of that number
 * was left open over exec(3); or it was taken before, so that a descriptor with
 * two names has one owner.
 */
int record_take_fd(const struct record *record);
int record_fd(const struct record *in, const char *name);

/* A copy of the text with that name in the value of `in`, terminated, to be
 * freed; NULL if it is missing, or no memory. */
char *record_text(const struct record *in, const char *name);

/* True if the record has that name. */
bool record_is(const struct record *record, const char *name);

/* True if the value is a number, which becomes *number. */
bool record_is_number(const struct record *record, int64_t *number);

#endif

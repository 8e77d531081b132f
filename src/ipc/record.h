#ifndef IPC_RECORD_H
#define IPC_RECORD_H

/*
 * Named values as bytes, one after the other, "NAME LENGTH\nVALUE\n": what
 * one image of the daemon tells the next.  A value may be a sequence of
 * records itself.  Whoever reads skips what it does not know, so that an
 * older and a newer build understand each other.  Pure, but for
 * what is done with descriptors.
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

/* Append a record; the buffer remembers if memory ran out.  A name is letters
 * and '_'. */
void record_put(struct buf *out, const char *name, const void *value,
    size_t len);
void record_put_text(struct buf *out, const char *name, const char *text);
void record_put_number(struct buf *out, const char *name, int64_t number);

/* The same for the number of a descriptor, which from here on stays open over
 * exec(3).  -1 is no descriptor, and fine. */
void record_put_fd(struct buf *out, const char *name, int fd);

/*
 * Take the next record of a sequence: *rest and *len are what follows it.
 * False at the end, and where the bytes are no record; then *len tells which
 * it was (0: the end).
 */
bool record_next(const char **rest, size_t *len, struct record *out);

/* Is the value of another nothing but records, to its last byte? */
bool record_is_whole(const struct record *in);

/* Look for the first record of that name within the value of another, or
 * within `in` being the whole.  False: there is none. */
bool record_find(const struct record *in, const char *name,
    struct record *out);

/* The number of that name within `in`; `otherwise` if there is none. */
int64_t record_number(const struct record *in, const char *name,
    int64_t otherwise);

/*
 * The descriptor whose number is the value of a record, or of the first of
 * that name within `in`; the caller's from here on, and close-on-exec.  -1: it
 * is none that was left open over exec(3), or it has been taken already, so
 * that two names of one descriptor have one owner.
 */
int record_take_fd(const struct record *record);
int record_fd(const struct record *in, const char *name);

/* The text of that name, terminated and to be freed; NULL if there is none,
 * or no memory. */
char *record_text(const struct record *in, const char *name);

bool record_is(const struct record *record, const char *name);

/* The number that its value is; false: it is none. */
bool record_is_number(const struct record *record, int64_t *number);

#endif

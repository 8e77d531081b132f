#ifndef STATUS_STATUS_PUT_H
#define STATUS_STATUS_PUT_H

/*
 * Numbers and texts as all formats of the status have them, whatever locale an
 * application has set.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Append value / 10^digits. */
void status_put_decimal(struct buf *out, int64_t value, int digits);

/* Append us as seconds, no zeros at the end. */
void status_put_seconds(struct buf *out, int64_t us);

/* Append a text with the bytes of `special`, which ends with NULL, replaced by
 * the texts beside them, and what is no visible UTF-8 shown as base/escape.h
 * does. */
struct status_escape {
	char byte;
	const char *text;
};
void status_put_escaped(struct buf *out, const char *text, size_t len,
    const struct status_escape *special);

#endif

#ifndef STATUS_STATUS_PUT_H
#define STATUS_STATUS_PUT_H

/*
 * Numbers and texts for all formats of the status, independent of the locale
 * that an application sets.  Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Append value / 10^digits with all digits. */
void status_put_decimal(struct buf *out, int64_t value, int digits);

/* Append us as seconds, without zeros at the end. */
void status_put_seconds(struct buf *out, int64_t us);

/* Append a text: escaped by escape_text, then each byte that is in `special`
 * (ends with text NULL) replaced by its text. */
struct status_escape {
	char byte;
	const char *text;
};
void status_put_escaped(struct buf *out, const char *text, size_t len,
    const struct status_escape *special);

#endif

#ifndef STATUS_STATUS_FORMAT_H
#define STATUS_STATUS_FORMAT_H

/*
 * The status of a pool for people, programs and Prometheus, in every format
 * that lua-fpm-status(7) documents, as a request asks for it.  What came with
 * requests is escaped in each.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "status/status.h"

enum status_format {
	STATUS_TEXT,
	STATUS_HTML, /* a page that asks for the JSON by itself */
	STATUS_JSON,
	STATUS_XML,
	STATUS_OPENMETRICS,
	STATUS_FORMATS
};

struct status_query { /* what is asked for */
	enum status_format format;
	bool full; /* each worker too; has no meaning for OpenMetrics */
};

/*
 * "json&full", in any order; empty: text.  Words with a value are nobody's
 * and ignored ("_=1234" defeats caches).  0, or -1: a format that is not
 * known, or two of them; status_formats is what to say then.
 */
int status_query(const char *text, size_t len, struct status_query *out);
extern const char status_formats[];

/* Append the pool's status in the format asked for; -1: no memory. */
int status_write(const struct status *status,
    const struct status_query *query, struct buf *out);
const char *status_type(enum status_format format); /* Content-Type */

/* Parts of it: one pool as a JSON object, without a line feed; many pools in
 * one OpenMetrics exposition; the page, which lives for ever. */
void status_json(const struct status *status, bool full, struct buf *out);
void status_metrics(const struct status *status, size_t n, struct buf *out);
const char *status_page(size_t *len);

/* A text as a JSON string with its quotes: any bytes, visible. */
void status_json_string(struct buf *out, const char *text, size_t len);

#endif

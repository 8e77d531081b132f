#ifndef STATUS_STATUS_FORMAT_H
#define STATUS_STATUS_FORMAT_H

/*
 * The status of a pool in the formats of lua-fpm-status(7), for people,
 * programs and Prometheus, as a request asks for it.  Texts that came with
 * requests are escaped in each.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "status/status.h"

enum status_format {
	STATUS_TEXT,
	STATUS_HTML, /* a page that fetches the JSON by itself */
	STATUS_JSON,
	STATUS_XML,
	STATUS_OPENMETRICS,
	STATUS_FORMATS
};

struct status_query { /* from the query string of the request */
	enum status_format format;
	bool full; /* with every worker; without effect on OpenMetrics */
};

/*
 * Parse "json&full", in any order; empty: text.  An unknown word with a value
 * is ignored ("_=1234" defeats caches).  0, or -1: an unknown format, or two of
 * them; status_formats is the text to answer then.
 */
int status_query(const char *text, size_t len, struct status_query *out);
extern const char status_formats[];

/* Append the pool's status in the format of the query: 0, or -1 (memory).  And
 * the Content-Type of a format. */
int status_write(const struct status *status,
    const struct status_query *query, struct buf *out);
const char *status_type(enum status_format format);

/* Append one pool as a JSON object, without a newline; n pools as one
 * OpenMetrics exposition.  And the page: a constant of *len bytes. */
void status_json(const struct status *status, bool full, struct buf *out);
void status_metrics(const struct status *status, size_t n, struct buf *out);
const char *status_page(size_t *len);

/* Append a text of any bytes as a JSON string with its quotes, escaped as by
 * base/escape.h. */
void status_json_string(struct buf *out, const char *text, size_t len);

#endif

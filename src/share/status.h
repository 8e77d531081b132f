#ifndef SHARE_STATUS_H
#define SHARE_STATUS_H

/*
 * What a pool does at this moment, for people, programs and Prometheus:
 * collected from its scoreboard and its sockets, by the master or by any
 * worker, and written in every format that lua-fpm-status(7) documents.
 * Nothing waits for anybody; what came with requests is escaped in each
 * format.  Knows neither requests nor connections.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "share/score.h"

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

struct status { /* of one pool */
	const struct conf_pool *pool;
	const struct score *score; /* any generation's */
	int64_t now;  /* clock_us() */
	int64_t wall; /* seconds since 1970 */
	int64_t queue; /* connections that wait to be accepted */
	struct score_sum sum;
};

/*
 * "json&full", in any order; empty: text.  Words with a value are nobody's
 * and ignored ("_=1234" defeats caches).  0, or -1: a format that is not
 * known, or two of them; status_formats is what to say then.
 */
int status_query(const char *text, size_t len, struct status_query *out);
extern const char status_formats[];

/* Look at the pool now.  Keeps pointers to pool and score. */
void status_collect(struct status *status, const struct conf_pool *pool,
    struct score *score, const int *listeners, size_t nlisteners);

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

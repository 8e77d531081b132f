#ifndef SHARE_STATUS_H
#define SHARE_STATUS_H

/*
 * What a pool does at this moment, for people, programs and Prometheus:
 * collected by the master from its scoreboard and its sockets, and written by
 * it or by a worker that asks it, in every format that lua-fpm-status(7)
 * documents.  What came with requests is escaped in each format.  Knows neither requests nor connections.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "share/board.h"

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
	int64_t now;  /* clock_us() */
	int64_t wall; /* seconds since 1970 */
	int64_t queue; /* connections that wait to be accepted */
	int64_t facts[BOARD_FACTS];
	struct score_sum sum;
	struct score_slot *workers; /* of all generations */
	size_t nworkers;
};

/*
 * "json&full", in any order; empty: text.  Words with a value are nobody's
 * and ignored ("_=1234" defeats caches).  0, or -1: a format that is not
 * known, or two of them; status_formats is what to say then.
 */
int status_query(const char *text, size_t len, struct status_query *out);
extern const char status_formats[];

/* Master: look at the pool now, by the board of any generation.  Keeps a
 * pointer to the pool.  0, or -1 (memory); to be given back with
 * status_free. */
int status_collect(struct status *status, const struct conf_pool *pool,
    struct board *board, const int *listeners, size_t nlisteners);
void status_free(struct status *status);

/*
 * On its way to a worker: the master puts it into a sealed memfd, -1 with
 * errno; the worker takes it out again, for its pool, which closes the
 * descriptor.  0, or -1 with errno and nothing is in it: EPROTO if it is of
 * another build.
 */
int status_send(const struct status *status);
int status_receive(struct status *status, int memory,
    const struct conf_pool *pool);

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

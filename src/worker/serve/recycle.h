#ifndef WORKER_SERVE_RECYCLE_H
#define WORKER_SERVE_RECYCLE_H

/*
 * Has a worker done enough?  After so many requests, at such an age, with so
 * much resident memory, or once its Lua heap has reached its limit it asks
 * for a successor, and asks again, ever more seldom, until it is told to
 * leave.  Pure: numbers in, decisions out; knows neither clocks nor the
 * master.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECYCLE_TEXT 96

enum recycle_reason {
	RECYCLE_NOT,
	RECYCLE_REQUESTS,
	RECYCLE_AGE,
	RECYCLE_RSS,
	RECYCLE_MEMORY
};

struct recycle_limits { /* 0: none */
	int64_t requests;
	int64_t age; /* ms */
	int64_t rss; /* bytes */
};

struct recycle {
	struct recycle_limits limits; /* of this worker, drawn */
	int64_t begun;
	int64_t looked; /* when its resident memory was last looked at */
	int64_t rss;	/* as it was then */
	uint64_t requests;
	enum recycle_reason reason;
	int64_t again; /* when to ask (again), once there is a reason */
	int64_t pause; /* until the next time after that */
};

/*
 * A worker begins at `now` (ms).  Its limits for requests and age are drawn
 * by `seed` within 10 % around those given, so that workers that began
 * together do not leave together.  All limits 0: it never asks.
 */
void recycle_begin(struct recycle *r, const struct recycle_limits *limits,
    uint64_t seed, int64_t now);

/* Is its resident memory worth a look?  Far below the limit only now and
 * then, near it always. */
bool recycle_wants_rss(const struct recycle *r, int64_t now);

/* What is known of it: resident memory (at `now`), requests so far, and that
 * its Lua heap has reached its limit. */
void recycle_rss(struct recycle *r, int64_t bytes, int64_t now);
void recycle_requests(struct recycle *r, uint64_t requests);
void recycle_memory(struct recycle *r);

/* Is it to ask for a successor now?  True at most once for each time. */
bool recycle_ask(struct recycle *r, int64_t now);

/* The time at which to look again though nothing happens, -1: never. */
int64_t recycle_next(const struct recycle *r);

/* The reason in words, "after 512 requests".  Returns out. */
const char *recycle_text(const struct recycle *r, int64_t now,
    char out[RECYCLE_TEXT]);

#endif

#ifndef WORKER_SERVE_RECYCLE_H
#define WORKER_SERVE_RECYCLE_H

/*
 * When a worker has done enough and asks for a successor: after so many
 * requests, at such an age, with so much resident memory, once its Lua heap has
 * hit its limit, or if the application wishes it.  It asks again, at growing intervals, until it is told to
 * leave.  Pure: numbers in, decisions out; knows neither clocks nor the master.
 * All times are in ms, of any one clock.
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
	RECYCLE_MEMORY,
	RECYCLE_WISH
};

struct recycle_limits { /* 0: none */
	int64_t requests;
	int64_t age; /* ms */
	int64_t rss; /* bytes */
};

struct recycle {
	struct recycle_limits limits; /* of this worker, as drawn */
	int64_t begun;
	int64_t looked; /* when its resident memory was last looked at */
	int64_t rss;	/* as it was then */
	uint64_t requests;
	enum recycle_reason reason;
	int64_t again; /* when to ask (again), once there is a reason */
	int64_t pause; /* from then until the next time */
};

/*
 * A worker begins at `now`.  Its limits for requests and age are drawn by
 * `seed` within 10 % around those given, so that workers that began together
 * do not leave together.  If all limits are 0, it asks only after
 * recycle_memory or recycle_wish.
 */
void recycle_begin(struct recycle *r, const struct recycle_limits *limits,
    uint64_t seed, int64_t now);

/* True if its resident memory is to be looked at now: every 100 ms, or always
 * if it was near the limit.  False without a limit, or once there is a
 * reason. */
bool recycle_wants_rss(const struct recycle *r, int64_t now);

/* Note its resident memory (at `now`), its requests so far, that its Lua heap
 * has hit its limit, or that the application wants to be replaced. */
void recycle_rss(struct recycle *r, int64_t bytes, int64_t now);
void recycle_requests(struct recycle *r, uint64_t requests);
void recycle_memory(struct recycle *r);
void recycle_wish(struct recycle *r);

/* True if it is to ask for a successor now.  After that false, until it is time
 * to ask again. */
bool recycle_ask(struct recycle *r, int64_t now);

/* The time at which to call recycle_ask even if nothing happens, -1: never. */
int64_t recycle_next(const struct recycle *r);

/* The reason in words, "after 512 requests".  Returns out. */
const char *recycle_text(const struct recycle *r, int64_t now,
    char out[RECYCLE_TEXT]);

#endif

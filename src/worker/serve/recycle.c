#include "worker/serve/recycle.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/num.h"

#define LOOK_EVERY  100	  /* ms, while resident memory is far below its limit */
#define FIRST_PAUSE 250	  /* ms; perhaps there was no room for a successor */
#define LAST_PAUSE  60000 /* ms; perhaps it cannot come up at all */

static int64_t
draw(int64_t limit, uint64_t seed)
{
	int64_t tenth = limit / 10;

	return limit - tenth + (int64_t)(seed % (uint64_t)(2 * tenth + 1));
}

void
recycle_begin(struct recycle *r, const struct recycle_limits *limits,
    uint64_t seed, int64_t now)
{
	*r = (struct recycle) { .begun = now, .looked = now, .again = -1,
		.pause = FIRST_PAUSE };
	r->limits.requests = draw(limits->requests, seed & UINT32_MAX);
	r->limits.age = draw(limits->age, seed >> 32);
	r->limits.rss = limits->rss;
}

bool
recycle_wants_rss(const struct recycle *r, int64_t now)
{
	if (r->limits.rss == 0 || r->reason != RECYCLE_NOT)
		return false;
	return r->rss > r->limits.rss / 4 * 3 || now - r->looked >= LOOK_EVERY;
}

/* Only the first reason counts. */
static void
give_reason(struct recycle *r, enum recycle_reason reason)
{
	if (r->reason != RECYCLE_NOT)
		return;
	r->reason = reason;
	r->again = r->begun; /* at once */
}

void
recycle_rss(struct recycle *r, int64_t bytes, int64_t now)
{
	r->rss = bytes;
	r->looked = now;
	if (r->limits.rss > 0 && bytes > r->limits.rss)
		give_reason(r, RECYCLE_RSS);
}

void
recycle_requests(struct recycle *r, uint64_t requests)
{
	r->requests = requests;
	if (r->limits.requests > 0 &&
	    requests >= (uint64_t)r->limits.requests)
		give_reason(r, RECYCLE_REQUESTS);
}

void
recycle_memory(struct recycle *r)
{
	give_reason(r, RECYCLE_MEMORY);
}

void
recycle_wish(struct recycle *r)
{
	give_reason(r, RECYCLE_WISH);
}

bool
recycle_ask(struct recycle *r, int64_t now)
{
	if (r->limits.age > 0 && now - r->begun >= r->limits.age)
		give_reason(r, RECYCLE_AGE);
	if (r->reason == RECYCLE_NOT || now < r->again)
		return false;
	r->again = now + r->pause;
	r->pause = r->pause < LAST_PAUSE / 2 ? 2 * r->pause : LAST_PAUSE;
	return true;
}

int64_t
recycle_next(const struct recycle *r)
{
	if (r->reason != RECYCLE_NOT)
		return r->again;
	return r->limits.age > 0 ? r->begun + r->limits.age : -1;
}

const char *
recycle_text(const struct recycle *r, int64_t now, char out[RECYCLE_TEXT])
{
	char one[NUM_TEXT], other[NUM_TEXT];

	switch (r->reason) {
	case RECYCLE_REQUESTS:
		snprintf(out, RECYCLE_TEXT, "after %" PRIu64 " requests",
		    r->requests);
		break;
	case RECYCLE_AGE:
		snprintf(out, RECYCLE_TEXT, "at the age of %s",
		    num_duration_text((now - r->begun + 500) / 1000 * 1000,
			one));
		break;
	case RECYCLE_RSS:
		snprintf(out, RECYCLE_TEXT, "resident memory of %s is above "
		    "limits.rss, %s", num_size_text(r->rss / 1024 * 1024, one),
		    num_size_text(r->limits.rss, other));
		break;
	case RECYCLE_MEMORY:
		snprintf(out, RECYCLE_TEXT, "its Lua heap has reached "
		    "limits.memory");
		break;
	case RECYCLE_WISH:
		snprintf(out, RECYCLE_TEXT, "the application wants it");
		break;
	case RECYCLE_NOT:
		snprintf(out, RECYCLE_TEXT, "for no reason");
		break;
	}
	return out;
}

#include "worker/net/pace.h"

#include <errno.h>

#include "base/clock.h"
#include "base/tuning.h"
#include "worker/net/peer.h"
#include "worker/net/poller.h"

void
pace_begin(struct pace *pace, int64_t min_rate)
{
	*pace = (struct pace){ .min_rate = min_rate };
}

/* All content that has come is taken.  False if it was too little for the time
 * that was waited for it; that time begins anew after each look. */
static bool
keeps_rate(struct pace *pace, const struct conn *c, uint64_t taken)
{
	uint64_t least = (uint64_t)(pace->min_rate * tuning.rate / 1000);

	if (pace->waited < tuning.rate)
		return true;
	if (taken - pace->marked < least) {
		peer_blame(c, "request body slower than limits.min_rate");
		return false;
	}
	pace->waited = 0;
	pace->marked = taken;
	return true;
}

/* 1: readable, 0: too late or too slow, -1: interrupted. */
static int
wait_for_bytes(struct pace *pace, const struct conn *c, uint64_t taken,
    int64_t deadline)
{
	int64_t now = clock_ms(), began, look;
	int ready = 0;

	if (pace->min_rate == 0)
		return poller_readable(c->fd, deadline);
	while (ready == 0 && keeps_rate(pace, c, taken)) {
		began = now;
		look = now + tuning.rate - pace->waited;
		ready = poller_readable(c->fd,
		    look < deadline ? look : deadline);
		now = clock_ms();
		pace->waited += now - began;
		if (ready == 0 && now >= deadline)
			break;
	}
	return ready;
}

bool
pace_comes_more(struct pace *pace, const struct conn *c, ssize_t n,
    uint64_t taken, int64_t deadline)
{
	if (n == 0 || errno != EAGAIN)
		errno = ECONNRESET;
	else if (deadline == PACE_NEVER)
		errno = EAGAIN;
	else if (wait_for_bytes(pace, c, taken, deadline) > 0)
		return true;
	else
		errno = ETIMEDOUT;
	return false;
}

bool
pace_is_late(struct pace *pace, const struct conn *c, uint64_t taken,
    int64_t timeout, int64_t waited)
{
	pace->idle += waited;
	pace->waited += waited;
	return pace->idle >= timeout ||
	    (pace->min_rate > 0 && !keeps_rate(pace, c, taken));
}

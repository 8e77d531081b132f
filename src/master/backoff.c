#include "master/backoff.h"

#include <limits.h>

#include "base/tuning.h"

#define READY_FAILURES 5 /* in a row, until the wait is tuning.backoff_ready */

/* The wait in ms after the nth failure in a row, n > 0. */
static int64_t
backoff_wait(unsigned n, int64_t most)
{
	int64_t wait = tuning.backoff_first;

	while (--n > 0 && wait < most)
		wait *= 2;
	return wait < most ? wait : most;
}

bool
backoff_failed(struct backoff *backoff, int64_t now, bool ready,
    int64_t lived)
{
	if (ready && lived >= tuning.backoff_life) {
		*backoff = (struct backoff){ 0 };
		return false;
	}
	backoff->trial |= !ready;
	if (backoff_active(backoff, now))
		return false;
	if (backoff->failures < UINT16_MAX)
		backoff->failures++;
	/* Deaths of workers that have served must not lengthen the wait after a
	 * worker that fails to start. */
	if (ready && backoff->failures > READY_FAILURES)
		backoff->failures = READY_FAILURES;
	backoff->until = now + backoff_wait(backoff->failures,
	    ready ? tuning.backoff_ready : tuning.backoff_most);
	return true;
}

unsigned
backoff_allows(const struct backoff *backoff, int64_t now, unsigned wanted,
    unsigned starting)
{
	unsigned most = UINT_MAX;

	if (backoff_active(backoff, now))
		most = 0;
	else if (backoff->trial)
		most = starting == 0 ? 1 : 0;
	return wanted < most ? wanted : most;
}

void
backoff_ready(struct backoff *backoff)
{
	backoff->until = 0;
	backoff->trial = false;
}

bool
backoff_active(const struct backoff *backoff, int64_t now)
{
	return now < backoff->until;
}

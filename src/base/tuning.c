#include "base/tuning.h"

#ifndef TUNING_PART
#define TUNING_PART 1 /* a program for tests divides by more */
#endif

#define MS(n) ((n) / TUNING_PART)
/* What waits for the worker's own guard, which has to get a processor several
 * times meanwhile, is not shortened below this. */
#define MS_BUT(n, least) (MS(n) > (least) ? MS(n) : (least))

const struct tuning tuning = {
	.fold = MS(10000),
	.backoff_first = MS(100),
	.backoff_most = MS(30000),
	.backoff_ready = MS(1000),
	.backoff_life = MS(10000),
	.control = MS(5000),
	.reload = MS(3000),
	.hurry = MS(3000),
	.hang = MS_BUT(2000, 1000),
	.stuck = MS(2000),
	.overdue = MS(500),
	.full = MS(1000),
	.room = MS(10000),
	.linger = MS(5000),
	.idle = MS(2000),
	.timer = MS(60000),
	.rate = MS(10000),
	.close = MS(5000),
	.lock = MS(2000),
};

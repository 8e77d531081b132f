#include "master/quota.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"

#define QUIET 60000 /* ms without a refusal after which the next is logged */

static bool
full(const struct quota *quota)
{
	return quota->max > 0 && quota->now >= quota->max;
}

bool
quota_room(struct quota *quota)
{
	int64_t now = clock_ms();

	if (!full(quota))
		return true;
	if (quota->refused == 0 || now - quota->refused >= QUIET)
		log_warning("process_max (%" PRId64 ") is reached: no more "
		    "workers are started until others leave", quota->max);
	quota->refused = now;
	quota->wanted = true;
	return false;
}

void
quota_add(struct quota *quota)
{
	quota->now++;
}

void
quota_remove(struct quota *quota)
{
	quota->now--;
}

bool
quota_freed(struct quota *quota)
{
	bool freed = quota->wanted && !full(quota);

	if (freed)
		quota->wanted = false;
	return freed;
}

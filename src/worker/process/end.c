#include "worker/process/end.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

static struct {
	int channel; /* -1: there never was a master */
} self = { -1 };

static bool
is_orphan(void)
{
	struct pollfd channel = { .fd = self.channel };

	return poll(&channel, 1, 0) == 1 && (channel.revents & POLLHUP);
}

/* Only the worker leads the group: a process that the application has forked
 * does not end it. */
static void
end_group(void)
{
	if (getpgrp() == getpid() && is_orphan())
		kill(0, SIGKILL);
}

/* The last handler of atexit(3). */
static void
end(void)
{
	log_flush();
	end_group();
}

void
end_init(const struct worker_args *args)
{
	self.channel = args->channel;
	atexit(end);
}

_Noreturn void
end_now(int code)
{
	end_group();
	_exit(code);
}

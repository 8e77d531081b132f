#include "base/clock_set.h"

#include <sys/timerfd.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#define FAR (INT64_C(1) << 33) /* seconds since 1970: it never fires by itself */

static struct {
	struct loop *loop;
	int fd;
	void (*fn)(void);
} self = { .fd = -1 };

/* timerfd_settime(2): a timer that is cancelled has to be armed again. */
static int
arm(void)
{
	const struct itimerspec far = { .it_value = { .tv_sec = FAR } };

	return timerfd_settime(self.fd, TFD_TIMER_ABSTIME |
	    TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static void
ready(void *arg, int fd, short revents)
{
	uint64_t times;

	(void)arg;
	(void)revents;
	if (read(fd, &times, sizeof(times)) == -1 && errno == ECANCELED)
		self.fn();
	if (arm() == -1 && errno != ECANCELED)
		clock_set_unwatch();
}

void
clock_set_watch(struct loop *loop, void (*fn)(void))
{
	self.loop = loop;
	self.fn = fn;
	self.fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (self.fd == -1)
		return;
	if ((arm() == -1 && errno != ECANCELED) ||
	    loop_watch(loop, self.fd, POLLIN, ready, NULL) == -1)
		fd_close(&self.fd);
}

void
clock_set_unwatch(void)
{
	if (self.fd == -1)
		return;
	loop_unwatch(self.loop, self.fd);
	fd_close(&self.fd);
}

#include "master/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"

#define NOTIFY_TEXT 512 /* bytes of the longest message */

static struct {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	size_t len;	  /* of path; 0: nothing is sent */
	int64_t interval; /* us between signs of life at the most; 0: none are
			     wanted */
	struct loop *loop;
	struct loop_timer timer;
} self = { .fd = -1 };

static int64_t
number(const char *variable, int64_t otherwise)
{
	const char *text = getenv(variable);
	int64_t value;

	if (text == NULL || num_integer(text, 1, INT64_MAX, &value) == -1)
		return otherwise;
	return value;
}

void
notify_init(void)
{
	const struct timeval limit = { .tv_sec = 1 }; /* for a full queue */
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path == NULL ? 0 : strlen(path);

	fd_close(&self.fd);
	memset(&self, 0, sizeof(self));
	self.fd = -1;
	if (n > 1 && n < sizeof(self.path) &&
	    (path[0] == '/' || path[0] == '@')) {
		memcpy(self.path, path, n);
		self.len = n;
		self.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		setsockopt(self.fd, SOL_SOCKET, SO_SNDTIMEO, &limit,
		    sizeof(limit));
	}
	/* Without WATCHDOG_PID the interval is for every process that reads
	 * it. */
	if (number("WATCHDOG_PID", getpid()) == getpid())
		self.interval = number("WATCHDOG_USEC", 0);
	notify_take_back();
}

void
notify_take_back(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void
notify_hand_on(void)
{
	char text[24];

	if (self.len > 0)
		setenv("NOTIFY_SOCKET", self.path, 1);
	if (self.interval == 0)
		return;
	snprintf(text, sizeof(text), "%" PRId64, self.interval);
	setenv("WATCHDOG_USEC", text, 1);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("WATCHDOG_PID", text, 1);
}

static socklen_t
manager(struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, self.path, self.len);
	/* An abstract name has no terminator: its length tells. */
	if (self.path[0] == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + self.len +
	    (self.path[0] == '/' ? 1 : 0));
}

void
notify_send(const char *fmt, ...)
{
	struct sockaddr_un address;
	socklen_t len = manager(&address);
	char text[NOTIFY_TEXT];
	va_list ap;

	if (self.len == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sendto(self.fd, text, strlen(text), MSG_NOSIGNAL,
	    (struct sockaddr *)&address, len);
}

static void
feed(void *unused)
{
	(void)unused;
	notify_send("WATCHDOG=1");
	loop_timer_set(self.loop, &self.timer,
	    clock_ms() + self.interval / 2000);
}

void
notify_watchdog(struct loop *loop)
{
	if (self.len == 0 || self.interval == 0)
		return;
	self.loop = loop;
	self.timer.fire = feed;
	feed(NULL);
}

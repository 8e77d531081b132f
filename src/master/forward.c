#include "master/forward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fd_leave.h"
#include "base/log.h"
#include "ipc/exchange.h"
#include "net/sock.h"

#define TURN  64 /* messages in one turn of the loop */
#define PAUSE 5	 /* ms until a full exchange is tried again */

struct forward {
	struct loop *loop;
	struct loop_timer timer;
	int from;
	const int *listeners;
	int *to;
	size_t n;
};

static char message[EXCHANGE_MESSAGE];

static void ready(void *arg, int fd, short revents);

static int
watch(struct forward *f)
{
	return loop_watch(f->loop, f->from, POLLIN, ready, f);
}

static void
pause_over(void *arg)
{
	struct forward *f = arg;

	if (watch(f) == -1)
		loop_timer_set(f->loop, &f->timer, clock_ms() + PAUSE);
}

/* True if each exchange has room for a message, and this process for a
 * descriptor: a message that was read before would be lost with its
 * connection. */
static bool
has_room(const struct forward *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!exchange_has_room(f->to[i]))
			return false;
	return fd_has_room(f->from);
}

/* A message without a descriptor is a nudge to look at the listeners: it is for
 * all generations. */
static void
pass_on(const struct forward *f, int fd, size_t n)
{
	size_t i = 0;

	for (; fd == -1 && i < f->n; i++)
		fd_send(f->to[i], -1, message, n);
	if (fd == -1)
		return;
	while (i < f->n && !sock_came_by(f->listeners[i], fd))
		i++;
	if (fd_send(f->to[i < f->n ? i : 0], fd, message, n) == -1)
		log_warning("a connection is lost on its way to another "
		    "pool: %s", strerror(errno));
}

static void
ready(void *arg, int from, short revents)
{
	struct forward *f = arg;
	int fds[TURN];
	size_t passed = 0;
	long n;

	(void)revents;
	while (passed < TURN) {
		if (!has_room(f)) {
			loop_unwatch(f->loop, from);
			loop_timer_set(f->loop, &f->timer,
			    clock_ms() + PAUSE);
			break;
		}
		n = fd_receive_leaving(from, &fds[passed], message,
		    sizeof(message));
		if (n <= 0)
			break;
		pass_on(f, fds[passed++], (size_t)n);
	}
	fd_leave(fds, passed);
}

struct forward *
forward_new(struct loop *loop, int from, const int *listeners, const int *to,
    size_t n)
{
	struct forward *f = calloc(1, sizeof(*f));
	bool good;

	if (f == NULL || (f->to = calloc(n, sizeof(*f->to))) == NULL) {
		free(f);
		return NULL;
	}
	f->loop = loop;
	f->timer = (struct loop_timer){ .fire = pause_over, .arg = f };
	f->listeners = listeners;
	f->from = fcntl(from, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	good = f->from != -1;
	for (; good && f->n < n; f->n++) {
		f->to[f->n] = fcntl(to[f->n], F_DUPFD_CLOEXEC,
		    STDERR_FILENO + 1);
		good = f->to[f->n] != -1;
	}
	if (good && watch(f) == 0)
		return f;
	forward_free(f);
	return NULL;
}

bool
forward_idle(const struct forward *forward)
{
	return forward == NULL || !fd_is_readable(forward->from);
}

void
forward_free(struct forward *forward)
{
	if (forward == NULL)
		return;
	loop_timer_clear(forward->loop, &forward->timer);
	loop_unwatch(forward->loop, forward->from);
	for (size_t i = 0; i < forward->n; i++)
		fd_close(&forward->to[i]);
	fd_close(&forward->from);
	free(forward->to);
	free(forward);
}

#include "master/listen_set.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/exchange.h"

#define FULL_PAUSE  5	 /* ms; until an exchange has room again */
#define AWAIT_PAUSE 50	 /* ms; until a handshake may have ended */
#define AWAIT_MOST  2000 /* ms; a packet that got lost comes again after 1000 */
#define HANDED_MOST 1024 /* more messages than an exchange holds */

/* Whoever has the pair can shut it down for all who have it; from then on it
 * looks as if something had come. */
static bool
has_ended(const struct listen_set *inlet)
{
	struct pollfd p = { inlet->exchange[0], POLLRDHUP, 0 };

	return poll(&p, 1, 0) == 1;
}

/* Connections handed over by one generation reach the next: both hold the
 * same pair. */
static int
open_exchange(struct listen_set *inlet, const struct listen_set *before)
{
	if (before == NULL || has_ended(before))
		return fd_pair(inlet->exchange);
	for (int i = 0; i < 2; i++) {
		inlet->exchange[i] = fcntl(before->exchange[i],
		    F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (inlet->exchange[i] == -1)
			return -1;
	}
	return 0;
}

static int
get_all(struct listen_set *inlet, const struct conf_pool *conf,
    const struct conf_list *list, bool leaving, struct why *why)
{
	inlet->exchange[0] = inlet->exchange[1] = -1;
	inlet->left = leaving;
	inlet->listeners = calloc(list->n, sizeof(*inlet->listeners));
	inlet->fds = calloc(list->n, sizeof(*inlet->fds));
	if (inlet->listeners == NULL || inlet->fds == NULL) {
		why_set(why, "%s", strerror(errno));
		return -1;
	}
	for (; inlet->n < list->n; inlet->n++) {
		const char *text = list->item[inlet->n];
		struct listener *l = leaving ?
		    listen_get_leaving(conf, text, why) :
		    listen_get(conf, text, why);

		if (l == NULL)
			return -1;
		inlet->listeners[inlet->n] = l;
		inlet->fds[inlet->n] = l->fd;
	}
	return 0;
}

int
listen_set_bind(struct listen_set *inlet, const struct conf_pool *conf,
    const struct conf_list *list, struct why *why)
{
	return get_all(inlet, conf, list, false, why);
}

static int
open_all(struct listen_set *inlet, const struct conf_pool *conf,
    const struct listen_set *before, bool leaving, struct why *why)
{
	if (get_all(inlet, conf, &conf->listen, leaving, why) == -1)
		return -1;
	if (open_exchange(inlet, before) == 0)
		return 0;
	why_set(why, "%s", strerror(errno));
	return -1;
}

int
listen_set_open(struct listen_set *inlet, const struct conf_pool *conf,
    const struct listen_set *before, struct why *why)
{
	return open_all(inlet, conf, before, false, why);
}

int
listen_set_open_leaving(struct listen_set *inlet, const struct conf_pool *conf,
    const struct listen_set *before, struct why *why)
{
	return open_all(inlet, conf, before, true, why);
}

int
listen_set_follow(struct listen_set *inlet, const struct listen_set *other)
{
	for (int i = 0; i < 2; i++)
		fd_close(&inlet->exchange[i]);
	return open_exchange(inlet, other);
}

bool
listen_set_shares(const struct listen_set *inlet,
    const struct listen_set *other)
{
	struct stat one, two;

	return fstat(inlet->exchange[0], &one) == 0 &&
	    fstat(other->exchange[0], &two) == 0 &&
	    one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

bool
listen_set_has(const struct listen_set *inlet, const struct listener *listener)
{
	size_t i = 0;

	while (i < inlet->n && inlet->listeners[i] != listener)
		i++;
	return i < inlet->n;
}

int
listen_set_forward(struct listen_set *inlet, struct loop *loop,
    const struct listen_set *const *heirs)
{
	int *to = calloc(inlet->n, sizeof(*to));

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < inlet->n; i++)
		to[i] = heirs[i]->exchange[1];
	inlet->forward = forward_new(loop, inlet->exchange[0], inlet->fds, to,
	    inlet->n);
	free(to);
	return inlet->forward == NULL ? -1 : 0;
}

void
listen_set_unforward(struct listen_set *inlet)
{
	forward_free(inlet->forward);
	inlet->forward = NULL;
}

bool
listen_set_settled(const struct listen_set *inlet)
{
	return forward_idle(inlet->forward) && !inlet->timer.set;
}

int
listen_set_adjust(struct listen_set *inlet, const struct conf_pool *conf,
    struct why *why)
{
	for (size_t i = 0; i < inlet->n; i++)
		if (listen_adjust(inlet->listeners[i], conf, why) == -1)
			return -1;
	return 0;
}

void
listen_set_end(struct listen_set *inlet)
{
	shutdown(inlet->exchange[1], SHUT_WR);
}

/* What is in it when it is closed for the last time would be closed then, and
 * might let us wait. */
static void
empty_exchange(struct listen_set *inlet)
{
	char byte;

	for (int i = 0; i < HANDED_MOST; i++)
		if (fd_receive_bytes(inlet->exchange[0], &byte, 1) == -1)
			break;
}

void
listen_set_close(struct listen_set *inlet)
{
	listen_set_unwatch(inlet);
	if (inlet->timers != NULL)
		loop_timer_clear(inlet->timers, &inlet->timer);
	forward_free(inlet->forward);
	if (inlet->fds != NULL && has_ended(inlet))
		empty_exchange(inlet);
	for (size_t i = 0; i < inlet->n; i++) {
		if (!inlet->left)
			listen_leave(inlet->listeners[i]);
		listen_put(inlet->listeners[i]);
	}
	for (int i = 0; i < 2 && inlet->fds != NULL; i++)
		fd_close(&inlet->exchange[i]);
	if (inlet->timers != NULL)
		fd_close(&inlet->held);
	free(inlet->listeners);
	free(inlet->fds);
}

/* A descriptor that another generation watches already is heard there. */
void
listen_set_watch(struct listen_set *inlet, struct loop *loop,
    void (*came)(void *arg, int fd, short revents), void *arg)
{
	if (inlet->loop != NULL)
		return;
	inlet->loop = loop;
	for (size_t i = 0; i < inlet->n; i++)
		loop_watch(loop, inlet->fds[i], POLLIN, came, arg);
	if (!inlet->ended)
		loop_watch(loop, inlet->exchange[0], POLLIN, came, arg);
}

void
listen_set_unwatch(struct listen_set *inlet)
{
	if (inlet->loop == NULL)
		return;
	for (size_t i = 0; i < inlet->n; i++)
		loop_unwatch(inlet->loop, inlet->fds[i]);
	loop_unwatch(inlet->loop, inlet->exchange[0]);
	inlet->loop = NULL;
}

static void
give_up_exchange(struct listen_set *inlet)
{
	if (inlet->loop != NULL)
		loop_unwatch(inlet->loop, inlet->exchange[0]);
	inlet->ended = true;
	log_warning("a worker of the pool at %s has shut down the exchange, "
	    "over which connections are handed on: the next reload makes "
	    "another", inlet->listeners[0]->text);
}

/* Was a connection handed on that waits? */
static bool
is_handed(struct listen_set *inlet)
{
	struct pollfd p = { inlet->exchange[0], POLLIN, 0 };

	if (!inlet->ended && has_ended(inlet))
		give_up_exchange(inlet);
	return !inlet->ended && poll(&p, 1, 0) == 1;
}

unsigned
listen_set_waiting(struct listen_set *inlet)
{
	unsigned sum = is_handed(inlet);
	int n;

	for (size_t i = 0; i < inlet->n; i++) {
		n = sock_queue_length(inlet->fds[i]);
		sum += n > 0 ? (unsigned)n : 0;
	}
	return sum;
}

/* ---- refusing ------------------------------------------------------------ */

/* One that cannot be given for now is kept. */
static bool
give(struct listen_set *inlet)
{
	if (inlet->held != -1 && !has_ended(inlet) &&
	    (!exchange_has_room(inlet->exchange[1]) ||
		exchange_give_fresh(inlet->exchange[1], inlet->held) == -1))
		return false;
	fd_close(&inlet->held);
	return true;
}

/* Whoever waits at a listener is handed over like those whom a worker could
 * not take.  True: nobody waits any more. */
static bool
empty(struct listen_set *inlet, int listener)
{
	while (give(inlet)) {
		inlet->held = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (inlet->held != -1)
			sock_hear(inlet->held);
		else if (errno != ECONNABORTED && errno != EINTR)
			return errno != EMFILE && errno != ENFILE &&
			    errno != ENOBUFS && errno != ENOMEM;
	}
	return false;
}

/* Shut a listener at which nobody waits or is about to.  -1, or how long to
 * wait until that may be so, in ms. */
static int64_t
shut_listener(struct listen_set *inlet, struct listener *l)
{
	if (!l->ends)
		return -1;
	if (!empty(inlet, l->fd))
		return FULL_PAUSE;
	if (sock_is_awaited(l->fd) && clock_ms() < l->refused + AWAIT_MOST)
		return AWAIT_PAUSE;
	l->ends = false;
	sock_end(l->fd);
	return -1;
}

static void
shut_listeners(void *arg)
{
	struct listen_set *inlet = arg;
	int64_t pause = -1;

	for (size_t i = 0; i < inlet->n; i++)
		pause = clock_sooner(pause,
		    shut_listener(inlet, inlet->listeners[i]));
	if (pause != -1)
		loop_timer_set(inlet->timers, &inlet->timer,
		    clock_ms() + pause);
}

void
listen_set_shut(struct listen_set *inlet, struct loop *loop)
{
	if (inlet->timers == NULL)
		inlet->held = -1;
	inlet->timers = loop;
	inlet->timer.fire = shut_listeners;
	inlet->timer.arg = inlet;
	shut_listeners(inlet);
}

bool
listen_set_leave(struct listen_set *inlet, struct loop *loop, bool hand_on)
{
	bool any = false;

	for (size_t i = 0; i < inlet->n && !inlet->left; i++) {
		struct listener *l = inlet->listeners[i];

		if (!listen_leave(l))
			continue;
		l->ends = hand_on && l->address.kind == SOCK_INET;
		any |= !l->ends;
	}
	if (hand_on && !has_ended(inlet))
		exchange_widen(inlet->exchange[1]);
	inlet->left = true;
	listen_set_shut(inlet, loop);
	return any;
}

#include "master/listen_set.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/fd_leave.h"
#include "base/log.h"
#include "ipc/exchange.h"

#define FULL_PAUSE  5	 /* ms until an exchange that was full is tried again */
#define AWAIT_PAUSE 50	 /* ms until handshakes are looked at again */
#define AWAIT_MOST  2000 /* ms; a lost packet is sent again after 1000 */
#define BLOCKS	    5000 /* us that accept4(2) is let wait */

/* True if the exchange was shut down. */
static bool
has_ended(const struct listen_set *set)
{
	return fd_is_shut(set->exchange[0]);
}

/* Connections handed over by one generation reach the next: both hold the
 * same pair. */
static int
open_exchange(struct listen_set *set, const struct listen_set *before)
{
	if (before == NULL || has_ended(before))
		return fd_pair(set->exchange);
	for (int i = 0; i < 2; i++) {
		set->exchange[i] = fcntl(before->exchange[i],
		    F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		if (set->exchange[i] == -1)
			return -1;
	}
	return 0;
}

static int
get_one(struct listen_set *set, const struct conf_pool *conf,
    const char *text, bool leaving, struct why *why)
{
	struct listener *l = listen_get(conf, text, leaving, why);

	if (l == NULL)
		return -1;
	set->listeners[set->n] = l;
	set->fds[set->n] = l->fd;
	set->protocols[set->n++] = sock_protocol(text);
	return 0;
}

static int
get_all(struct listen_set *set, const struct conf_pool *conf,
    const struct conf_list *list, bool leaving, struct why *why)
{
	set->exchange[0] = set->exchange[1] = set->held = -1;
	set->left = leaving;
	set->listeners = calloc(list->n, sizeof(*set->listeners));
	set->fds = calloc(list->n, sizeof(*set->fds));
	set->protocols = calloc(list->n, sizeof(*set->protocols));
	if (set->listeners == NULL || set->fds == NULL ||
	    set->protocols == NULL) {
		why_set(why, "%s", strerror(errno));
		return -1;
	}
	while (set->n < list->n)
		if (get_one(set, conf, list->item[set->n], leaving, why) == -1)
			return -1;
	return 0;
}

int
listen_set_bind(struct listen_set *set, const struct conf_pool *conf,
    const struct conf_list *list, struct why *why)
{
	return get_all(set, conf, list, false, why);
}

int
listen_set_open(struct listen_set *set, const struct conf_pool *conf,
    const struct listen_set *before, bool leaving, struct why *why)
{
	if (get_all(set, conf, &conf->listen, leaving, why) == -1)
		return -1;
	if (open_exchange(set, before) == 0)
		return 0;
	why_set(why, "%s", strerror(errno));
	return -1;
}

int
listen_set_follow(struct listen_set *set, const struct listen_set *other)
{
	for (int i = 0; i < 2; i++)
		fd_close(&set->exchange[i]);
	return open_exchange(set, other);
}

bool
listen_set_shares(const struct listen_set *set,
    const struct listen_set *other)
{
	struct stat one, two;

	return fstat(set->exchange[0], &one) == 0 &&
	    fstat(other->exchange[0], &two) == 0 &&
	    one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

int
listen_set_forward(struct listen_set *set, struct loop *loop,
    const struct listen_set *const *heirs)
{
	int *to = calloc(set->n, sizeof(*to));

	if (to == NULL)
		return -1;
	for (size_t i = 0; i < set->n; i++)
		to[i] = heirs[i]->exchange[1];
	set->forward = forward_new(loop, set->exchange[0], set->fds, to,
	    set->n);
	free(to);
	return set->forward == NULL ? -1 : 0;
}

void
listen_set_unforward(struct listen_set *set)
{
	forward_free(set->forward);
	set->forward = NULL;
}

bool
listen_set_settled(const struct listen_set *set)
{
	return forward_idle(set->forward) && !set->timer.set;
}

int
listen_set_adjust(struct listen_set *set, const struct conf_pool *conf,
    struct why *why)
{
	for (size_t i = 0; i < set->n; i++)
		if (listen_adjust(set->listeners[i], conf, why) == -1)
			return -1;
	return 0;
}

void
listen_set_mend(struct listen_set *set, const struct conf_pool *conf)
{
	for (size_t i = 0; i < set->n && !set->left; i++)
		listen_mend(set->listeners[i], conf);
}

void
listen_set_end(struct listen_set *set)
{
	shutdown(set->exchange[1], SHUT_WR);
}

/* Nobody else holds an exchange that has ended, nor what is left in it. */
static void
close_exchange(struct listen_set *set)
{
	if (has_ended(set)) {
		fd_leave_pair(set->exchange);
	} else {
		fd_close(&set->exchange[0]);
		fd_close(&set->exchange[1]);
	}
	fd_leave(&set->held, 1);
}

void
listen_set_close(struct listen_set *set)
{
	listen_set_unwatch(set);
	if (set->timers != NULL)
		loop_timer_clear(set->timers, &set->timer);
	forward_free(set->forward);
	if (set->fds != NULL)
		close_exchange(set);
	for (size_t i = 0; i < set->n; i++) {
		if (!set->left)
			listen_leave(set->listeners[i]);
		listen_put(set->listeners[i]);
	}
	free(set->listeners);
	free(set->fds);
	free(set->protocols);
	*set = (struct listen_set){ .left = true };
}

/* loop_watch fails for a descriptor that another generation watches, which is
 * enough. */
void
listen_set_watch(struct listen_set *set, struct loop *loop,
    void (*came)(void *arg, int fd, short revents), void *arg)
{
	if (set->loop != NULL)
		return;
	set->loop = loop;
	for (size_t i = 0; i < set->n; i++)
		if (!set->listeners[i]->dead)
			loop_watch(loop, set->fds[i], POLLIN, came, arg);
	if (!set->ended)
		loop_watch(loop, set->exchange[0], POLLIN, came, arg);
}

void
listen_set_unwatch(struct listen_set *set)
{
	if (set->loop == NULL)
		return;
	for (size_t i = 0; i < set->n; i++)
		loop_unwatch(set->loop, set->fds[i]);
	loop_unwatch(set->loop, set->exchange[0]);
	set->loop = NULL;
}

static void
give_up_exchange(struct listen_set *set)
{
	if (set->loop != NULL)
		loop_unwatch(set->loop, set->exchange[0]);
	set->ended = true;
	log_warning("a worker of the pool at %s has shut down the exchange, "
	    "over which connections are handed on: the next reload makes "
	    "another", set->listeners[0]->place);
}

/* True if a connection waits in the exchange. */
static bool
is_handed(struct listen_set *set)
{
	if (!set->ended && has_ended(set))
		give_up_exchange(set);
	return !set->ended && fd_is_readable(set->exchange[0]);
}

unsigned
listen_set_waiting_at(const struct listen_set *set, size_t listener)
{
	int n = sock_queue_length(set->fds[listener]);

	return n > 0 ? (unsigned)n : 0;
}

unsigned
listen_set_waiting(struct listen_set *set)
{
	unsigned sum = is_handed(set);

	for (size_t i = 0; i < set->n; i++)
		sum += listen_set_waiting_at(set, i);
	return sum;
}

/* ---- accepting ----------------------------------------------------------- */

static volatile sig_atomic_t rang;

static void
ring(int signo)
{
	(void)signo;
	rang = 1;
}

static void
hear_alarm(void)
{
	const struct sigaction action = { .sa_handler = ring };
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
}

/* O_NONBLOCK is of all who have the socket: a worker that clears it would have
 * the master wait for a client.  No flag of accept4(2) is against that, but an
 * alarm, which rings again in case that it came too soon. */
static int
accept_now(int listener)
{
	static const struct itimerval often = { { 0, BLOCKS }, { 0, BLOCKS } },
		never;
	int fd, error;

	hear_alarm();
	rang = 0;
	setitimer(ITIMER_REAL, &often, NULL);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	error = errno;
	setitimer(ITIMER_REAL, &never, NULL);
	errno = fd == -1 && rang != 0 ? EAGAIN : error;
	return fd;
}

/* ---- handing on ---------------------------------------------------------- */

/* Put the held connection into the exchange; it is closed if the exchange was
 * shut down.  False if there is no room: it stays held. */
static bool
give(struct listen_set *set)
{
	if (set->held != -1 && has_ended(set)) {
		fd_leave(&set->held, 1);
		set->held = -1;
	}
	if (set->held != -1 &&
	    (!exchange_has_room(set->exchange[1]) ||
		exchange_give_fresh(set->exchange[1], set->held,
		    set->held_protocol, set->held_since) == -1))
		return false;
	fd_close(&set->held);
	return true;
}

bool
listen_set_release(struct listen_set *set)
{
	return give(set);
}

unsigned
listen_set_hand_on(struct listen_set *set, size_t listener, unsigned n,
    int64_t since)
{
	unsigned accepted = 0;

	while (!has_ended(set) && give(set) && accepted < n &&
	    exchange_has_room(set->exchange[1])) {
		set->held = accept_now(set->fds[listener]);
		set->held_protocol = set->protocols[listener];
		set->held_since = since;
		if (set->held == -1)
			break;
		accepted++;
	}
	return accepted;
}

void
listen_set_note_waiting(struct listen_set *set, int64_t now)
{
	if (!set->ended && !has_ended(set))
		exchange_note_waiting(set->exchange, now);
}

/* ---- refusing ------------------------------------------------------------ */

/* Put what waits at a listener into the exchange, as workers do with what they
 * cannot serve.  True if its queue is empty. */
static bool
empty(struct listen_set *set, size_t listener)
{
	while (give(set)) {
		set->held = accept_now(set->fds[listener]);
		set->held_protocol = set->protocols[listener];
		set->held_since = 0;
		if (set->held != -1)
			sock_hear(set->held);
		else if (errno != ECONNABORTED && errno != EINTR)
			return errno != EMFILE && errno != ENFILE &&
			    errno != ENOBUFS && errno != ENOMEM;
	}
	return false;
}

/* Shut a listener down if no connection waits there and no handshake is under
 * way.  Returns ms until the next try, -1: no need.  Handshakes are looked at
 * first: one that ends after that look has its connection in the queue. */
static int64_t
shut_listener(struct listen_set *set, size_t listener)
{
	struct listener *l = set->listeners[listener];
	bool awaited;

	if (!l->ends)
		return -1;
	awaited = sock_is_awaited(l->fd);
	if (!empty(set, listener))
		return FULL_PAUSE;
	if (awaited && clock_ms() < l->refused + AWAIT_MOST)
		return AWAIT_PAUSE;
	l->ends = false;
	sock_end(l->fd);
	return -1;
}

static void
shut_listeners(void *arg)
{
	struct listen_set *set = arg;
	int64_t pause = give(set) ? -1 : FULL_PAUSE;

	for (size_t i = 0; i < set->n; i++)
		pause = clock_sooner(pause,
		    shut_listener(set, i));
	if (pause != -1)
		loop_timer_set(set->timers, &set->timer,
		    clock_ms() + pause);
}

void
listen_set_shut(struct listen_set *set, struct loop *loop)
{
	set->timers = loop;
	set->timer.fire = shut_listeners;
	set->timer.arg = set;
	shut_listeners(set);
}

bool
listen_set_leave(struct listen_set *set, struct loop *loop, bool hand_on)
{
	bool any = false;

	for (size_t i = 0; i < set->n && !set->left; i++) {
		struct listener *l = set->listeners[i];

		if (!listen_leave(l))
			continue;
		l->ends = hand_on && l->address.kind == SOCK_INET;
		any |= !l->ends;
	}
	if (hand_on && !has_ended(set))
		exchange_widen(set->exchange[1]);
	set->left = true;
	listen_set_shut(set, loop);
	return any;
}

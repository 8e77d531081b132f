#include "base/loop.h"

#include <sys/resource.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define NOWHERE SIZE_MAX

struct loop_watch {
	void (*fn)(void *arg, int fd, short revents);
	void *arg;
	size_t hole; /* of a hole: the index of the next one, or NOWHERE */
};

/* fds[i] and watches[i] belong together; fd -1 is a hole, which poll skips
 * and the next watch fills. */
struct loop {
	struct pollfd *fds;
	struct loop_watch *watches;
	size_t n;
	size_t cap;
	size_t hole;   /* the first one, or NOWHERE */
	size_t *place; /* by descriptor: its index, or NOWHERE */
	size_t nplaces;
	struct loop_timer *timers; /* the root: none is sooner */
	uint64_t serial;	   /* of the timer set last */
	bool cramped;		   /* RLIMIT_NOFILE is below n: EINVAL */
};

static struct loop_signals {
	volatile sig_atomic_t arrived[NSIG];
	bool taken[NSIG];
	void (*fn[NSIG])(void *arg, int signo);
	void *arg[NSIG];
} signals;

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	memset((void *)&signals, 0, sizeof(signals));
	if (loop != NULL)
		loop->hole = NOWHERE;
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	free(loop->fds);
	free(loop->watches);
	free(loop->place);
	free(loop);
}

/* ---- descriptors -------------------------------------------------------- */

static size_t
loop_find(const struct loop *loop, int fd)
{
	return fd < 0 || (size_t)fd >= loop->nplaces ? NOWHERE :
						       loop->place[fd];
}

/* Room for one more watch. */
static int
loop_grow(struct loop *loop)
{
	size_t cap = loop->cap == 0 ? 16 : loop->cap * 2;
	void *fds, *watches;

	if ((fds = reallocarray(loop->fds, cap, sizeof(*loop->fds))) == NULL)
		return -1;
	loop->fds = fds;
	watches = reallocarray(loop->watches, cap, sizeof(*loop->watches));
	if (watches == NULL)
		return -1;
	loop->watches = watches;
	loop->cap = cap;
	return 0;
}

/* Room for the place of fd. */
static int
loop_know(struct loop *loop, int fd)
{
	size_t n = loop->nplaces, *place;

	if ((size_t)fd < n)
		return 0;
	n = (size_t)fd + 1 > 2 * n ? (size_t)fd + 1 : 2 * n;
	place = reallocarray(loop->place, n, sizeof(*place));
	if (place == NULL)
		return -1;
	loop->place = place;
	while (loop->nplaces < n)
		place[loop->nplaces++] = NOWHERE;
	return 0;
}

/* The index of a hole, or behind the last watch; NOWHERE: no memory. */
static size_t
loop_take_place(struct loop *loop)
{
	size_t i = loop->hole;

	if (i != NOWHERE)
		loop->hole = loop->watches[i].hole;
	else if (loop->n < loop->cap || loop_grow(loop) == 0)
		i = loop->n++;
	return i;
}

int
loop_watch(struct loop *loop, int fd, short events,
    void (*fn)(void *arg, int fd, short revents), void *arg)
{
	size_t i;

	if (fd < 0 || loop_find(loop, fd) != NOWHERE) {
		errno = fd < 0 ? EBADF : EEXIST;
		return -1;
	}
	if (loop_know(loop, fd) == -1 ||
	    (i = loop_take_place(loop)) == NOWHERE)
		return -1;
	/* revents is 0: fn is not called in this turn. */
	loop->fds[i] = (struct pollfd){ .fd = fd, .events = events };
	loop->watches[i] = (struct loop_watch){ fn, arg, NOWHERE };
	loop->place[fd] = i;
	return 0;
}

void
loop_unwatch(struct loop *loop, int fd)
{
	size_t i = loop_find(loop, fd);

	if (i == NOWHERE)
		return;
	loop->fds[i] = (struct pollfd){ .fd = -1 };
	loop->watches[i] = (struct loop_watch){ .hole = loop->hole };
	loop->hole = i;
	loop->place[fd] = NOWHERE;
}

/* By index and by copy: a callback may move both arrays. */
static void
loop_call_watches(struct loop *loop)
{
	struct loop_watch watch;
	struct pollfd ready;
	size_t i;

	for (i = 0; i < loop->n; i++) {
		ready = loop->fds[i];
		watch = loop->watches[i];
		if (ready.fd != -1 && ready.revents != 0)
			watch.fn(watch.arg, ready.fd, ready.revents);
	}
}

/* ---- timers ------------------------------------------------------------- */

/*
 * A pairing heap: each timer is no later than its children, which are linked by
 * `next`; `back` is where the link to a timer is.  To set one takes one step; to
 * take one out as many as the logarithm of their number, over time (Fredman and
 * others, "The pairing heap", 1986).
 */
static bool
loop_is_sooner(const struct loop_timer *a, const struct loop_timer *b)
{
	return a->due < b->due || (a->due == b->due && a->serial < b->serial);
}

/* Two heaps, of which either may be NULL, as one. */
static struct loop_timer *
loop_merge(struct loop_timer *a, struct loop_timer *b)
{
	struct loop_timer *later;

	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	later = loop_is_sooner(a, b) ? b : a;
	a = later == a ? b : a;
	later->next = a->child;
	later->back = &a->child;
	if (later->next != NULL)
		later->next->back = &later->next;
	a->child = later;
	return a;
}

/* All of a list of heaps as one: in pairs first, then one after the other. */
static struct loop_timer *
loop_merge_all(struct loop_timer *list)
{
	struct loop_timer *pairs = NULL, *all = NULL, *a, *b;

	while ((a = list) != NULL) {
		b = a->next;
		list = b == NULL ? NULL : b->next;
		a = loop_merge(a, b);
		a->next = pairs;
		pairs = a;
	}
	while ((a = pairs) != NULL) {
		pairs = a->next;
		all = loop_merge(all, a);
	}
	return all;
}

static void
loop_set_root(struct loop *loop, struct loop_timer *root)
{
	loop->timers = root;
	if (root == NULL)
		return;
	root->next = NULL;
	root->back = &loop->timers;
}

void
loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due)
{
	loop_timer_clear(loop, timer);
	timer->due = due;
	timer->serial = ++loop->serial;
	timer->child = NULL;
	timer->set = true;
	loop_set_root(loop, loop_merge(loop->timers, timer));
}

void
loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer *rest;

	if (!timer->set)
		return;
	timer->set = false;
	*timer->back = timer->next;
	if (timer->next != NULL)
		timer->next->back = timer->back;
	rest = loop_merge_all(timer->child);
	loop_set_root(loop, loop_merge(loop->timers, rest));
}

/* Only those that were set before: a timer that sets itself to now fires again
 * in the next turn, not for ever in this one. */
static void
loop_call_timers(struct loop *loop)
{
	int64_t now = clock_ms();
	uint64_t last = loop->serial;
	struct loop_timer *timer;

	while ((timer = loop->timers) != NULL && timer->due <= now &&
	    timer->serial <= last) {
		loop_timer_clear(loop, timer);
		timer->fire(timer->arg);
	}
}

/* ---- signals ------------------------------------------------------------ */

static void
loop_arrived(int signo)
{
	signals.arrived[signo] = 1;
}

int
loop_signal(struct loop *loop, int signo, void (*fn)(void *arg, int signo),
    void *arg)
{
	struct sigaction action = { .sa_handler = loop_arrived };
	sigset_t one;

	(void)loop;
	sigfillset(&action.sa_mask);
	sigemptyset(&one);
	/* Blocked first: the handler never runs outside the wait. */
	if (sigaddset(&one, signo) == -1 ||
	    sigprocmask(SIG_BLOCK, &one, NULL) == -1)
		return -1;
	signals.fn[signo] = fn;
	signals.arg[signo] = arg;
	signals.taken[signo] = true;
	return sigaction(signo, &action, NULL);
}

static void
loop_call_signals(void)
{
	int signo;

	for (signo = 1; signo < NSIG; signo++) {
		if (!signals.arrived[signo])
			continue;
		signals.arrived[signo] = 0;
		if (signals.fn[signo] != NULL)
			signals.fn[signo](signals.arg[signo], signo);
	}
}

void
loop_leave(struct loop *loop)
{
	int signo;

	for (signo = 1; signo < NSIG; signo++)
		if (signals.taken[signo])
			signal(signo, SIG_DFL);
	loop_free(loop);
}

/* ---- a turn ------------------------------------------------------------- */

/* The milliseconds to wait, for the next timer or limit_ms; -1: for ever. */
static int64_t
loop_patience(const struct loop *loop, int limit_ms)
{
	int64_t left;

	if (loop->timers == NULL)
		return limit_ms;
	left = loop->timers->due - clock_ms();
	if (left < 0)
		left = 0;
	return limit_ms >= 0 && limit_ms < left ? limit_ms : left;
}

/* ppoll leaves signals pending when a descriptor is ready, and a descriptor
 * that is always ready would keep them out for ever: let them in here. */
static void
loop_let_signals_in(void)
{
	sigset_t none, mask;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Wait without descriptors, at most 100 ms: ppoll cannot take them now.  A
 * signal ends this wait too. */
static void
loop_rest(int64_t ms)
{
	struct timespec pause = { .tv_nsec = 100 * 1000000 };
	sigset_t none;

	if (ms >= 0 && ms < 100)
		pause.tv_nsec = ms * 1000000;
	sigemptyset(&none);
	ppoll(NULL, 0, &pause, &none);
}

/* Poll all descriptors without waiting, in pieces, because poll(2) takes at
 * most RLIMIT_NOFILE at a time.  Returns how many are ready; 0 if a poll fails,
 * because the revents of its piece are those of an earlier turn. */
static int
loop_look(struct loop *loop)
{
	struct rlimit most;
	size_t i, piece;
	int n = 0, ready;

	if (getrlimit(RLIMIT_NOFILE, &most) == -1 || most.rlim_cur == 0)
		return 0;
	for (i = 0; i < loop->n; i += piece) {
		piece = loop->n - i;
		if (piece > most.rlim_cur)
			piece = most.rlim_cur;
		ready = poll(loop->fds + i, piece, 0);
		if (ready == -1)
			return 0;
		n += ready;
	}
	return n;
}

/* RLIMIT_NOFILE was lowered from outside, below the number of watches. */
static int
loop_make_do(struct loop *loop, int64_t ms)
{
	int n = loop_look(loop);

	if (!loop->cramped)
		log_warning("RLIMIT_NOFILE is below the number of descriptors "
		    "in use: they are looked at ten times a second");
	loop->cramped = true;
	if (n == 0)
		loop_rest(ms);
	return n;
}

int
loop_turn(struct loop *loop, int limit_ms)
{
	int64_t ms = loop_patience(loop, limit_ms);
	struct timespec wait = { .tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000 };
	sigset_t none;
	int n;

	sigemptyset(&none);
	n = ppoll(loop->fds, loop->n, ms < 0 ? NULL : &wait, &none);
	if (n == -1 && errno == EINVAL)
		n = loop_make_do(loop, ms);
	else
		loop->cramped = false;
	if (n == -1 && errno == ENOMEM)
		loop_rest(ms);
	else if (n == -1 && errno != EINTR)
		return -1;
	if (n > 0) {
		loop_let_signals_in();
		loop_call_watches(loop);
	}
	loop_call_timers(loop);
	loop_call_signals();
	return 0;
}

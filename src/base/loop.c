#include "base/loop.h"

#include <sys/resource.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

struct loop_watch {
	void (*fn)(void *arg, int fd, short revents);
	void *arg;
};

/* fds[i] and watches[i] belong together; fd -1 is a hole, which poll skips
 * and the next watch fills. */
struct loop {
	struct pollfd *fds;
	struct loop_watch *watches;
	size_t n;
	size_t cap;
	struct loop_timer *timers; /* soonest first */
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
	memset((void *)&signals, 0, sizeof(signals));
	return calloc(1, sizeof(struct loop));
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	free(loop->fds);
	free(loop->watches);
	free(loop);
}

/* ---- descriptors -------------------------------------------------------- */

/* The index of fd (-1: of a hole); n if it is not found. */
static size_t
loop_find(const struct loop *loop, int fd)
{
	size_t i;

	for (i = 0; i < loop->n && loop->fds[i].fd != fd; i++)
		;
	return i;
}

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

int
loop_watch(struct loop *loop, int fd, short events,
    void (*fn)(void *arg, int fd, short revents), void *arg)
{
	size_t i;

	if (fd < 0 || loop_find(loop, fd) < loop->n) {
		errno = fd < 0 ? EBADF : EEXIST;
		return -1;
	}
	i = loop_find(loop, -1);
	if (i == loop->cap && loop_grow(loop) == -1)
		return -1;
	if (i == loop->n)
		loop->n++;
	/* revents is 0: fn is not called in this turn. */
	loop->fds[i] = (struct pollfd){ .fd = fd, .events = events };
	loop->watches[i] = (struct loop_watch){ fn, arg };
	return 0;
}

void
loop_unwatch(struct loop *loop, int fd)
{
	size_t i = fd < 0 ? loop->n : loop_find(loop, fd);

	if (i < loop->n)
		loop->fds[i] = (struct pollfd){ .fd = -1 };
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

void
loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due)
{
	struct loop_timer **link = &loop->timers;

	loop_timer_clear(loop, timer);
	while (*link != NULL && (*link)->due <= due)
		link = &(*link)->next;
	timer->due = due;
	timer->next = *link;
	timer->set = true;
	*link = timer;
}

void
loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer **link = &loop->timers;

	if (!timer->set)
		return;
	while (*link != timer)
		link = &(*link)->next;
	*link = timer->next;
	timer->set = false;
}

/* No more calls than timers were due at first: a timer that sets itself to now
 * fires again in the next turn, not for ever in this one. */
static void
loop_call_timers(struct loop *loop)
{
	int64_t now = clock_ms();
	struct loop_timer *timer;
	size_t due = 0;

	for (timer = loop->timers; timer != NULL && timer->due <= now;
	    timer = timer->next)
		due++;
	for (; due > 0; due--) {
		timer = loop->timers;
		if (timer == NULL || timer->due > now)
			break;
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

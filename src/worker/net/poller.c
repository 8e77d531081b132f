#include "worker/net/poller.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"

#define KEY_TIMER UINT64_MAX /* of no other descriptor */
#define SIGNAL	  (SIGRTMIN + 3)
#define MARKS	  (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)

static struct {
	int timer;
	int64_t set; /* clock_ms() for which it is set, -1: it is not */
	pthread_t thread;
} self = { .timer = -1, .set = -1 };

static void
interrupted(int signo)
{
	(void)signo;
}

int
poller_open(void)
{
	const struct sigaction action = { .sa_handler = interrupted,
		.sa_flags = SA_RESTART };
	int set = epoll_create1(EPOLL_CLOEXEC);

	self.thread = pthread_self();
	sigaction(SIGNAL, &action, NULL);
	self.timer = timerfd_create(CLOCK_MONOTONIC,
	    TFD_CLOEXEC | TFD_NONBLOCK);
	if (set == -1 || self.timer == -1 ||
	    poller_add(set, self.timer, KEY_TIMER, false) == -1)
		return -1; /* nothing is closed: the process ends */
	return set;
}

int
poller_add(int set, int fd, uint64_t key, bool shared)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = key };

	if (shared)
		event.events |= EPOLLEXCLUSIVE;
	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

/* No later event would tell of a mark that was there with the first. */
int
poller_await(int set, int fd, uint64_t key, bool outward, bool again)
{
	struct epoll_event event = { .data.u64 = key, .events = outward ?
	    EPOLLOUT : EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET };

	return epoll_ctl(set, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
	    &event);
}

void
poller_remove(int set, int fd)
{
	epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
}

/* The kernel refuses to add what is in the set: the same number that leads to
 * the same open file. */
bool
poller_has(int set, int fd)
{
	if (poller_add(set, fd, KEY_TIMER, false) == -1)
		return errno == EEXIST;
	poller_remove(set, fd);
	return false;
}

bool
poller_is_whole(int set)
{
	return poller_has(set, self.timer);
}

static void
set_timer(int64_t due)
{
	const struct itimerspec spec = { .it_value = { due / 1000,
		due % 1000 * 1000000 } };

	if (due == -1 || (self.set != -1 && self.set <= due))
		return;
	timerfd_settime(self.timer, TFD_TIMER_ABSTIME, &spec, NULL);
	self.set = due;
}

static void
timer_passed(void)
{
	uint64_t times;

	if (read(self.timer, &times, sizeof(times)) == sizeof(times))
		self.set = -1;
}

int
poller_turn(int set, struct poller_event found[POLLER_BATCH], int64_t now,
    int64_t due)
{
	struct epoll_event events[POLLER_BATCH];
	bool look = due != -1 && due <= now;
	int n, count = 0;

	if (!look)
		set_timer(due);
	n = epoll_wait(set, events, POLLER_BATCH, look ? 0 : -1);
	for (int i = 0; i < n; i++) {
		if (events[i].data.u64 == KEY_TIMER)
			timer_passed();
		else
			found[count++] = (struct poller_event){
				events[i].data.u64,
				(events[i].events & MARKS) != 0 };
	}
	return n == -1 ? -1 : count;
}

void
poller_interrupt(void)
{
	pthread_kill(self.thread, SIGNAL);
}

int
poller_signals(const int *numbers)
{
	sigset_t set;

	sigemptyset(&set);
	for (; *numbers != 0; numbers++)
		sigaddset(&set, *numbers);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int
poller_signal_next(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

static int
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = deadline - clock_ms();

	return poll(&p, 1, left > 0 ? (int)left : 0);
}

int
poller_readable(int fd, int64_t deadline)
{
	return wait_for(fd, POLLIN, deadline);
}

int
poller_writable(int fd, int64_t deadline)
{
	return wait_for(fd, POLLOUT, deadline);
}

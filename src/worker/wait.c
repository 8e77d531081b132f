#include "worker/wait.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"

int
wait_open(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

int
wait_add(int set, int fd, uint64_t key, bool shared)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = key };

	if (shared)
		event.events |= EPOLLEXCLUSIVE;
	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

void
wait_remove(int set, int fd)
{
	epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
}

int
wait_turn(int set, uint64_t keys[WAIT_BATCH], int timeout_ms)
{
	struct epoll_event events[WAIT_BATCH];
	int n;

	n = epoll_wait(set, events, WAIT_BATCH, timeout_ms);
	for (int i = 0; i < n; i++)
		keys[i] = events[i].data.u64;
	return n;
}

int
wait_signals(const int *numbers)
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
wait_signal_next(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

int
wait_readable(int fd, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left = deadline - clock_ms();

	return poll(&p, 1, left > 0 ? (int)left : 0);
}

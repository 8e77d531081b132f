#include "base/fd_leave.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/fd.h"

/* In the child: until the parent has closed its end, or is gone. */
static void
hold(int end[2])
{
	char byte;

	close(end[1]);
	while (read(end[0], &byte, 1) == -1 && errno == EINTR)
		;
	_exit(0);
}

/* The parent's handlers are not to run in the child. */
static pid_t
fork_quiet(void)
{
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = fork();
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void
fd_leave(const int *fds, size_t n)
{
	int end[2] = { -1, -1 };
	pid_t pid = -1;
	size_t given = 0;

	for (size_t i = 0; i < n; i++)
		given += fds[i] != -1;
	if (given == 0)
		return;
	if (fd_pipe(end) == 0)
		pid = fork_quiet();
	if (pid == 0)
		hold(end);
	for (size_t i = 0; i < n; i++)
		if (pid != -1 && fds[i] != -1)
			close(fds[i]);
		else
			fd_discard(fds[i]);
	fd_close(&end[0]);
	fd_close(&end[1]);
}

/* What one end has sent counts until the other has taken it, an empty message
 * too. */
static bool
is_empty(int end)
{
	int waits = 0;

	return ioctl(end, SIOCOUTQ, &waits) == 0 && waits == 0;
}

void
fd_leave_pair(const int pair[2])
{
	if (pair[0] == -1 || pair[1] == -1) {
		fd_leave(pair, 2);
		return;
	}
	shutdown(pair[0], SHUT_RDWR);
	shutdown(pair[1], SHUT_RDWR);
	if (is_empty(pair[0]) && is_empty(pair[1])) {
		close(pair[0]);
		close(pair[1]);
	} else {
		fd_leave(pair, 2);
	}
}

long
fd_receive_leaving(int sock, int *fd, void *data, size_t n)
{
	int fds[FD_MOST];
	size_t nfds, kept = fd != NULL;
	long done = fd_receive_all(sock, fds, &nfds, data, n);

	if (fd != NULL)
		*fd = nfds > 0 ? fds[0] : -1;
	if (nfds > kept)
		fd_leave(fds + kept, nfds - kept);
	return done;
}

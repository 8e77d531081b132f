#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int
fd_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

int
fd_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1)
		return -1;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags);
}

int
fd_write_all(int fd, const void *data, size_t n)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };
	const char *p = data;
	ssize_t done;

	for (; n > 0; p += done, n -= (size_t)done) {
		done = write(fd, p, n);
		if (done == -1 && errno == EAGAIN)
			poll(&room, 1, -1);
		else if (done == -1 && errno != EINTR)
			return -1;
		if (done == -1)
			done = 0;
	}
	return 0;
}

int
fd_pipe(int fds[2])
{
	return pipe2(fds, O_CLOEXEC);
}

int
fd_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
}

union fd_control { /* aligned as cmsg(3) requires */
	char room[CMSG_SPACE(FD_MOST * sizeof(int))];
	struct cmsghdr align;
};

long
fd_send(int sock, int fd, const void *data, size_t n)
{
	union fd_control control = { { 0 } };
	struct iovec iov = { (void *)(uintptr_t)data, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *head;

	if (fd != -1) {
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(sizeof(int));
		head = CMSG_FIRSTHDR(&msg);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
fd_discard(int fd)
{
	const struct linger never = { 0 };

	if (fd == -1)
		return;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &never, sizeof(never));
	close(fd);
}

static size_t
take_fds(const struct cmsghdr *head, int *fds)
{
	size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	memcpy(fds, CMSG_DATA(head), n * sizeof(int));
	return n;
}

/* The buffer has room for all descriptors of a message, because the kernel
 * closes those that do not fit, and may wait (see fd_discard). */
long
fd_receive_all(int sock, int fds[FD_MOST], size_t *nfds, void *data, size_t n)
{
	union fd_control control;
	struct iovec iov = { data, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	struct cmsghdr *head;
	long done;

	*nfds = 0;
	/* A peer that closed with messages unread causes one ECONNRESET, ahead
	 * of its own last messages and of end of file. */
	do
		done = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (done == -1 && errno == ECONNRESET);
	if (done == -1)
		return -1;
	for (head = CMSG_FIRSTHDR(&msg); head != NULL;
	    head = CMSG_NXTHDR(&msg, head))
		if (head->cmsg_level == SOL_SOCKET &&
		    head->cmsg_type == SCM_RIGHTS)
			*nfds += take_fds(head, fds + *nfds);
	if (*nfds > 0 || (msg.msg_flags & MSG_CTRUNC) == 0)
		return done;
	errno = EMFILE;
	return -1;
}

long
fd_receive(int sock, int *fd, void *data, size_t n)
{
	int fds[FD_MOST];
	size_t nfds;
	long done = fd_receive_all(sock, fds, &nfds, data, n);

	*fd = nfds > 0 ? fds[0] : -1;
	while (nfds > 1)
		fd_discard(fds[--nfds]);
	return done;
}

bool
fd_has_room(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy == -1)
		return false;
	close(copy);
	return true;
}

long
fd_receive_bytes(int sock, void *data, size_t n)
{
	int fd;
	long done = fd_receive(sock, &fd, data, n);

	fd_discard(fd);
	return done;
}

static bool
has_event(int fd, short event)
{
	struct pollfd p = { .fd = fd, .events = event };

	return poll(&p, 1, 0) == 1;
}

bool
fd_is_readable(int fd)
{
	return has_event(fd, POLLIN);
}

bool
fd_is_shut(int fd)
{
	return has_event(fd, POLLRDHUP);
}

int
fd_open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

int
fd_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd == -1)
		return -1;
	close(fd);
	return 0;
}

void
fd_close(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

#include "base/writer.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/* True if both are open, and the same file. */
static bool
is_same(int one, int other)
{
	struct stat a, b;

	return one != -1 && other != -1 && fstat(one, &a) == 0 &&
	    fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino;
}

void
writer_set(struct writer *o, int fd)
{
	struct stat st = { 0 };
	int flags = fd == -1 ? -1 : fcntl(fd, F_GETFL);

	if (o->torn > 0 && !is_same(o->fd, fd))
		o->torn = 0;
	o->fd = fd;
	if (flags != -1)
		fstat(fd, &st);
	o->socket = S_ISSOCK(st.st_mode);
	o->blocks = (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) &&
	    (flags & O_NONBLOCK) == 0;
}

void
writer_distrust(struct writer *o)
{
	struct stat st;

	if (o->fd != -1 && fstat(o->fd, &st) == 0)
		o->blocks = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode);
}

/* All copies of a descriptor share O_NONBLOCK, the shell's as well: the file
 * is opened again instead. */
int
writer_own(int fd)
{
	struct stat st;
	int own;

	if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || isatty(fd))) {
		own = fd_open_again(fd, O_WRONLY | O_NONBLOCK | O_NOCTTY);
		if (own > STDERR_FILENO)
			return own;
		if (own != -1)
			close(own);
	}
	return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* True if there is room, or an error that write(2) will return. */
static bool
writer_wait(const struct writer *o, int64_t until)
{
	struct pollfd p = { .fd = o->fd, .events = POLLOUT };
	int64_t left;
	int n;

	do {
		left = o->stalled ? 0 : until - clock_ms();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n == -1 && errno == EINTR);
	return n != 0;
}

/* After poll(2) a blocking descriptor has room for PIPE_BUF bytes, no more. */
static ssize_t
writer_try(const struct writer *o, const char *data, size_t n)
{
	if (o->socket)
		return send(o->fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(o->fd, data, o->blocks && n > PIPE_BUF ? PIPE_BUF : n);
}

/* Returns the number of bytes written; if that is less than n, errno says
 * why. */
static size_t
writer_push(const struct writer *o, const char *data, size_t n)
{
	int64_t until = clock_ms() + WRITER_PATIENCE;
	size_t done = 0;
	ssize_t went;

	while (done < n) {
		errno = EAGAIN;
		if (o->blocks && !writer_wait(o, until))
			break;
		went = writer_try(o, data + done, n - done);
		if (went > 0)
			done += (size_t)went;
		else if (went == -1 && errno == EAGAIN) {
			if (!writer_wait(o, until))
				break;
		} else if (went == 0 || errno != EINTR)
			break;
	}
	return done;
}

int
writer_write(struct writer *o, const char *line, size_t n)
{
	size_t done = 0;

	/* After a loss poll(2) must report room: a short line may fit into a
	 * full pipe, but the next one would wait again. */
	errno = EAGAIN;
	if ((!o->stalled || writer_wait(o, 0)) &&
	    (o->torn == 0 || writer_push(o, "\n", 1) == 1)) {
		o->torn = 0;
		done = writer_push(o, line, n);
	}
	o->went = done;
	o->stalled = done < n;
	if (done == n)
		return 0;
	if (done > 0)
		o->torn = done;
	o->error = errno;
	o->lost++;
	return -1;
}

/* Overwrite n > 0 bytes with blanks and a newline. */
static bool
blank(int fd, off_t at, size_t n)
{
	char blanks[256];
	size_t some;

	memset(blanks, ' ', sizeof(blanks));
	for (; n > 0; n -= some, at += (off_t)some) {
		some = n < sizeof(blanks) ? n : sizeof(blanks);
		if (some == n)
			blanks[some - 1] = '\n';
		if (pwrite(fd, blanks, some, at) != (ssize_t)some)
			return false;
	}
	return true;
}

/* Others may have written behind the line, so it is not cut off. */
void
writer_mend(struct writer *o)
{
	int flags = fcntl(o->fd, F_GETFL);
	off_t end = lseek(o->fd, 0, SEEK_CUR);

	if (o->torn == 0 || flags == -1 || end == -1 ||
	    fcntl(o->fd, F_SETFL, flags & ~O_APPEND) == -1)
		return;
	if (blank(o->fd, end - (off_t)o->torn, o->torn))
		o->torn = 0;
	fcntl(o->fd, F_SETFL, flags);
}

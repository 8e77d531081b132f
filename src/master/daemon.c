#include "master/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"

/* ---- pid file ------------------------------------------------------------ */

/* Whether path still names what fd is: its last owner may have removed it
 * between our open and our lock. */
static bool
pidfile_current(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && stat(path, &named) == 0 &&
	    ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static void
pidfile_refuse(int fd, const char *path, struct why *why)
{
	char text[24] = "";
	ssize_t n;

	if (errno != EWOULDBLOCK) {
		why_set(why, "cannot lock %s: %s", path, strerror(errno));
		return;
	}
	if ((n = pread(fd, text, sizeof(text) - 1, 0)) > 0)
		text[strspn(text, "0123456789")] = '\0';
	why_set(why, "%s: lua-fpm runs already%s%s", path,
	    text[0] == '\0' ? "" : " with pid ", text);
}

int
pidfile_open(const char *path, struct why *why)
{
	int fd;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		    0644);
		if (fd == -1) {
			why_set(why, "cannot write %s: %s", path,
			    strerror(errno));
			return -1;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
			pidfile_refuse(fd, path, why);
			close(fd);
			return -1;
		}
		if (pidfile_current(fd, path))
			break;
		close(fd);
	}
	pidfile_write(fd);
	return fd;
}

/* Never empty in between: a reader finds the old pid or the new one. */
void
pidfile_write(int fd)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (pwrite(fd, text, (size_t)n, 0) == n && ftruncate(fd, n) == 0)
		return;
}

/* The lock goes last, so that nobody's new file is removed. */
void
pidfile_close(int fd, const char *path)
{
	if (fd == -1)
		return;
	unlink(path);
	close(fd);
}

/* ---- detaching ----------------------------------------------------------- */

/* The master's blocked signals are none of the foreground's business. */
static void
daemon_let_signals_in(void)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t none;
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		signal(ends[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* _exit: what stdio holds and atexit knows is the child's. */
static _Noreturn void
daemon_wait(int fd)
{
	unsigned char code;
	ssize_t n;

	daemon_let_signals_in();
	do
		n = read(fd, &code, 1);
	while (n == -1 && errno == EINTR);
	_exit(n == 1 ? code : EX_SOFTWARE);
}

/* Let go of what the standard descriptors up to `last` lead to. */
static void
daemon_redirect(int null, int last)
{
	for (int fd = STDIN_FILENO; fd <= last; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

void
daemon_silence(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null != -1)
		daemon_redirect(null, STDERR_FILENO);
}

int
daemon_detach(void)
{
	int fds[2], null, saved;
	pid_t pid;

	if (fd_pair(fds) == -1)
		return -1;
	if ((null = open("/dev/null", O_RDWR)) == -1 || (pid = fork()) == -1) {
		saved = errno;
		fd_close(&null);
		fd_close(&fds[0]);
		fd_close(&fds[1]);
		errno = saved;
		return -1;
	}
	/* Each keeps one end, or the end of the child would not be seen. */
	close(fds[pid == 0 ? 0 : 1]);
	if (pid != 0)
		daemon_wait(fds[0]);
	setsid();
	daemon_redirect(null, STDOUT_FILENO);
	return fds[1];
}

/* A parent that is gone must not end us: a socket, for MSG_NOSIGNAL. */
void
daemon_verdict(int *fd, int code)
{
	unsigned char byte = (unsigned char)code;

	if (*fd != -1)
		send(*fd, &byte, 1, MSG_NOSIGNAL);
	fd_close(fd);
}

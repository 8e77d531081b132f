#include "master/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

#define ATTEMPTS 100 /* if another process creates the file again and again */

/* ---- pid file ------------------------------------------------------------ */

enum { AGAIN = -2 };

/* True if the name still leads to the file fd: its last owner may have removed
 * it between our open and our lock. */
static bool
pidfile_current(int fd, int dir, const char *name)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 &&
	    fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* True if other users may have opened the file, and so could lock it.  A file
 * made by pidfile_open never is exposed. */
static bool
pidfile_exposed(const struct stat *st)
{
	return (st->st_mode & (S_IRWXG | S_IRWXO)) != 0 ||
	    st->st_uid != geteuid() || st->st_nlink != 1;
}

static long
pidfile_read(int fd)
{
	char text[24] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? atol(text) : 0;
}

/* True if a process has `file` open for writing.  fds is its /proc/PID/fd,
 * which is closed; the mode of a link there tells how its descriptor was
 * opened. */
static bool
has_open_for_writing(int fds, const struct stat *file)
{
	DIR *dir = fdopendir(fds);
	const struct dirent *entry;
	struct stat link, st;
	bool found = false;

	while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
		found = fstatat(fds, entry->d_name, &link,
		    AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(link.st_mode) &&
		    (link.st_mode & S_IWUSR) != 0 &&
		    fstatat(fds, entry->d_name, &st, 0) == 0 &&
		    st.st_dev == file->st_dev && st.st_ino == file->st_ino;
	if (dir != NULL)
		closedir(dir);
	else
		close(fds);
	return found;
}

/* True if the daemon that the file names holds the lock: that daemon has it
 * open for writing, other users can open it for reading only.  True, too, if
 * /proc cannot be read. */
static bool
pidfile_served(int fd, const struct stat *st)
{
	long pid = pidfile_read(fd);
	char path[48];
	int fds;

	if (pid <= 0 || pid > INT_MAX || kill((pid_t)pid, 0) == -1)
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	fds = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fds == -1 || has_open_for_writing(fds, st);
}

/* Close fd and fill why by errno (EWOULDBLOCK: it is locked); returns -1. */
static int
pidfile_refuse(int fd, const char *path, const char *what, struct why *why)
{
	long pid = 0;

	if (errno != EWOULDBLOCK)
		why_set(why, "cannot %s %s: %s", what, path, strerror(errno));
	else if ((pid = pidfile_read(fd)) > 0)
		why_set(why, "%s: lua-fpm runs already with pid %ld", path,
		    pid);
	else
		why_set(why, "%s: lua-fpm runs already", path);
	fd_close(&fd);
	return -1;
}

static int
pidfile_lock(int fd, const struct stat *st)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -1;
	if (pidfile_exposed(st) && !pidfile_served(fd, st))
		return 0;
	errno = EWOULDBLOCK;
	return -1;
}

/* Returns the locked file, -1 and why, or AGAIN.  A file that other users may
 * have opened is replaced, never used, since they could lock it later. */
static int
pidfile_try(int dir, const char *name, const char *path, struct why *why)
{
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK | O_NOCTTY, 0600);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return pidfile_refuse(fd, path, "write", why);
	if (!S_ISREG(st.st_mode)) {
		why_set(why, "%s exists and is not a file", path);
		close(fd);
		return -1;
	}
	if (pidfile_lock(fd, &st) == -1)
		return pidfile_refuse(fd, path, "lock", why);
	if (pidfile_current(fd, dir, name)) {
		if (!pidfile_exposed(&st))
			return fd;
		if (unlinkat(dir, name, 0) == -1)
			return pidfile_refuse(fd, path, "replace", why);
	}
	close(fd);
	return AGAIN;
}

int
pidfile_open(const char *path, struct why *why)
{
	char name[NAME_MAX + 1];
	struct why reason;
	int dir = path_parent(path, name, &reason), fd = AGAIN;

	if (dir == -1) {
		why_set(why, "cannot write %s: %s", path, reason.text);
		return -1;
	}
	for (int i = 0; i < ATTEMPTS && fd == AGAIN; i++)
		fd = pidfile_try(dir, name, path, why);
	close(dir);
	if (fd == AGAIN) {
		why_set(why, "cannot write %s: somebody else does", path);
		fd = -1;
	}
	if (fd != -1)
		pidfile_write(fd);
	return fd;
}

/* The directory has to be writable as well, since an existing file may have to
 * be replaced. */
int
pidfile_check(const char *path, struct why *why)
{
	char name[NAME_MAX + 1];
	struct why reason;
	struct stat st;
	int dir = path_parent(path, name, &reason), result;

	if (dir == -1) {
		why_set(why, "cannot write %s: %s", path, reason.text);
		return -1;
	}
	result = faccessat(dir, ".", W_OK | X_OK, AT_EACCESS);
	if (result == 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		result = faccessat(dir, name, R_OK | W_OK, AT_EACCESS);
		errno = S_ISREG(st.st_mode) ? errno : EEXIST;
		result = S_ISREG(st.st_mode) ? result : -1;
	}
	if (result == -1)
		why_set(why, errno == EEXIST ? "%s exists and is not a file" :
		    "cannot write %s: %s", path, strerror(errno));
	close(dir);
	return result;
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

/* The lock is released last, so that the new file of another daemon is never
 * removed. */
void
pidfile_close(int fd, const char *path)
{
	char name[NAME_MAX + 1];
	int dir;

	if (fd == -1)
		return;
	dir = path_parent(path, name, NULL);
	if (dir != -1 && pidfile_current(fd, dir, name))
		unlinkat(dir, name, 0);
	fd_close(&dir);
	close(fd);
}

/* ---- its terminal -------------------------------------------------------- */

bool
daemon_is_hung_up(void)
{
	struct termios unused;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (tcgetattr(fd, &unused) == -1 && errno == EIO)
			return true;
	return false;
}

/* ---- detaching ----------------------------------------------------------- */

/* Signals that the master blocks or handles have to end the foreground
 * process. */
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

/* _exit, since what stdio and atexit(3) hold belongs to the child. */
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

/* Point the standard descriptors up to `last` at `null`, which is closed. */
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
	/* Each process keeps its own end only, so that the parent sees the
	 * child's death as end of file. */
	close(fds[pid == 0 ? 0 : 1]);
	if (pid != 0)
		daemon_wait(fds[0]);
	setsid();
	daemon_redirect(null, STDOUT_FILENO);
	return fds[1];
}

/* A socket, so that MSG_NOSIGNAL spares us SIGPIPE if the parent is gone. */
void
daemon_verdict(int *fd, int code)
{
	unsigned char byte = (unsigned char)code;

	if (*fd != -1)
		send(*fd, &byte, 1, MSG_NOSIGNAL);
	fd_close(fd);
}

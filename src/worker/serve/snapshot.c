#include "worker/serve/snapshot.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/*
 * clone(2) instead of fork(3): no handler of pthread_atfork(3) runs, and since
 * the copy sends no signal when it ends, wait(2) in the application does not
 * find it (__WCLONE).
 */
static pid_t
copy_process(void)
{
	return (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
}

/* In the copy: a crash calls no handler and writes no core file, and the copy
 * does not outlive the thread that waits for it. */
static void
die_quietly(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE,
		SIGILL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 0);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

static _Noreturn void
be_copy(int to, size_t (*look)(char *, size_t), char *out, size_t n)
{
	die_quietly();
	n = look(out, n);
	out[n] = '\0';
	fd_write_all(to, out, n + 1);
	close(to); /* the reader need not wait until exit frees the memory */
	_exit(0);
}

/* Read all until end of file: the length of the text.  -1 with errno; without a
 * NUL at its end the copy has crashed. */
static ssize_t
collect(int from, char *out, size_t n)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	int64_t until = clock_ms() + SNAPSHOT_PATIENCE, left;
	size_t len = 0;
	ssize_t got = -1;

	while (got != 0 && (left = until - clock_ms()) > 0) {
		if (poll(&p, 1, (int)left) != 1)
			continue;
		got = read(from, out + len, n - len);
		len += got > 0 ? (size_t)got : 0;
	}
	if (got == 0 && len > 0 && out[len - 1] == '\0')
		return (ssize_t)len - 1;
	errno = got == 0 ? EFAULT : ETIMEDOUT;
	return -1;
}

static void
end(pid_t pid)
{
	int error = errno;

	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WCLONE) == -1 && errno == EINTR)
		;
	errno = error;
}

ssize_t
snapshot_look(size_t (*look)(char *out, size_t n), char *out, size_t n)
{
	int ends[2];
	ssize_t len = -1;
	pid_t pid;

	if (fd_pipe(ends) == -1)
		return -1;
	pid = copy_process();
	if (pid == 0)
		be_copy(ends[1], look, out, n);
	fd_close(&ends[1]);
	if (pid != -1) {
		len = collect(ends[0], out, n);
		end(pid);
	}
	fd_close(&ends[0]);
	return len;
}

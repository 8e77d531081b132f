#include "worker/cgi/keeper.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/title.h"

/* In the child: wait for the end of the worker, which has the other end of the
 * pipe, and whose programs have it not.  A group of its own, as the master kills
 * that of the worker. */
static _Noreturn void
keep(int end, const atomic_int *group)
{
	char byte;
	int number;

	setpgid(0, 0);
	dup2(end, STDIN_FILENO);
	close_range(STDIN_FILENO + 1, UINT_MAX, 0);
	title_set("lua-fpm: ends CGI programs with their worker");
	while (read(STDIN_FILENO, &byte, 1) == -1 && errno == EINTR)
		;
	number = atomic_load(group);
	if (number > 0)
		kill(-number, SIGKILL);
	_exit(0);
}

atomic_int *
keeper_start(void)
{
	atomic_int *group = mmap(NULL, sizeof(*group), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sigset_t all, before;
	int ends[2];
	pid_t pid;

	if (group == MAP_FAILED || fd_pipe(ends) == -1)
		return NULL;
	/* A worker without a master that is renewed in the same process has
	 * the keeper of before as a child. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		pthread_sigmask(SIG_SETMASK, &all, NULL);
		keep(ends[0], group);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	fd_close(&ends[0]);
	return pid == -1 ? NULL : group;
}

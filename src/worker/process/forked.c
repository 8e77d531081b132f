#include "worker/process/forked.h"

#include <sys/mman.h>

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log_pipe.h"

static volatile bool always = true;
static volatile bool *here = &always;
const volatile bool *forked_here = &always;

static void
reset_signals(void)
{
	static const int blocked[] = { SIGHUP, SIGINT, SIGQUIT, SIGUSR1,
		SIGUSR2, SIGTERM, SIGCHLD },
		ignored[] = { SIGINT, SIGUSR1, SIGPIPE, SIGXFSZ };
	struct sigaction action;
	sigset_t set;

	/* A handler is kept: the application has set it. */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (sigaction(ignored[i], NULL, &action) == 0 &&
		    action.sa_handler == SIG_IGN)
			signal(ignored[i], SIG_DFL);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
		sigaddset(&set, blocked[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Called in the child before fork(3) returns there (pthread_atfork(3)). */
static void
begin_child(void)
{
	*here = false;
	reset_signals();
}

/* The kernel zeroes the page in every child, also of clone(2); before Linux
 * 4.14, where it cannot, begin_child does. */
void
forked_init(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED) {
		madvise(page, size, MADV_WIPEONFORK);
		here = page;
		*here = true;
		forked_here = here;
	}
	pthread_atfork(NULL, NULL, begin_child);
}

/* Handlers of atexit(3) would write what the worker is going to write. */
_Noreturn void
forked_end(void)
{
	dprintf(log_pipe(), "process %d was forked by the application and "
	    "has come back from it: it ends, its worker goes on\n",
	    (int)getpid());
	_exit(EX_SOFTWARE);
}

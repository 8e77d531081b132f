#include "master/probe.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "master/check.h"
#include "master/handover.h"
#include "master/slot.h"

#define SAID_MOST 65536	  /* bytes of the child's output that are kept */
#define TRIAL_LIMIT 10000 /* ms, beyond the sum of all timeouts.start */

static struct {
	const struct probe *probe; /* the one that runs, or NULL */
	pid_t pid;
	int output;
	struct buf said;
	struct loop_timer timer;
	bool late;
} self = { .output = -1 };

/* Execute the binary with the daemon's command line, -t in front. */
static _Noreturn void
become_probe(const struct probe *probe, int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), n = 0;
	char daemon[16];
	sigset_t none;

	snprintf(daemon, sizeof(daemon), "%ld", (long)getppid());
	setenv(CHECK_DAEMON, daemon, 1);
	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	loop_leave(probe->loop);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	handover_propose();
	while (probe->argv[n] != NULL)
		n++;
	{
		char *argv[n + 2];

		argv[0] = probe->argv[0];
		argv[1] = (char[]){ "-t" };
		for (int i = 1; i <= n; i++)
			argv[i + 1] = probe->argv[i];
		execv(probe->binary, argv);
	}
	dprintf(STDERR_FILENO, "%s: %s\n", probe->binary, strerror(errno));
	_exit(127);
}

/* Output that is not kept is read as well, so that the child never waits for
 * us. */
static void
hear(void)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(self.output, chunk, sizeof(chunk))) > 0)
		if (self.said.len + (size_t)n <= SAID_MOST)
			buf_add(&self.said, chunk, (size_t)n);
	if (n == 0 || errno != EAGAIN)
		loop_unwatch(self.probe->loop, self.output);
}

static void
output_ready(void *arg, int fd, short revents)
{
	(void)arg;
	(void)fd;
	(void)revents;
	hear();
}

static void
too_late(void *arg)
{
	(void)arg;
	self.late = true;
	kill(-self.pid, SIGKILL);
	kill(self.pid, SIGKILL);
}

/* -t loads applications one after the other. */
static int64_t
patience(const struct conf *conf)
{
	int64_t limit = TRIAL_LIMIT;

	for (size_t i = 0; i < conf->npools; i++)
		limit += conf->pools[i].timeouts.start;
	return limit;
}

int
probe_begin(const struct probe *probe, const struct conf *conf)
{
	int fds[2], error;

	if (fd_pipe(fds) == -1)
		return -1;
	self.pid = fork();
	if (self.pid == 0)
		become_probe(probe, fds[1]);
	error = errno;
	close(fds[1]);
	if (self.pid == -1) {
		close(fds[0]);
		errno = error;
		return -1;
	}
	self.probe = probe;
	self.output = fds[0];
	self.late = false;
	buf_clear(&self.said);
	self.timer = (struct loop_timer){ .fire = too_late };
	loop_timer_set(probe->loop, &self.timer, clock_ms() +
	    patience(conf));
	fd_nonblock(self.output, true);
	/* If this fails, the output is read when the child has ended, as far as
	 * the pipe holds it. */
	loop_watch(probe->loop, self.output, POLLIN, output_ready, NULL);
	return 0;
}

static void
forget(void)
{
	loop_timer_clear(self.probe->loop, &self.timer);
	loop_unwatch(self.probe->loop, self.output);
	fd_close(&self.output);
	self.probe = NULL;
	self.pid = 0;
}

/* Pass its output on, and how it ended if its output does not say so. */
static void
tell(const struct probe *probe, int status)
{
	char *text = (char *)buf_string(&self.said), *line, *rest = NULL;
	char end[64], last[128];

	for (line = text == NULL ? NULL : strtok_r(text, "\n", &rest);
	    line != NULL; line = strtok_r(NULL, "\n", &rest))
		probe->said(line);
	if (WIFEXITED(status) && self.said.len > 0)
		return;
	snprintf(last, sizeof(last), "the new binary %s%s",
	    slot_end_text(status, end, sizeof(end)),
	    self.late ? ": it was not ready in time" : "");
	probe->said(last);
}

void
probe_reap(pid_t pid, int status)
{
	const struct probe *probe = self.probe;
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (probe == NULL || pid != self.pid)
		return;
	kill(-pid, SIGKILL); /* what is left of its group */
	hear();
	forget();
	if (!good)
		tell(probe, status);
	buf_free(&self.said);
	probe->over(good);
}

void
probe_cancel(void)
{
	if (self.probe == NULL)
		return;
	too_late(NULL);
	forget();
	buf_free(&self.said);
}

#include "worker/trial.h"

#include <sys/time.h>
#include <sys/wait.h>

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "share/birth.h"

/* In the child: the reason goes up the pipe, nothing means success.  SIGALRM
 * kills it when the time is over, whatever it does. */
static _Noreturn void
try_pool(const struct birth_orders *birth, int memory)
{
	int64_t ms = birth->pool->timeouts.start;
	const struct itimerval limit = { .it_value = {
		.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 } };
	sigset_t none;

	signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	birth_become(birth, memory);
}

/* The whole of what the child had to say, and how it ended. */
static int
hear_verdict(const struct conf_pool *pool, pid_t pid, int in, struct why *why)
{
	char text[sizeof(why->text)];
	size_t len = 0;
	ssize_t n;
	int status;

	while (len < sizeof(text) - 1 &&
	    (n = read(in, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (len > 0)
		why_set(why, "%s", text);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		why_set(why, "not loaded within timeouts.start (%lld ms)",
		    (long long)pool->timeouts.start);
	else if (WIFSIGNALED(status))
		why_set(why, "killed by %s while it was loaded",
		    strsignal(WTERMSIG(status)));
	else
		why_set(why, "left with exit code %d while it was loaded",
		    WEXITSTATUS(status));
	return -1;
}

static int
trial_fork(const struct conf_pool *pool, const struct identity *identity,
    int fds[2], struct why *why)
{
	const struct birth_orders birth = { .kind = BIRTH_TRIAL, .pool = pool,
		.identity = identity, .channel = fds[1], .exchange = { -1, -1 }, .head = -1,
		.slot = -1, .level = log_level_now() };
	int memory = birth_prepare(&birth), error;
	pid_t pid = memory == -1 ? -1 : fork();

	if (pid == 0)
		try_pool(&birth, memory);
	error = errno;
	fd_close(&fds[1]);
	fd_close(&memory);
	if (pid != -1)
		return hear_verdict(pool, pid, fds[0], why);
	why_set(why, "fork: %s", strerror(error));
	return -1;
}

static int
trial_pool(const struct conf_pool *pool, struct why *why)
{
	struct identity identity;
	int fds[2], result;

	if (fd_pipe(fds) == -1) {
		why_set(why, "pipe: %s", strerror(errno));
		return -1;
	}
	result = identity_find(&identity, pool, why);
	if (result == 0)
		result = trial_fork(pool, &identity, fds, why);
	fd_close(&fds[0]);
	fd_close(&fds[1]);
	identity_free(&identity);
	return result;
}

/* Lua says the place itself, "app.lua:3: ..."; else it is the pool's. */
static void
report(const struct conf_pool *pool, const struct why *why, FILE *out)
{
	size_t n = strlen(pool->app);

	if (strncmp(why->text, pool->app, n) == 0 && why->text[n] == ':' &&
	    isdigit((unsigned char)why->text[n + 1]))
		fprintf(out, "%s\n", why->text);
	else
		fprintf(out, "%s:%d: pool \"%s\": %s\n", pool->file,
		    pool->line, pool->name, why->text);
}

unsigned
trial_run(const struct conf *conf, FILE *out)
{
	unsigned faults = 0;
	struct why why;

	fflush(NULL);
	for (size_t i = 0; i < conf->npools; i++) {
		if (trial_pool(&conf->pools[i], &why) == 0)
			continue;
		report(&conf->pools[i], &why, out);
		faults++;
	}
	return faults;
}

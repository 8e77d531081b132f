#include "worker/trial.h"

#include <sys/time.h>
#include <sys/wait.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/say.h"
#include "share/birth.h"
#include "worker/entry.h"
#include "worker/forked.h"
#include "worker/guard.h"
#include "worker/lua_app.h"
#include "worker/privs.h"

#define GRACE 2000 /* ms beyond timeouts.start, for the guard to say where */

/* ---- the child ----------------------------------------------------------- */

static int reasons; /* where the reason goes */

static _Noreturn void
condemn(const char *text)
{
	fflush(NULL);
	fd_write_all(reasons, text, strlen(text));
	_exit(1);
}

static void
stuck(const char *text)
{
	fd_write_all(reasons, text, strlen(text));
	_exit(1);
}

static bool
nothing_to_check(void)
{
	return false;
}

/* Become the pool's user and load the application, under the same watchdog as a
 * worker.  0, or -1 and why. */
static int
load_pool(const struct birth *birth, struct why *why)
{
	const struct conf_pool *pool = birth->pool;
	const struct guard_options guard = { .channel = -1,
		.check = nothing_to_check };
	const struct lua_app_options options = { .lua = &pool->lua,
		.memory = (size_t)pool->limits.memory,
		.enter = entry_begin, .leave = entry_end };
	struct lua_app *app;

	forked_init();
	entry_init(pool, stuck);
	if (privs_drop(pool, &birth->inherited, &birth->identity, why) == -1)
		return -1;
	if (guard_start(&guard) == -1) {
		why_set(why, "cannot start a thread: %s", strerror(errno));
		return -1;
	}
	app = lua_app_load(pool->app, &options, why);
	if (app == NULL)
		return -1;
	lua_app_free(app);
	return 0;
}

_Noreturn void
trial_main(const struct birth *birth)
{
	struct why why;

	reasons = birth->channel;
	if (load_pool(birth, &why) == -1)
		condemn(why.text);
	fflush(NULL);
	_exit(0);
}

/* ---- the process of -t --------------------------------------------------- */

#define LINE_MOST 65536 /* bytes that are kept until a line ends */
#define PIPE_MOST 32	/* pieces of PIPE_BUF bytes */

/* In the child: the reason goes up one pipe, nothing means success; what the
 * application prints, up the other.  SIGALRM kills it when the time is over,
 * whatever it does. */
static _Noreturn void
try_pool(const struct birth_orders *birth, int memory, int output)
{
	int64_t ms = birth->pool->timeouts.start + GRACE;
	const struct itimerval limit = { .it_value = {
		.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 } };
	sigset_t none;

	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	birth_become(birth, memory);
}

/* What of the output is whole lines, or too long for one, is shown. */
static void
show_output(struct buf *said, bool all, FILE *out)
{
	const char *end = said->len == 0 ? NULL :
	    memrchr(said->data, '\n', said->len);
	size_t n = end == NULL ? 0 : (size_t)(end - said->data) + 1;

	if (all || said->len > LINE_MOST)
		n = said->len;
	if (n == 0)
		return;
	say_lines(out, said->data, n);
	if (said->data[n - 1] != '\n')
		putc('\n', out);
	buf_consume(said, n);
}

/* False: there is nothing more now. */
static bool
hear_output(int in, struct buf *said, FILE *out)
{
	char *room = buf_reserve(said, PIPE_BUF);
	ssize_t n = room == NULL ? -1 : read(in, room, PIPE_BUF);

	if (n <= 0)
		return false;
	said->len += (size_t)n;
	show_output(said, false, out);
	return true;
}

/* Until the child has said all that it has to say. */
static void
hear(const int in[2], char *text, size_t size, struct buf *said, FILE *out)
{
	struct pollfd p[2] = { { .fd = in[0], .events = POLLIN },
		{ .fd = in[1], .events = POLLIN } };
	size_t len = 0;
	ssize_t n = 1;

	fd_nonblock(in[1], true);
	while (n > 0 && len < size - 1) {
		if (poll(p, 2, -1) == -1)
			continue;
		if (p[1].revents != 0 && !hear_output(in[1], said, out))
			p[1].fd = -1;
		if (p[0].revents != 0 && (n = read(in[0], text + len,
			size - 1 - len)) > 0)
			len += (size_t)n;
	}
	text[len] = '\0';
}

/* The whole of what the child had to say, and how it ended. */
static int
hear_verdict(const struct conf_pool *pool, pid_t pid, const int in[2],
    FILE *out, struct why *why)
{
	char text[sizeof(why->text)];
	struct buf said = { 0 };
	int status;

	hear(in, text, sizeof(text), &said, out);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	/* no more than a pipe holds: a child of the application may go on */
	for (int i = 0; i < PIPE_MOST && hear_output(in[1], &said, out); i++)
		;
	show_output(&said, true, out);
	buf_free(&said);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (text[0] != '\0')
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

static pid_t
trial_fork(const struct birth_orders *birth, int output)
{
	int memory = birth_prepare(birth), error;
	pid_t pid = memory == -1 ? -1 : fork();

	if (pid == 0)
		try_pool(birth, memory, output);
	error = errno;
	fd_close(&memory);
	errno = error;
	return pid;
}

static int
trial_run_one(const struct conf_pool *pool, const struct identity *identity,
    FILE *out, struct why *why)
{
	int verdict[2] = { -1, -1 }, output[2] = { -1, -1 }, result = -1;
	struct birth_orders birth = { .kind = BIRTH_TRIAL, .pool = pool,
		.identity = identity, .exchange = { -1, -1 }, .head = -1,
		.slot = -1, .level = log_level_now() };
	pid_t pid = -1;

	if (fd_pipe(verdict) == 0 && fd_pipe(output) == 0) {
		birth.channel = verdict[1];
		pid = trial_fork(&birth, output[1]);
	}
	if (pid == -1) {
		why_set(why, "fork: %s", strerror(errno));
	} else {
		fd_close(&verdict[1]);
		fd_close(&output[1]);
		result = hear_verdict(pool, pid,
		    (const int[]){ verdict[0], output[0] }, out, why);
	}
	for (int i = 0; i < 2; i++) {
		fd_close(&verdict[i]);
		fd_close(&output[i]);
	}
	return result;
}

static int
trial_pool(const struct conf_pool *pool, FILE *out, struct why *why)
{
	struct identity identity;
	int result = identity_find(&identity, pool, why);

	if (result == 0)
		result = trial_run_one(pool, &identity, out, why);
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
		say_line(out, "%s", why->text);
	else
		say_line(out, "%s:%d: pool \"%s\": %s", pool->file,
		    pool->line, pool->name, why->text);
}

unsigned
trial_run(const struct conf *conf, FILE *out)
{
	unsigned faults = 0;
	struct why why;

	fflush(NULL);
	for (size_t i = 0; i < conf->npools; i++) {
		if (trial_pool(&conf->pools[i], out, &why) == 0)
			continue;
		report(&conf->pools[i], &why, out);
		faults++;
	}
	return faults;
}

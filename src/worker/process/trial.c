#include "worker/process/trial.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/say.h"
#include "ipc/worker_args.h"
#include "worker/lua/lib/lua_shared.h"
#include "worker/lua/lib/lua_worker.h"
#include "worker/lua/lua_app.h"
#include "worker/process/entry.h"
#include "worker/process/forked.h"
#include "worker/process/hub_files.h"
#include "worker/process/privs.h"
#include "worker/serve/script.h"
#include "worker/serve/watchdog.h"

#define GRACE 2000 /* ms after timeouts.start for the guard to name the place */

/* ---- the child ----------------------------------------------------------- */

static int reasons; /* descriptor for the reason of a failure */

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

/* The process of -t has gone, or its patience is over. */
static void
end_trial(void)
{
	if (getpgrp() == getpid())
		kill(0, SIGKILL);
	_exit(1);
}

/* Whether a hub could have the descriptors of all sockets; else *sockets is how
 * many it could have. */
static bool
fits_files(const struct conf_pool *pool, int64_t *sockets)
{
	struct conf_websocket limits = pool->websocket;
	struct rlimit before;
	bool fits = getrlimit(RLIMIT_NOFILE, &before) == -1 ||
	    hub_files_fit(pool, &limits);

	setrlimit(RLIMIT_NOFILE, &before);
	*sockets = limits.connections;
	return fits;
}

/* Become the pool's user and load the application, under the same watchdog as a
 * worker.  0, or -1 and why. */
static int
load_pool(const struct worker_args *args, struct why *why)
{
	const struct conf_pool *pool = args->pool;
	const struct watchdog_options guard = { .channel = args->channel,
		.orphaned = end_trial, .end = end_trial,
		.check = nothing_to_check };
	static struct lua_worker worker;
	const struct lua_app_options options = { .pool = pool,
		.worker = &worker,
		.lua = &pool->lua,
		.memory = (size_t)pool->limits.memory,
		.enter = entry_begin, .leave = entry_end };
	struct lua_app *app;
	int64_t sockets;
	bool fits;

	worker.pool = pool->name;
	forked_init();
	entry_init(pool, stuck);
	fits = fits_files(pool, &sockets);
	if (privs_drop(pool, &args->inherited, &args->identity, why) == -1)
		return -1;
	if (watchdog_start(&guard) == -1) {
		why_set(why, "cannot start a thread: %s", strerror(errno));
		return -1;
	}
	if (pool->root != NULL && script_check_root(pool->root, why) == -1)
		return -1;
	if (pool->interface == INTERFACE_CGI)
		return 0;
	lua_shared_offer(&pool->shared, NULL, 0);
	app = lua_app_load(conf_pool_serves(pool), &options, why);
	if (app == NULL)
		return -1;
	if (!fits && lua_app_has_websocket(app))
		fprintf(stderr, "pool %s: so many descriptors are not allowed "
		    "that websocket.connections = %lld could be: at most %lld "
		    "WebSockets will be open\n", pool->name,
		    (long long)pool->websocket.connections, (long long)sockets);
	lua_app_free(app);
	return 0;
}

_Noreturn void
trial_main(const struct worker_args *args)
{
	struct why why;

	reasons = args->channel;
	if (load_pool(args, &why) == -1)
		condemn(why.text);
	fflush(NULL);
	_exit(0);
}

/* ---- the process of -t --------------------------------------------------- */

#define LINE_MOST 65536 /* bytes that are kept until a line ends */
#define PIPE_MOST 32	/* pieces of PIPE_BUF bytes */

struct trial {
	pid_t pid;
	int end;	/* its pidfd: readable when it has ended */
	int verdict[2]; /* pipes; the trial writes to the second ends */
	int output[2];
	bool late; /* it has not ended in time */
	char text[sizeof(((struct why *)0)->text)]; /* read from verdict */
	size_t len;
	struct buf said; /* read from output, not shown yet */
	FILE *out;
};

/* In the child: what the application prints goes to `output`, the reason of a
 * failure to args->channel.  It leads a group of its own, so that what it has
 * started can be ended with it. */
static _Noreturn void
try_pool(const struct worker_orders *args, int memory, int output)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	setpgid(0, 0);
	if (null != -1)
		dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	worker_args_become(args, memory);
}

/* Show the whole lines of the output; or all of it, also if its last line is
 * too long to wait for its end. */
static void
show_output(struct trial *t, bool all)
{
	struct buf *said = &t->said;
	const char *end = said->len == 0 ? NULL :
	    memrchr(said->data, '\n', said->len);
	size_t n = end == NULL ? 0 : (size_t)(end - said->data) + 1;

	if (all || said->len > LINE_MOST)
		n = said->len;
	if (n == 0)
		return;
	say_lines(t->out, said->data, n);
	if (said->data[n - 1] != '\n')
		putc('\n', t->out);
	buf_consume(said, n);
}

/* This one and hear_verdict read once; false if nothing more is there now. */
static bool
hear_output(struct trial *t)
{
	char *room = buf_reserve(&t->said, PIPE_BUF);
	ssize_t n = room == NULL ? -1 : read(t->output[0], room, PIPE_BUF);

	if (n <= 0)
		return false;
	t->said.len += (size_t)n;
	show_output(t, false);
	return true;
}

static bool
hear_verdict(struct trial *t)
{
	ssize_t n = read(t->verdict[0], t->text + t->len,
	    sizeof(t->text) - 1 - t->len);

	if (n > 0)
		t->len += (size_t)n;
	return n > 0;
}

/* Read what comes until the process has ended, or until `due` (clock_ms()). */
static void
attend(struct trial *t, int64_t due)
{
	struct pollfd p[] = { { .fd = t->end, .events = POLLIN },
		{ .fd = t->verdict[0], .events = POLLIN },
		{ .fd = t->output[0], .events = POLLIN } };
	int64_t left;

	while (p[0].revents == 0) {
		left = due - clock_ms();
		t->late = left <= 0;
		if (t->late)
			return;
		if (poll(p, 3, left < INT_MAX ? (int)left : INT_MAX) == -1)
			continue;
		if (p[1].revents != 0 && !hear_verdict(t))
			p[1].fd = -1;
		if (p[2].revents != 0 && !hear_output(t))
			p[2].fd = -1;
	}
}

/* The group is killed before waitpid(2) frees its number for another one.
 * Returns the status of the process, as of waitpid(2). */
static int
end_group(const struct trial *t)
{
	int status = 0;

	kill(-t->pid, SIGKILL);
	kill(t->pid, SIGKILL);
	while (waitpid(t->pid, &status, 0) == -1 && errno == EINTR)
		;
	return status;
}

/* Wait for the end of the trial and read all that it wrote.  0 if the
 * application was loaded, or -1 and why. */
static int
judge(struct trial *t, const struct conf_pool *pool, struct why *why)
{
	int status;

	fd_nonblock(t->verdict[0], true);
	fd_nonblock(t->output[0], true);
	attend(t, clock_ms() + pool->timeouts.start + GRACE);
	status = end_group(t);
	while (hear_verdict(t))
		;
	/* No more than a pipe holds: a process that has left the group may go
	 * on writing. */
	for (int i = 0; i < PIPE_MOST && hear_output(t); i++)
		;
	show_output(t, true);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (t->len > 0)
		why_set(why, "%s", t->text);
	else if (t->late)
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
trial_fork(struct trial *t, const struct worker_orders *args)
{
	int memory = worker_args_prepare(args), error;

	t->pid = memory == -1 ? -1 : fork();
	if (t->pid == 0)
		try_pool(args, memory, t->output[1]);
	error = errno;
	fd_close(&memory);
	errno = error;
	if (t->pid == -1)
		return -1;
	setpgid(t->pid, t->pid); /* as the child does: the first call counts */
	t->end = (int)syscall(SYS_pidfd_open, t->pid, 0);
	if (t->end != -1)
		return 0;
	error = errno;
	end_group(t);
	errno = error;
	return -1;
}

static int
trial_run_one(const struct conf_pool *pool, const struct identity *identity,
    FILE *out, struct why *why)
{
	struct trial t = { .pid = -1, .end = -1, .verdict = { -1, -1 },
		.output = { -1, -1 }, .out = out };
	struct worker_orders args = { .kind = WORKER_KIND_TRIAL, .pool = pool,
		.identity = identity, .exchange = { -1, -1 }, .door = -1, .head = -1,
		.slot = -1, .level = log_level_now() };
	int result = -1;

	if (fd_pipe(t.verdict) == 0 && fd_pipe(t.output) == 0) {
		args.channel = t.verdict[1];
		result = trial_fork(&t, &args);
	}
	if (result == -1) {
		why_set(why, "fork: %s", strerror(errno));
	} else {
		fd_close(&t.verdict[1]);
		fd_close(&t.output[1]);
		result = judge(&t, pool, why);
	}
	for (int i = 0; i < 2; i++) {
		fd_close(&t.verdict[i]);
		fd_close(&t.output[i]);
	}
	fd_close(&t.end);
	buf_free(&t.said);
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

/* True if the user of the pool may not do what root could. */
static bool
is_denied(const struct conf_pool *pool, const char *text)
{
	const char *denied = strerror(EACCES);
	size_t n = strlen(text), len = strlen(denied);

	return pool->user != NULL && n >= len &&
	    strcmp(text + n - len, denied) == 0;
}

/* A text of Lua begins with its place, "app.lua:3: ..."; others get the place
 * of the pool, or the application's name if that is all there is. */
static void
report(const struct conf_pool *pool, const struct why *why, FILE *out)
{
	bool denied = is_denied(pool, why->text);
	const char *served = conf_pool_serves(pool);
	size_t n = strlen(served);

	if (strncmp(why->text, served, n) == 0 && why->text[n] == ':' &&
	    isdigit((unsigned char)why->text[n + 1]))
		say_line(out, "%s", why->text);
	else if (pool->line == 0 && strstr(why->text, served) != NULL)
		say_line(out, "%s", why->text);
	else if (pool->line == 0)
		say_line(out, "%s: %s", served, why->text);
	else
		say_line(out, "%s:%d: pool %s: %s%s%s", pool->file,
		    pool->line, pool->name, why->text,
		    denied ? " to the user " : "", denied ? pool->user : "");
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

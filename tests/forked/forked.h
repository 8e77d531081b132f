#ifndef TESTS_FORKED_FORKED_H
#define TESTS_FORKED_FORKED_H

/*
 * What the tests of the master share: the real master in a process of its
 * own, workers that are C functions, and a test that waits for what it hears
 * (the log through a pipe, the service manager's socket) and never for a time.
 * The last part of a pool's `app` says how its workers behave (worker.h).
 */

#include "../unit/unit.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/image.h"
#include "conf/conf_read.h"
#include "master/master.h"

#include "worker.h"

#ifndef PATIENCE
#define PATIENCE 20000 /* ms for what should take far less */
#endif
#define TAIL	 2000 /* bytes of the log that a failure shows */
#define LOG_PIPE (1 << 20) /* so that the master does not wait for the test */

static char scratch[] = "/tmp/test_master.XXXXXX";
static pid_t master;
static int log_pipe = -1, notes_fd = -1;
static struct buf log_text, notes;
static size_t log_mark, notes_mark;

/* ---- hearing ------------------------------------------------------------- */

static inline void
hear_from(int fd, struct buf *into)
{
	char *room = buf_reserve(into, 65536);
	ssize_t n;

	ck_assert_ptr_nonnull(room);
	n = read(fd, room, 65536);
	if (n > 0)
		into->len += (size_t)n;
}

static inline const char *
log_tail(void)
{
	const char *text = buf_string(&log_text);

	if (text == NULL)
		return "";
	return log_text.len > TAIL ? text + log_text.len - TAIL : text;
}

/* Wait for the log or a note until the deadline, which must not come.  When
 * the master and all its workers are gone there is nothing to wait for. */
static inline void
hear(int64_t deadline, const char *what)
{
	struct pollfd fds[] = { { log_pipe, POLLIN, 0 },
		{ notes_fd, POLLIN, 0 } };
	int64_t left = deadline - clock_ms();

	ck_assert_msg(left > 0 && poll(fds, 2, (int)left) > 0 &&
	    ((fds[0].revents | fds[1].revents) & POLLIN) != 0,
	    "never came: %s; log:\n%s", what, log_tail());
	if (fds[1].revents & POLLIN) {
		hear_from(notes_fd, &notes);
		buf_putc(&notes, '\n');
	}
	if (fds[0].revents & POLLIN)
		hear_from(log_pipe, &log_text);
}

/* How often an extended regular expression matches a line after the mark. */
static inline unsigned
count_matches(struct buf *text, size_t from, const char *pattern)
{
	const char *at = buf_string(text);
	regmatch_t found;
	regex_t regex;
	unsigned n = 0;

	if (at == NULL || from > text->len)
		return 0;
	ck_assert_int_eq(regcomp(&regex, pattern,
	    REG_EXTENDED | REG_NEWLINE), 0);
	for (at += from; regexec(&regex, at, 1, &found, 0) == 0; n++)
		at += found.rm_eo > 0 ? found.rm_eo : 1;
	regfree(&regex);
	return n;
}

static inline unsigned
count_log(const char *pattern)
{
	return count_matches(&log_text, log_mark, pattern);
}

/* Until the pattern has matched n times since forget_log. */
static inline void
wait_log(unsigned n, const char *fmt, ...)
{
	int64_t deadline = clock_ms() + PATIENCE;
	char pattern[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(pattern, sizeof(pattern), fmt, ap);
	va_end(ap);
	while (count_log(pattern) < n)
		hear(deadline, pattern);
}

/* Whoever wrote to the log is gone. */
static inline void
hear_the_rest(void)
{
	size_t before;

	do {
		before = log_text.len;
		hear_from(log_pipe, &log_text);
	} while (log_text.len > before);
}

static inline void
forget_log(void)
{
	log_mark = log_text.len;
}

/* Until the service manager was told so; forgets what came before it. */
static inline void
wait_note(const char *note)
{
	int64_t deadline = clock_ms() + PATIENCE;
	const char *at;

	while ((at = strstr(notes.len > notes_mark ?
		   buf_string(&notes) + notes_mark : "", note)) == NULL)
		hear(deadline, note);
	notes_mark = (size_t)(at - notes.data) + strlen(note);
}

/* ---- processes ----------------------------------------------------------- */

/* Until the process has ended, reaped or not. */
static inline void
wait_gone(pid_t pid)
{
	struct pollfd fd = { (int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0 };

	if (fd.fd == -1) {
		ck_assert_int_eq(errno, ESRCH);
		return;
	}
	ck_assert_msg(poll(&fd, 1, PATIENCE) == 1, "%d stays; log:\n%s",
	    (int)pid, log_tail());
	close(fd.fd);
}

static inline bool
is_alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

/* The master's children, zombies too. */
static inline unsigned
workers(pid_t *pids, unsigned n)
{
	char path[64];
	unsigned i = 0;
	FILE *in;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)master,
	    (int)master);
	ck_assert_ptr_nonnull(in = fopen(path, "r"));
	while (fscanf(in, "%d", &pid) == 1) {
		ck_assert_uint_lt(i, n);
		pids[i++] = pid;
	}
	fclose(in);
	return i;
}

static inline unsigned
count_workers(void)
{
	pid_t pids[256];

	return workers(pids, 256);
}

/* There is nothing to wait on that says how many there are. */
static inline void
until_workers(unsigned n)
{
	int64_t deadline = clock_ms() + PATIENCE;

	while (count_workers() != n) {
		ck_assert_msg(clock_ms() < deadline, "%u workers, not %u; "
		    "log:\n%s", count_workers(), n, log_tail());
		poll(NULL, 0, 2);
	}
}

/* How many descriptors the master has beyond two for each worker. */
static inline int
master_fds(void)
{
	struct dirent *entry;
	char path[64];
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)master);
	ck_assert_ptr_nonnull(dir = opendir(path));
	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n - 2 * (int)count_workers();
}

/* No more than n: the master closes what was a generation's a moment after
 * its last worker, and the socket of a message to the service manager, which
 * n may have counted, a moment after that has come. */
static inline void
until_fds(int n)
{
	int64_t deadline = clock_ms() + PATIENCE;

	while (master_fds() > n) {
		ck_assert_msg(clock_ms() < deadline, "%d descriptors, not %d",
		    master_fds(), n);
		poll(NULL, 0, 2);
	}
}

static inline void
tell(int signo)
{
	ck_assert_int_eq(kill(master, signo), 0);
}

/* ---- configuration ------------------------------------------------------- */

static inline void
write_file(const char *name, const char *text)
{
	FILE *out = fopen(name, "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_int_ne(fputs(text, out), EOF);
	ck_assert_int_eq(fclose(out), 0);
}

/* The file of the daemon, in the scratch directory. */
static inline void
configure(const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "pid_file = \"%s/pid\";\npools: {\n",
	    scratch);
	va_start(ap, fmt);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	snprintf(text + n, sizeof(text) - (size_t)n, "};\n");
	write_file("conf.new", text);
	ck_assert_int_eq(rename("conf.new", "conf"), 0);
}

/* name, how its workers behave, the members of its group workers, and what
 * else there is. */
#define POOL(name, app, workers, more)                                         \
	name ": { app = \"" app "\"; listen = \"./" name ".sock\"; "           \
	"workers: { " workers " }; " more "};\n"
#define STATIC(max)   "mode = \"static\"; max = " max ";"
#define ONDEMAND(max) "mode = \"ondemand\"; max = " max ";"                  \
	" idle_timeout = \"100ms\";"
#define QUICK	      "timeouts: { start = \"20s\"; stop = \"300ms\"; }; "

/* ---- the daemon ---------------------------------------------------------- */

static inline void
setup(void)
{
	strcpy(scratch + strlen(scratch) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	ck_assert_int_eq(chdir(scratch), 0);
	/* Workers that outlive their master become ours. */
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	signal(SIGPIPE, SIG_IGN);
}

static inline void
teardown(void)
{
	char command[64];

	if (log_pipe != -1)
		close(log_pipe);
	if (notes_fd != -1)
		close(notes_fd);
	log_pipe = notes_fd = -1;
	buf_free(&log_text);
	buf_free(&notes);
	log_mark = notes_mark = 0;
	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -r %s", scratch);
	ck_assert_int_eq(system(command), 0);
}

static inline void
open_notes(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notes",
	    scratch);
	unlink(address.sun_path);
	notes_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(notes_fd, (struct sockaddr *)&address,
	    sizeof(address)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
}

static inline _Noreturn void
be_master(int log, bool detached)
{
	static char program[] = "/bin/false";
	char *argv[] = { program, NULL };
	struct master_options options = { .file = "conf",
		.daemonize = detached, .allow_root = true,
		.argv = argv };
	struct conf_faults faults = { 0 };
	struct conf *conf;
	char path[PATH_MAX];

	dup2(log, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	image_open();
	snprintf(path, sizeof(path), "%s/conf", scratch);
	options.file = path;
	conf = conf_read(path, &faults);
	if (conf == NULL)
		conf_faults_print(&faults, stderr);
	exit(conf == NULL ? 99 : master_run(conf, &options));
}

/* Start a daemon without waiting. */
static inline pid_t
launch(bool detached)
{
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	fcntl(fds[1], F_SETPIPE_SZ, LOG_PIPE);
	if (log_pipe != -1)
		close(log_pipe);
	log_pipe = fds[0];
	fflush(NULL);
	ck_assert_int_ne(pid = fork(), -1);
	if (pid == 0)
		be_master(fds[1], detached);
	close(fds[1]);
	return pid;
}

static inline void
start(void)
{
	open_notes();
	master = launch(false);
	wait_note("READY=1");
	wait_log(1, "ready: .* serve$"); /* and no longer busy saying it */
}

/* Its exit code, or 1000 and the signal that ended it. */
static inline int
exit_code(pid_t pid)
{
	int status;

	wait_gone(pid);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	    1000 + WTERMSIG(status);
}

/* No process, no socket file and no pid file outlives it; zombies neither. */
static inline void
assert_nothing_left(void)
{
	struct dirent *entry;
	DIR *dir;

	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	ck_assert_ptr_nonnull(dir = opendir("."));
	while ((entry = readdir(dir)) != NULL) {
		ck_assert_msg(strstr(entry->d_name, ".sock") == NULL,
		    "%s is left", entry->d_name);
		ck_assert_str_ne(entry->d_name, "pid");
	}
	closedir(dir);
}

static inline void
stop(void)
{
	tell(SIGTERM);
	ck_assert_int_eq(exit_code(master), 0);
	assert_nothing_left();
}

static inline void
reload(void)
{
	tell(SIGHUP);
	wait_note("RELOADING=1");
	wait_note("READY=1");
}

/* ---- clients ------------------------------------------------------------- */

/* A client that waits for as long as the tests are patient. */
static inline int
client(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = PATIENCE / 1000 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
	    sizeof(limit)), 0);
	ck_assert_msg(connect(fd, (struct sockaddr *)&address,
	    sizeof(address)) == 0, "%s: %s; log:\n%s", path, strerror(errno),
	    log_tail());
	return fd;
}

/* Which worker answers?  It is busy until the client closes. */
static inline pid_t
served_by(int fd)
{
	pid_t pid = 0;

	ck_assert_msg(read(fd, &pid, sizeof(pid)) == sizeof(pid),
	    "no answer; log:\n%s", log_tail());
	return pid;
}

static inline pid_t
ask(const char *path)
{
	int fd = client(path);
	pid_t pid = served_by(fd);

	close(fd);
	return pid;
}

#endif

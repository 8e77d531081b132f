#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "master/daemon.h"

#include "unit.h"

static char directory[64], path[96];
static struct why why;

static void
setup(void)
{
	strcpy(directory, "/tmp/lua-fpm-daemon.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/pid", directory);
}

static void
teardown(void)
{
	unlink(path);
	rmdir(directory);
}

static int
status_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* ---- pid file ------------------------------------------------------------ */

/* The file is this pid and a newline, and nothing else. */
static void
assert_pid(pid_t pid)
{
	char text[100] = "", want[32];
	int fd = open(path, O_RDONLY);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	snprintf(want, sizeof(want), "%ld\n", (long)pid);
	ck_assert_str_eq(text, want);
}

START_TEST(the_file_holds_the_pid_and_goes)
{
	int fd = pidfile_open(path, &why);
	struct stat st;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_pid(getpid());
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0133, 0);
	pidfile_close(fd, path);
	ck_assert_int_eq(stat(path, &st), -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	pidfile_close(-1, path);
}
END_TEST

START_TEST(a_stale_file_is_taken_over)
{
	FILE *f = fopen(path, "w");
	int fd;

	fputs("12345678901234567\n", f);
	fclose(f);
	fd = pidfile_open(path, &why);
	ck_assert_int_ne(fd, -1);
	assert_pid(getpid());
	pidfile_close(fd, path);
}
END_TEST

START_TEST(a_second_daemon_is_told_the_pid_of_the_first)
{
	char want[200];
	int fd = pidfile_open(path, &why);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(pidfile_open(path, &why), -1);
	snprintf(want, sizeof(want), "%s: lua-fpm runs already with pid %ld",
	    path, (long)getpid());
	ck_assert_str_eq(why.text, want);
	assert_pid(getpid());
	pidfile_close(fd, path);
	fd = pidfile_open(path, &why);
	ck_assert_int_ne(fd, -1);
	pidfile_close(fd, path);
}
END_TEST

/* Detaching is a fork: the child writes its own pid, the lock outlives us. */
START_TEST(the_lock_outlives_its_maker)
{
	int fd, go[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(fd_pair(go), 0);
	fd = pidfile_open(path, &why);
	if ((pid = fork()) == 0) {
		close(go[0]);
		pidfile_write(fd);
		_exit(write(go[1], "x", 1) != 1 || read(go[1], &c, 1) != 0);
	}
	close(go[1]);
	close(fd);
	ck_assert_int_eq(read(go[0], &c, 1), 1);
	assert_pid(pid);
	ck_assert_int_eq(pidfile_open(path, &why), -1);
	close(go[0]);
	ck_assert_int_eq(status_of(pid), 0);
	ck_assert_int_ne(fd = pidfile_open(path, &why), -1);
	pidfile_close(fd, path);
}
END_TEST

START_TEST(says_why_it_cannot)
{
	char bad[128], want[256];

	snprintf(bad, sizeof(bad), "%s/none/pid", directory);
	snprintf(want, sizeof(want), "cannot write %s: %s", bad,
	    strerror(ENOENT));
	ck_assert_int_eq(pidfile_open(bad, &why), -1);
	ck_assert_str_eq(why.text, want);
}
END_TEST

/* ---- detaching ----------------------------------------------------------- */

/* Run daemon in the background of a new process; the status of that. */
static int
foreground(void (*daemon)(int verdict, int report), int report)
{
	pid_t pid = fork();
	int verdict;

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		if ((verdict = daemon_detach()) == -1)
			_exit(99);
		daemon(verdict, report);
		_exit(0);
	}
	return status_of(pid);
}

static void
says_seven(int verdict, int report)
{
	(void)report;
	daemon_verdict(&verdict, 7);
	_exit(verdict == -1 ? 0 : 1);
}

static void
says_zero(int verdict, int report)
{
	(void)report;
	daemon_verdict(&verdict, 0);
}

static void
says_nothing(int verdict, int report)
{
	(void)verdict;
	(void)report;
}

START_TEST(the_foreground_exits_with_the_verdict)
{
	int status = foreground(says_seven, -1);

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	ck_assert_int_eq(foreground(says_zero, -1), 0);
	status = foreground(says_nothing, -1);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 70);
}
END_TEST

struct surroundings {
	bool leads, in_null, out_null, cloexec;
};

static bool
is_null(int fd)
{
	struct stat st, null;

	return fstat(fd, &st) == 0 && stat("/dev/null", &null) == 0 &&
	    st.st_rdev == null.st_rdev;
}

static void
reports(int verdict, int report)
{
	struct surroundings s = { .leads = getsid(0) == getpid(),
		.in_null = is_null(STDIN_FILENO),
		.out_null = is_null(STDOUT_FILENO),
		.cloexec = fcntl(verdict, F_GETFD) == FD_CLOEXEC };

	if (write(report, &s, sizeof(s)) == sizeof(s))
		daemon_verdict(&verdict, 0);
}

START_TEST(the_background_is_on_its_own)
{
	struct surroundings s = { 0 };
	int fds[2];

	ck_assert_int_eq(fd_pipe(fds), 0);
	ck_assert_int_eq(foreground(reports, fds[1]), 0);
	ck_assert_int_eq(read(fds[0], &s, sizeof(s)), sizeof(s));
	ck_assert(s.leads);
	ck_assert(s.in_null);
	ck_assert(s.out_null);
	ck_assert(s.cloexec);
}
END_TEST

static void
ends_its_parent(int verdict, int report)
{
	char c;

	kill(getppid(), SIGTERM);
	/* The end of file is the parent's end. */
	if (read(verdict, &c, 1) != 0)
		return;
	daemon_verdict(&verdict, 0); /* no SIGPIPE */
	if (write(report, "alive", 5) == 5)
		_exit(0);
}

/* Although signals are blocked, as the master's are. */
START_TEST(a_signal_ends_the_foreground_only)
{
	char text[6] = "";
	int fds[2], status;
	sigset_t all;

	ck_assert_int_eq(fd_pipe(fds), 0);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	status = foreground(ends_its_parent, fds[1]);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	ck_assert_int_eq(read(fds[0], text, 5), 5);
	ck_assert_str_eq(text, "alive");
}
END_TEST

START_TEST(no_foreground_no_verdict)
{
	int fd = -1;

	daemon_verdict(&fd, 0);
	ck_assert_int_eq(fd, -1);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("daemon");
	TCase *t = tcase_create("daemon");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_file_holds_the_pid_and_goes);
	tcase_add_test(t, a_stale_file_is_taken_over);
	tcase_add_test(t, a_second_daemon_is_told_the_pid_of_the_first);
	tcase_add_test(t, the_lock_outlives_its_maker);
	tcase_add_test(t, says_why_it_cannot);
	tcase_add_test(t, the_foreground_exits_with_the_verdict);
	tcase_add_test(t, the_background_is_on_its_own);
	tcase_add_test(t, a_signal_ends_the_foreground_only);
	tcase_add_test(t, no_foreground_no_verdict);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

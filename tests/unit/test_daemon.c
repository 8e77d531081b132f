#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
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
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
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

/* Held until `go` is closed, by a process that has opened the file so. */
static pid_t
hold(int how, int *go)
{
	int fds[2], fd;
	pid_t pid;
	char c;

	ck_assert_int_eq(fd_pair(fds), 0);
	if ((pid = fork()) == 0) {
		close(fds[0]);
		if (getuid() == 0 && how == O_RDONLY && seteuid(65534) == -1)
			_exit(1);
		fd = open(path, how);
		if (how == O_RDWR)
			pidfile_write(fd);
		_exit(flock(fd, LOCK_EX | LOCK_NB) == -1 ||
		    write(fds[1], "x", 1) != 1 || read(fds[1], &c, 1) != 0);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &c, 1), 1);
	*go = fds[0];
	return pid;
}

static void
leave_file(long pid, mode_t mode)
{
	FILE *f = fopen(path, "w");

	fprintf(f, "%ld\n", pid);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

/* By which anybody could keep the daemon from starting; though it had the
 * number that the file has. */
START_TEST(a_lock_of_who_can_only_read_counts_for_nothing)
{
	struct stat st;
	pid_t pid;
	int fd, go;

	ck_assert_int_eq(chmod(directory, 0755), 0);
	leave_file(0x7ffffff0, 0644);
	pid = hold(O_RDONLY, &go);
	for (int i = 0; i < 2; i++) {
		fd = pidfile_open(path, &why);
		ck_assert_msg(fd != -1, "%s", why.text);
		assert_pid(getpid());
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, 0600);
		pidfile_close(fd, path);
		if (i == 0) {
			close(go);
			ck_assert_int_eq(status_of(pid), 0);
			leave_file(0x7ffffff0, 0644);
			pid = hold(O_RDONLY, &go);
			leave_file(pid, 0644);
		}
	}
	close(go);
	ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

/* Who had it open before has it open still when its mode has changed. */
START_TEST(a_file_that_others_could_read_is_not_used_again)
{
	struct stat before, after;
	int fd, held;

	leave_file(0x7ffffff0, 0644);
	held = open(path, O_RDONLY);
	ck_assert_int_eq(stat(path, &before), 0);
	fd = pidfile_open(path, &why);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_ne(before.st_ino, after.st_ino);
	ck_assert_int_eq(flock(held, LOCK_EX | LOCK_NB), 0);
	close(held);
	pidfile_close(fd, path);
}
END_TEST

/* One of before this rule, whose file can be read. */
START_TEST(a_daemon_whose_file_others_can_read_is_seen)
{
	struct stat before, after;
	pid_t pid;
	int go;

	leave_file(1, 0644);
	pid = hold(O_RDWR, &go);
	ck_assert_int_eq(stat(path, &before), 0);
	ck_assert_int_eq(pidfile_open(path, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "runs already with pid"));
	assert_pid(pid);
	ck_assert_int_eq(stat(path, &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	close(go);
	ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

START_TEST(nothing_else_is_written_or_removed)
{
	char other[120], text[16] = "";
	int fd;

	snprintf(other, sizeof(other), "%s/other", directory);
	fd = open(other, O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, "precious", 8), 8);
	ck_assert_int_eq(symlink(other, path), 0);
	ck_assert_int_eq(pidfile_open(path, &why), -1);
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(pidfile_open(path, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "exists and is not a file"));
	unlink(path);
	ck_assert_int_eq(link(other, path), 0);
	close(fd);
	fd = pidfile_open(path, &why);
	ck_assert_int_ne(fd, -1);
	/* not ours any more */
	ck_assert_int_eq(rename(other, path), 0);
	pidfile_close(fd, path);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, text, sizeof(text) - 1), 8);
	ck_assert_str_eq(text, "precious");
	close(fd);
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
	tcase_add_test(t, a_lock_of_who_can_only_read_counts_for_nothing);
	tcase_add_test(t, a_file_that_others_could_read_is_not_used_again);
	tcase_add_test(t, a_daemon_whose_file_others_can_read_is_seen);
	tcase_add_test(t, nothing_else_is_written_or_removed);
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

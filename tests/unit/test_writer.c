#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/writer.h"

#include "unit.h"

static int ends[2];
static struct writer o;

static void
set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(fd_pipe(ends), 0);
	o = (struct writer){ .fd = -1 };
}

/* Lines of this many bytes until one is lost; returns how many were not. */
static unsigned
fill(size_t n)
{
	static char line[100000];
	unsigned taken = 0;

	memset(line, 'x', n - 1);
	line[n - 1] = '\n';
	while (writer_write(&o, line, n) == 0)
		taken++;
	return taken;
}

/* All that is there now. */
static size_t
drain(int fd, char *out, size_t room)
{
	ssize_t n;
	size_t sum = 0;

	fd_nonblock(fd, true);
	while (sum < room && (n = read(fd, out + sum, room - sum)) > 0)
		sum += (size_t)n;
	return sum;
}

static void
check_stall(void)
{
	static char text[1 << 20];
	char line[100] = { 0 };
	int64_t begun = clock_ms();

	ck_assert_uint_gt(fill(sizeof(line)), 50);
	ck_assert_int_ge(clock_ms() - begun, WRITER_PATIENCE);
	ck_assert_uint_eq(o.lost, 1);
	ck_assert_int_eq(o.error, EAGAIN);
	/* Patience is shown once. */
	begun = clock_ms();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(writer_write(&o, line, sizeof(line)), -1);
	ck_assert_int_lt(clock_ms() - begun, WRITER_PATIENCE);
	ck_assert_uint_eq(o.lost, 1001);
	/* Nor is a line that would fit in what is left of it taken, nor is it
	 * forgotten when the same is opened again. */
	ck_assert_int_eq(writer_write(&o, "x\n", 2), -1);
	writer_set(&o, o.fd);
	ck_assert_int_eq(writer_write(&o, "x\n", 2), -1);
	ck_assert_uint_eq(o.lost, 1003);
	drain(ends[0], text, sizeof(text));
	ck_assert_int_eq(writer_write(&o, "taken\n", 6), 0);
	ck_assert_uint_eq(drain(ends[0], text, sizeof(text)), 6);
	ck_assert_uint_eq(o.lost, 1003);
}

START_TEST(a_full_pipe_holds_nobody_up)
{
	int own = writer_own(ends[1]);

	ck_assert_int_gt(own, STDERR_FILENO);
	ck_assert_int_ne(fcntl(own, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(own, F_GETFD), FD_CLOEXEC);
	writer_set(&o, own);
	check_stall();
}
END_TEST

START_TEST(nor_does_one_that_would_wait)
{
	writer_set(&o, ends[1]);
	ck_assert(o.blocks);
	check_stall();
}
END_TEST

/* A line that is cut off in a file has its newline, though the file was opened
 * anew meanwhile. */
START_TEST(a_cut_line_is_ended)
{
	char path[] = "/tmp/lua-fpm-writer.XXXXXX", text[16] = "";
	int fd = mkstemp(path), again = open(path, O_RDWR | O_APPEND);

	ck_assert_int_eq(unlink(path), 0);
	writer_set(&o, fd);
	ck_assert_int_eq((int)write(fd, "cut", 3), 3);
	o.torn = 3;
	writer_set(&o, again);
	ck_assert_int_eq(writer_write(&o, "line\n", 5), 0);
	ck_assert_int_eq((int)pread(fd, text, sizeof(text) - 1, 0), 9);
	ck_assert_str_eq(text, "cut\nline\n");
	o.torn = 3;
	writer_set(&o, ends[1]);
	ck_assert_uint_eq(o.torn, 0);
	close(fd);
	close(again);
}
END_TEST

START_TEST(a_cut_line_is_taken_out)
{
	char path[] = "/tmp/lua-fpm-writer.XXXXXX", text[1024] = "";
	int fd = mkostemp(path, O_APPEND);

	ck_assert_int_eq(unlink(path), 0);
	writer_set(&o, fd);
	ck_assert_int_eq(writer_write(&o, "line\n", 5), 0);
	memset(text, 'x', 600);
	ck_assert_int_eq((int)write(fd, text, 600), 600);
	o.torn = 600;
	writer_mend(&o);
	ck_assert_uint_eq(o.torn, 0);
	ck_assert_int_eq(writer_write(&o, "next\n", 5), 0);
	ck_assert_int_eq((int)pread(fd, text, sizeof(text), 0), 610);
	ck_assert_uint_eq(strspn(text + 5, " "), 599);
	ck_assert_mem_eq(text + 604, "\nnext\n", 6);
	close(fd);
}
END_TEST

START_TEST(nor_a_socket)
{
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	writer_set(&o, writer_own(ends[1]));
	check_stall();
}
END_TEST

START_TEST(a_reader_that_is_gone_is_an_error)
{
	writer_set(&o, ends[1]);
	close(ends[0]);
	ck_assert_int_eq(writer_write(&o, "x\n", 2), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_int_eq(o.error, EPIPE);
	ck_assert_uint_eq(o.lost, 1);
	/* Its pipe cannot be opened again: what there is has to do. */
	ck_assert_int_gt(writer_own(ends[1]), STDERR_FILENO);
}
END_TEST

START_TEST(a_full_disk_is_an_error)
{
	writer_set(&o, open("/dev/full", O_WRONLY | O_APPEND));
	ck_assert_int_eq(writer_write(&o, "x\n", 2), -1);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_int_eq(o.error, ENOSPC);
}
END_TEST

START_TEST(after_a_cut_line_a_new_one_begins)
{
	static char text[1 << 20];
	size_t n;

	writer_set(&o, writer_own(ends[1]));
	fill(90000);
	ck_assert(o.torn);
	n = drain(ends[0], text, sizeof(text));
	ck_assert_int_eq(text[n - 1], 'x');
	ck_assert_int_eq(writer_write(&o, "whole\n", 6), 0);
	ck_assert(!o.torn);
	text[drain(ends[0], text, sizeof(text) - 1)] = '\0';
	ck_assert_str_eq(text, "\nwhole\n");
}
END_TEST

/* It takes a line when there is no room for another. */
START_TEST(a_slow_reader_gets_everything)
{
	enum { LINES = 3000, SIZE = 100 };
	char line[SIZE + 1];
	unsigned long sum = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		close(ends[1]);
		for (ssize_t n; (n = read(ends[0], line, SIZE)) > 0;)
			sum += (unsigned long)n;
		_exit(sum == LINES * SIZE ? 0 : 1);
	}
	writer_set(&o, writer_own(ends[1]));
	memset(line, 'x', SIZE);
	for (int i = 0; i < LINES; i++)
		writer_write(&o, line, SIZE);
	ck_assert_uint_eq(o.lost, 0);
	close(ends[1]);
	close(o.fd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("outlet");
	TCase *t = tcase_create("outlet");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_full_pipe_holds_nobody_up);
	tcase_add_test(t, nor_does_one_that_would_wait);
	tcase_add_test(t, nor_a_socket);
	tcase_add_test(t, a_cut_line_is_ended);
	tcase_add_test(t, a_cut_line_is_taken_out);
	tcase_add_test(t, a_reader_that_is_gone_is_an_error);
	tcase_add_test(t, a_full_disk_is_an_error);
	tcase_add_test(t, after_a_cut_line_a_new_one_begins);
	tcase_add_test(t, a_slow_reader_gets_everything);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

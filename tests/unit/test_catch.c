#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "master/catch.h"

#include "unit.h"

#define LINE 65536 /* longest that is not split */

static char path[64];
static struct loop *loop;
static struct catch c;
static int out; /* the worker's stdout and stderr */

static void
setup(void)
{
	int fds[2], fd;

	strcpy(path, "/tmp/lua-fpm-catch.XXXXXX");
	ck_assert_int_ne(fd = mkstemp(path), -1);
	close(fd);
	ck_assert_int_eq(log_open(path, LEVEL_NOTICE, NULL), 0);
	ck_assert_ptr_nonnull(loop = loop_new());
	ck_assert_int_eq(fd_pipe(fds), 0);
	ck_assert_int_eq(catch_open(&c, loop, fds[0], "www", 4711), 0);
	out = fds[1];
}

static void
teardown(void)
{
	catch_close(&c);
	fd_close(&out);
	loop_free(loop);
	unlink(path);
}

static void
say(const char *text)
{
	ck_assert_int_eq(fd_write_all(out, text, strlen(text)), 0);
}

static void
turn(void)
{
	ck_assert_int_eq(loop_turn(loop, 5000), 0);
}

/* What was logged since the last call: every line without its time and, if
 * it is as it should be, without level, pool and pid. */
static const char *
logged(void)
{
	static const char head[] = " notice [pool www] [pid 4711] ";
	static char line[4 * LINE], all[8 * LINE];
	FILE *f = fopen(path, "r");
	size_t len = 0, n;
	char *text;

	ck_assert_ptr_nonnull(f);
	all[0] = '\0';
	while (fgets(line, sizeof(line), f) != NULL) {
		text = strchr(line, ' ');
		if (strncmp(text, head, strlen(head)) == 0)
			text += strlen(head);
		n = strlen(text);
		ck_assert_uint_lt(len + n, sizeof(all));
		memcpy(all + len, text, n + 1);
		len += n;
	}
	fclose(f);
	ck_assert_int_eq(truncate(path, 0), 0);
	return all;
}

START_TEST(a_line_is_a_line)
{
	say("one\n\nthree\n");
	turn();
	ck_assert_str_eq(logged(), "one\n\nthree\n");
}
END_TEST

START_TEST(a_line_that_comes_in_pieces_is_whole)
{
	say("one\ntw");
	turn();
	ck_assert_str_eq(logged(), "one\n");
	say("o");
	turn();
	say("\nthree");
	turn();
	ck_assert_str_eq(logged(), "two\n");
}
END_TEST

START_TEST(what_remains_is_logged_at_the_end)
{
	int fd = c.fd;

	say("no newline");
	turn();
	fd_close(&out);
	turn();
	ck_assert_str_eq(logged(), "no newline\n");
	ck_assert_int_eq(c.fd, -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	catch_close(&c);
	ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(control_bytes_forge_nothing)
{
	ck_assert_int_eq(fd_write_all(out, "a\0\x1b\tb\n", 6), 0);
	turn();
	ck_assert_str_eq(logged(), "a\\x00\\x1b\\tb\n");
}
END_TEST

/* Write a line of n bytes and another; what is to be logged of them. */
static const char *
long_line(size_t n)
{
	static char text[LINE + 10], want[2 * LINE];
	size_t half = n / 2;

	memset(text, 'x', n);
	text[n] = '\0';
	ck_assert_int_eq(fd_write_all(out, text, half), 0);
	turn();
	ck_assert_int_eq(fd_write_all(out, text + half, n - half), 0);
	turn();
	say("\ny\n");
	turn();
	if (n <= LINE)
		sprintf(want, "%s\ny\n", text);
	else
		sprintf(want, "%.*s\n%s\ny\n", LINE, text, text + LINE);
	return want;
}

START_TEST(long_lines_are_split_only_above_the_limit)
{
	const char *want;

	want = long_line(LINE - 1);
	ck_assert(strcmp(logged(), want) == 0);
	want = long_line(LINE);
	ck_assert(strcmp(logged(), want) == 0);
	want = long_line(LINE + 1);
	ck_assert(strcmp(logged(), want) == 0);
}
END_TEST

/* Make the pipe hold more than a turn takes, and fill it with lines of which
 * a turn takes whole ones. */
static size_t
flood(void)
{
	char text[4096];
	size_t all = 0, i;
	ssize_t n;

	ck_assert_int_ge(fcntl(out, F_SETPIPE_SZ, 4 * LINE), 4 * LINE);
	ck_assert_int_eq(fd_nonblock(out, true), 0);
	for (i = 0; i < sizeof(text); i++)
		text[i] = i % 128 == 127 ? '\n' : 'x';
	while ((n = write(out, text, sizeof(text))) > 0)
		all += (size_t)n;
	return all;
}

START_TEST(a_turn_takes_a_bounded_amount)
{
	size_t all = flood();

	ck_assert_uint_ge(all, 4 * LINE);
	turn();
	ck_assert_uint_eq(strlen(logged()), LINE);
	turn();
	ck_assert_uint_eq(strlen(logged()), LINE);
}
END_TEST

START_TEST(closing_takes_all_that_is_there_and_waits_for_nobody)
{
	size_t all;

	say("x\n");
	turn();
	ck_assert_str_eq(logged(), "x\n");
	all = flood();
	catch_close(&c); /* out is open still, as in a grandchild */
	ck_assert_uint_eq(strlen(logged()), all);
	ck_assert_int_eq(c.fd, -1);
}
END_TEST

START_TEST(closing_logs_an_unfinished_line)
{
	say("almost");
	catch_close(&c);
	ck_assert_str_eq(logged(), "almost\n");
}
END_TEST

START_TEST(what_cannot_be_watched_is_closed)
{
	struct catch other;
	int fd = c.fd;

	loop_unwatch(loop, fd); /* watched by somebody else */
	ck_assert_int_eq(loop_watch(loop, fd, 0, NULL, NULL), 0);
	ck_assert_int_eq(catch_open(&other, loop, fd, "www", 1), -1);
	ck_assert_int_eq(other.fd, -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	c.fd = -1;
	buf_free(&c.line);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("catch");
	TCase *t = tcase_create("catch");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_line_is_a_line);
	tcase_add_test(t, a_line_that_comes_in_pieces_is_whole);
	tcase_add_test(t, what_remains_is_logged_at_the_end);
	tcase_add_test(t, control_bytes_forge_nothing);
	tcase_add_test(t, long_lines_are_split_only_above_the_limit);
	tcase_add_test(t, a_turn_takes_a_bounded_amount);
	tcase_add_test(t,
	    closing_takes_all_that_is_there_and_waits_for_nobody);
	tcase_add_test(t, closing_logs_an_unfinished_line);
	tcase_add_test(t, what_cannot_be_watched_is_closed);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "master/worker_output.h"

#include "unit.h"

#define LINE (1 << 20) /* longest that is not split */
#define TURN 65536     /* most that is taken at once */

static char path[64];
static struct loop *loop;
static struct worker_output c;
static int out; /* the worker's stdout and stderr */

static void
setup(void)
{
	int fds[2], fd;

	strcpy(path, "/tmp/lua-fpm-catch.XXXXXX");
	ck_assert_int_ne(fd = mkstemp(path), -1);
	close(fd);
	ck_assert_int_eq(log_open(path, LEVEL_NOTICE, FORM_TEXT, NULL), 0);
	ck_assert_ptr_nonnull(loop = loop_new());
	ck_assert_int_eq(fd_pipe(fds), 0);
	ck_assert_int_eq(worker_output_open(&c, loop, fds[0], "www", 4711), 0);
	out = fds[1];
}

static void
teardown(void)
{
	worker_output_close(&c);
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
	static char line[2 * LINE], all[4 * LINE];
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
	worker_output_close(&c);
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

/* Write n times x and a newline; what is logged of it. */
static const char *
long_line(size_t n)
{
	static char text[TURN];
	size_t part;

	memset(text, 'x', sizeof(text));
	for (; n > 0; n -= part) {
		part = n < TURN / 2 ? n : TURN / 2;
		ck_assert_int_eq(fd_write_all(out, text, part), 0);
		turn();
	}
	say("\n");
	turn();
	return logged();
}

START_TEST(long_lines_are_whole)
{
	const char *got = long_line(LINE - 1);

	ck_assert_uint_eq(strspn(got, "x"), LINE - 1);
	ck_assert_str_eq(got + LINE - 1, "\n");
	got = long_line(LINE);
	ck_assert_uint_eq(strspn(got, "x"), LINE);
	ck_assert_str_eq(got + LINE, "\n");
	ck_assert_uint_lt(c.line.cap, 2 * TURN); /* given back */
}
END_TEST

START_TEST(endless_lines_come_in_marked_parts)
{
	const char *got = long_line(3 * LINE);
	size_t n, all = 0;

	for (int part = 0; *got != '\0'; part++) {
		if (part > 0) {
			ck_assert_mem_eq(got, "[line goes on] ", 15);
			got += 15;
		}
		n = strspn(got, "x");
		all += n;
		got += n;
		if (all < 3 * LINE) {
			ck_assert_uint_ge(n, LINE);
			ck_assert_mem_eq(got, " [line goes on]\n", 16);
			got += 15;
		}
		ck_assert_int_eq(*got, '\n');
		got++;
	}
	ck_assert_uint_eq(all, 3 * LINE);
}
END_TEST

/* Splitting does not make good text bad. */
START_TEST(no_character_is_cut_in_two)
{
	static const char euro[] = "\xe2\x82\xac";
	const char *got, *p;
	size_t n = 0;

	for (int i = 0; i < LINE / 30000 + 1; i++) {
		char text[30000];

		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = euro[k % 3];
		ck_assert_int_eq(fd_write_all(out, text, sizeof(text)), 0);
		turn();
	}
	say("\n");
	turn();
	got = logged();
	ck_assert_ptr_null(strstr(got, "\\x"));
	ck_assert_ptr_nonnull(strstr(got, "[line goes on]"));
	for (p = got; *p != '\0'; p++)
		n += strncmp(p, euro, 3) == 0;
	ck_assert_uint_eq(n, (LINE / 30000 + 1) * 10000);
}
END_TEST

/* Make the pipe hold more than a turn takes, and fill it with lines of which
 * a turn takes whole ones. */
static size_t
flood(void)
{
	char text[128];
	size_t all = 0;
	ssize_t n;

	ck_assert_int_ge(fcntl(out, F_SETPIPE_SZ, 4 * TURN), 4 * TURN);
	ck_assert_int_eq(fd_nonblock(out, true), 0);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	do {
		snprintf(text, 9, "%08zu", all);
		text[8] = ' ';
		n = write(out, text, sizeof(text));
		all += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return all;
}

START_TEST(a_turn_takes_a_bounded_amount)
{
	size_t all = flood();

	ck_assert_uint_ge(all, 4 * TURN);
	turn();
	ck_assert_uint_eq(strlen(logged()), TURN);
	turn();
	ck_assert_uint_eq(strlen(logged()), TURN);
}
END_TEST

START_TEST(closing_takes_all_that_is_there_and_waits_for_nobody)
{
	size_t all;

	say("x\n");
	turn();
	ck_assert_str_eq(logged(), "x\n");
	all = flood();
	worker_output_close(&c); /* out is open still, as in a grandchild */
	ck_assert_uint_eq(strlen(logged()), all);
	ck_assert_int_eq(c.fd, -1);
}
END_TEST

START_TEST(a_mark_names_the_request)
{
	say("\x1eid-1\x1fone\nnone\n\x1eid-2\x1ftwo\n");
	turn();
	ck_assert_str_eq(logged(), "[request id-1] one\nnone\n"
	    "[request id-2] two\n");
	say("half\x1eid-3\x1fthree\n"); /* a child wrote before */
	turn();
	ck_assert_str_eq(logged(), "half\n[request id-3] three\n");
	say("\x1e");
	turn();
	say("id-4\x1f");
	turn();
	say("four");
	worker_output_close(&c);
	ck_assert_str_eq(logged(), "[request id-4] four\n");
}
END_TEST

START_TEST(what_is_no_mark_is_text)
{
	say("\036\037a\n\036a b\037\n\036a\n\036");
	fd_close(&out);
	while (c.fd != -1)
		turn();
	ck_assert_str_eq(logged(), "\\x1e\\x1fa\n\\x1ea b\\x1f\n\\x1ea\n"
	    "\\x1e\n");
}
END_TEST

START_TEST(children_of_a_dead_worker_are_heard)
{
	say("first\nlast words");
	turn();
	worker_output_leave(&c); /* out is open still, as in a grandchild */
	ck_assert_int_eq(c.fd, -1);
	ck_assert_str_eq(logged(), "first\nlast words\n");
	say("from a child\nand");
	turn();
	ck_assert_str_eq(logged(), "from a child\n");
	fd_close(&out);
	turn();
	ck_assert_str_eq(logged(), "and\n");
}
END_TEST

START_TEST(at_the_end_children_are_left_alone)
{
	worker_output_leave(&c);
	say("said in time\nor almost");
	worker_output_finish();
	ck_assert_str_eq(logged(), "said in time\nor almost\n");
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(write(out, "x", 1), -1);
}
END_TEST

START_TEST(nobody_waits_for_children_that_are_not_there)
{
	int fd = c.fd;

	say("bye");
	fd_close(&out);
	worker_output_leave(&c);
	ck_assert_str_eq(logged(), "bye\n");
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(closing_logs_an_unfinished_line)
{
	say("almost");
	worker_output_close(&c);
	ck_assert_str_eq(logged(), "almost\n");
}
END_TEST

START_TEST(what_cannot_be_watched_is_closed)
{
	struct worker_output other;
	int fd = c.fd;

	loop_unwatch(loop, fd); /* watched by somebody else */
	ck_assert_int_eq(loop_watch(loop, fd, 0, NULL, NULL), 0);
	ck_assert_int_eq(worker_output_open(&other, loop, fd, "www", 1), -1);
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
	tcase_add_test(t, long_lines_are_whole);
	tcase_add_test(t, endless_lines_come_in_marked_parts);
	tcase_add_test(t, no_character_is_cut_in_two);
	tcase_add_test(t, a_mark_names_the_request);
	tcase_add_test(t, what_is_no_mark_is_text);
	tcase_add_test(t, children_of_a_dead_worker_are_heard);
	tcase_add_test(t, at_the_end_children_are_left_alone);
	tcase_add_test(t, nobody_waits_for_children_that_are_not_there);
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

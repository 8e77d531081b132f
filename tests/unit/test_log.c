#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_wire.h"

#include "unit.h"

#define STAMP "2026-11-20T13:24:01.123+00:00 "

static char directory[64], path[96], rotated[96];

static void
make_directory(void)
{
	strcpy(directory, "/tmp/lua-fpm-log.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/error.log", directory);
	snprintf(rotated, sizeof(rotated), "%s/error.log.1", directory);
}

static void
remove_directory(void)
{
	unlink(path);
	unlink(rotated);
	rmdir(directory);
}

/* The whole of a file, in memory that the next call uses again. */
static const char *
content(const char *name)
{
	static char text[300000];
	FILE *f = fopen(name, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

/* The file has one line of this level, ending so, from this process. */
static void
check_line(const char *level, const char *rest)
{
	const char *text = content(path);
	char want[1000];

	snprintf(want, sizeof(want), "%s %s\n", level, rest);
	ck_assert_uint_gt(strlen(text), strlen(STAMP));
	ck_assert_str_eq(text + strlen(STAMP), want);
}

static void
check_text(const char *escaped)
{
	char want[900];

	snprintf(want, sizeof(want), "[pid %d] %s", (int)getpid(), escaped);
	check_line("error", want);
	ck_assert_int_eq(truncate(path, 0), 0);
}

static void
open_log(void)
{
	make_directory();
	ck_assert_int_eq(log_open(path, LEVEL_INFO, FORM_TEXT, NULL), 0);
}

START_TEST(names_levels)
{
	static const char *names[] = { "debug", "info", "notice", "warning",
		"error", "alert" };

	for (int level = LEVEL_DEBUG; level <= LEVEL_ALERT; level++)
		ck_assert_str_eq(log_level_names[level], names[level]);
	ck_assert_ptr_null(log_level_names[LEVEL_ALERT + 1]);
}
END_TEST

START_TEST(a_line_looks_as_promised)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd.ddd+dd:dd ";
	const char *text;
	size_t i;

	open_log();
	log_notice("%s is %d", "seven", 7);
	text = content(path);
	for (i = 0; i < strlen(shape); i++)
		if (shape[i] == 'd')
			ck_assert(text[i] >= '0' && text[i] <= '9');
		else if (shape[i] == '+')
			ck_assert(text[i] == '+' || text[i] == '-');
		else
			ck_assert_int_eq(text[i], shape[i]);
	ck_assert_ptr_nonnull(strstr(text, " notice [pid "));
	ck_assert_str_eq(strstr(text, "] ") + 2, "seven is 7\n");
}
END_TEST

START_TEST(a_level_is_a_threshold)
{
	open_log();
	log_debug("not this");
	log_relay(&(struct log_entry) { LEVEL_DEBUG, 1, "www", NULL, NULL,
	    NULL, "nor this", 8 });
	ck_assert_str_eq(content(path), "");
	log_error("%s", "this");
	check_text("this");
}
END_TEST

START_TEST(nothing_forges_a_line)
{
	open_log();
	log_error("a\n2026-11-20T13:24:01.123+00:00 alert [pid 1] b");
	check_text("a\\n2026-11-20T13:24:01.123+00:00 alert [pid 1] b");
	log_error("%s", "tab\tcr\rnul-less\x1b[31m\x7f.");
	check_text("tab\\tcr\\rnul-less\\x1b[31m\\x7f.");
}
END_TEST

START_TEST(utf8_passes_and_nothing_else)
{
	open_log();
	log_error("%s", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbd");
	check_text("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbd");
	log_error("%s", "\xff \x80 \xc3 \xc3(");
	check_text("\\xff \\x80 \\xc3 \\xc3(");
	/* overlong, surrogate, past U+10FFFF, C1 control, cut at the end */
	log_error("%s", "\xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf");
	check_text("\\xc0\\xaf \\xe0\\x80\\xaf \\xf0\\x80\\x80\\xaf");
	log_error("%s", "\xed\xa0\x80 \xf4\x90\x80\x80 \xc2\x9b \xe2\x82");
	check_text("\\xed\\xa0\\x80 \\xf4\\x90\\x80\\x80 \\xc2\\x9b "
	    "\\xe2\\x82");
}
END_TEST

START_TEST(relays_for_another)
{
	open_log();
	log_relay(&(struct log_entry) { LEVEL_WARNING, 4711, "www", NULL,
	    NULL, NULL, "a\0b and the rest", 3 });
	check_line("warning", "[pool www] [pid 4711] a\\x00b");
}
END_TEST

/* From a worker to the master: nothing of an entry is lost or is taken for
 * another. */
START_TEST(an_entry_travels)
{
	static const char hard[] = "a\nb\x1c\x1d\x1e\x1f\0\xff" " end";
	static const struct log_entry cases[] = {
		{ LEVEL_DEBUG, 1, NULL, NULL, NULL, NULL, "", 0 },
		{ LEVEL_ALERT, 1, NULL, "id", NULL, NULL, "text", 4 },
		{ LEVEL_ERROR, 1, NULL, "id", "GET", "/a\nb\x1f" "c", hard,
		    sizeof(hard) - 1 },
	};
	struct buf line = { 0 };
	struct log_entry got;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&line);
		log_wire_put(&line, &cases[i]);
		ck_assert_ptr_eq(memchr(line.data, '\n', line.len),
		    line.data + line.len - 1);
		ck_assert(log_wire_get(line.data, line.len - 1, &got));
		ck_assert_int_eq(got.level, cases[i].level);
		ck_assert_pstr_eq(got.request, cases[i].request);
		ck_assert_pstr_eq(got.method, cases[i].method);
		if (cases[i].method != NULL)
			ck_assert_str_eq(got.uri, cases[i].uri);
		ck_assert_uint_eq(got.len, cases[i].len);
		ck_assert_mem_eq(got.text, cases[i].text, got.len);
	}
	buf_free(&line);
}
END_TEST

START_TEST(no_entry_is_made_of_what_is_none)
{
	static const char *const cases[] = { "", "\x1d", "\x1d" "3", "text",
		"\x1d" "9\x1f\x1f\x1f" "text", "\x1d" "3\x1f\x1f",
		"\x1d\x1f\x1f\x1f" };
	struct log_entry got;
	char line[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(line, cases[i]);
		ck_assert(!log_wire_get(line, strlen(line), &got));
		ck_assert_str_eq(line, cases[i]);
	}
}
END_TEST

START_TEST(long_text_is_whole)
{
	static char text[200002];

	open_log();
	memset(text, 'x', sizeof(text) - 2);
	log_error("%s", text);
	text[sizeof(text) - 2] = '\n';
	ck_assert_str_eq(strchr(content(path), ']') + 2, text);
}
END_TEST

START_TEST(keeps_errno)
{
	open_log();
	errno = EDOM;
	log_error("text");
	ck_assert_int_eq(errno, EDOM);
}
END_TEST

START_TEST(reopens_after_a_rotation)
{
	struct stat st;

	open_log();
	log_error("before");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777 & ~0640, 0);
	ck_assert_int_eq(rename(path, rotated), 0);
	log_error("between");
	ck_assert_int_eq(log_reopen(NULL), 0);
	log_error("after");
	ck_assert_ptr_nonnull(strstr(content(rotated), "before"));
	ck_assert_ptr_nonnull(strstr(content(rotated), "between"));
	check_text("after");
}
END_TEST

START_TEST(a_failed_open_changes_nothing)
{
	struct why why = { 0 };
	char other[120];

	open_log();
	snprintf(other, sizeof(other), "%s/none/error.log", directory);
	ck_assert_int_eq(log_open(other, LEVEL_DEBUG, FORM_TEXT, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, other));
	ck_assert_ptr_nonnull(strstr(why.text, strerror(ENOENT)));
	log_debug("not this");
	log_error("this");
	check_text("this");
}
END_TEST

START_TEST(stderr_stays_where_it_was)
{
	int file;

	make_directory();
	file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_eq(dup2(file, STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(log_open("stderr", LEVEL_INFO, FORM_TEXT, NULL), 0);
	ck_assert_int_eq(dup2(open("/dev/null", O_WRONLY), STDERR_FILENO),
	    STDERR_FILENO);
	log_error("text");
	check_text("text");
	ck_assert_int_eq(log_reopen(NULL), 0);
	log_error("text");
	check_text("text");
}
END_TEST

START_TEST(a_reader_that_is_gone_is_no_error)
{
	int fds[2];

	make_directory();
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[0]);
	errno = 0;
	log_error("text");
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(log_open("/dev/full", LEVEL_INFO, FORM_TEXT, NULL), 0);
	errno = 0;
	log_error("text");
	ck_assert_int_eq(errno, 0);
}
END_TEST

/* Lines of several processes never mix, be they longer than a pipe takes at
 * once or not. */
START_TEST(lines_of_many_stay_whole)
{
	char text[9000];
	const char *line;
	int child, i, lines = 0;

	open_log();
	for (child = 0; child < 4; child++) {
		if (fork() != 0)
			continue;
		for (i = 0; i < 8; i++) {
			memset(text, 'a' + child * 2 + i % 2, sizeof(text) - 1);
			text[sizeof(text) - 1] = '\0';
			log_error("%s", text);
		}
		_exit(0);
	}
	while (wait(NULL) != -1)
		;
	for (line = content(path); *line != '\0'; lines++) {
		line = strchr(line, ']') + 2;
		ck_assert_uint_eq(strspn(line, (char[]){ *line, 0 }),
		    sizeof(text) - 1);
		line += sizeof(text);
	}
	ck_assert_int_eq(lines, 32);
}
END_TEST

/* The whole of a pipe that nobody read, into text. */
static void
read_all(int fd, char *text, size_t room)
{
	size_t len = 0;
	ssize_t n;

	while (len < room - 1 && (n = read(fd, text + len, room - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
}

START_TEST(a_log_that_nobody_reads_is_told_of_once)
{
	static char text[1 << 20];
	const char *loss;
	int fds[2], saved = dup(STDERR_FILENO);

	make_directory();
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	dup2(fds[1], STDERR_FILENO);
	ck_assert_int_eq(log_open("stderr", LEVEL_NOTICE, FORM_TEXT, NULL), 0);
	dup2(saved, STDERR_FILENO);
	for (int i = 0; i < 2000; i++)
		log_notice("line %d", i);
	read_all(fds[0], text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "line 0\n"));
	ck_assert_ptr_null(strstr(text, "line 1999\n"));
	ck_assert_ptr_null(strstr(text, "lost"));
	log_notice("again");
	log_notice("and again");
	read_all(fds[0], text, sizeof(text));
	loss = strstr(text, " warning [pid ");
	ck_assert_ptr_nonnull(loss);
	ck_assert_ptr_nonnull(strstr(text, "are lost: nobody read it\n"));
	ck_assert_ptr_nonnull(strstr(loss, "again\n"));
	ck_assert_ptr_nonnull(strstr(loss, "and again\n"));
	ck_assert_ptr_null(strstr(loss + 1, " warning "));
	close(saved);
}
END_TEST

/* ---- repeats ------------------------------------------------------------- */

/* How often a text is there. */
static int
times(const char *text)
{
	const char *p = content(path);
	int n = 0;

	for (; (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

START_TEST(repeats_are_counted)
{
	char want[100];

	open_log();
	for (int i = 0; i < 10000; i++)
		log_warning("the same");
	ck_assert_int_eq(times("the same\n"), 1);
	ck_assert_int_eq(times("repeated"), 0);
	log_info("another");
	snprintf(want, sizeof(want), " warning [pid %d] last "
	    "message repeated 9999 times\n", (int)getpid());
	ck_assert_int_eq(times(want), 1);
	ck_assert_int_eq(times("another\n"), 1);
	log_info("another");
	log_info("a third");
	ck_assert_int_eq(times("last message repeated 1 time\n"), 1);
	ck_assert_int_eq(times("\n"), 5);
}
END_TEST

/* Another level, request, process or pool, and it is another event. */
START_TEST(what_differs_is_no_repeat)
{
	struct log_entry e = { .level = LEVEL_NOTICE, .pid = 1, .pool = "a",
		.text = "text", .len = 4 };

	open_log();
	log_relay(&e);
	e.level = LEVEL_INFO;
	log_relay(&e);
	e.pid = 2;
	log_relay(&e);
	e.pool = "b";
	log_relay(&e);
	e.pool = NULL;
	log_relay(&e);
	e.request = "1";
	log_relay(&e);
	e.request = "2";
	log_relay(&e);
	e.method = "GET";
	e.uri = "/";
	log_relay(&e);
	e.uri = "/2";
	log_relay(&e);
	e.len = 3;
	log_relay(&e);
	ck_assert_int_eq(times("\n"), 10);
	log_alert("an alert");
	log_alert("an alert");
	ck_assert_int_eq(times("an alert\n"), 2);
	ck_assert_int_eq(times("repeated"), 0);
}
END_TEST

START_TEST(repeats_are_told_of_in_time)
{
	int64_t due;

	open_log();
	ck_assert_int_eq(log_due(), -1);
	log_error("text");
	ck_assert_int_eq(log_due(), -1);
	log_error("text");
	due = log_due();
	ck_assert_int_gt(due, clock_ms());
	ck_assert_int_le(due, clock_ms() + 10000);
	log_tick(due - 1);
	ck_assert_int_eq(times("repeated"), 0);
	log_tick(due);
	ck_assert_int_eq(times("repeated 1 time\n"), 1);
	ck_assert_int_eq(log_due(), -1);
	log_error("text"); /* the operator sees that it goes on */
	ck_assert_int_eq(times("] text\n"), 2);
}
END_TEST

START_TEST(repeats_are_told_of_at_the_end)
{
	open_log();
	log_error("text");
	log_error("text");
	if (fork() == 0)
		exit(0); /* not ours to tell */
	wait(NULL);
	ck_assert_int_eq(times("repeated"), 0);
	if (fork() == 0) {
		log_error("child");
		log_error("child");
		log_error("child");
		exit(0);
	}
	wait(NULL);
	ck_assert_int_eq(times("repeated 2 times\n"), 1);
	ck_assert_int_eq(log_reopen(NULL), 0);
	ck_assert_int_eq(times("repeated 1 time\n"), 1);
}
END_TEST

START_TEST(repeats_survive_a_kill)
{
	_Atomic uint64_t *shared = mmap(NULL, sizeof(*shared),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char want[100];
	pid_t pid;

	ck_assert_ptr_ne(shared, MAP_FAILED);
	open_log();
	pid = fork();
	if (pid == 0) {
		log_share(shared);
		log_info("other");
		log_info("other");
		for (int i = 0; i < 6; i++)
			log_error("text");
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(times("repeated"), 1);
	log_bury(atomic_load(shared), "www", pid);
	snprintf(want, sizeof(want), " error [pool www] [pid %d] last message "
	    "repeated 5 times\n", (int)pid);
	ck_assert_int_eq(times(want), 1);
	log_bury(0, "www", pid);
	ck_assert_int_eq(times("repeated"), 2);
	munmap((void *)shared, sizeof(*shared));
}
END_TEST

/* ---- JSON ---------------------------------------------------------------- */

START_TEST(an_object_to_a_line)
{
	struct log_entry e = { LEVEL_ERROR, 7, "www", "id-1", "GET",
		"/\"\\\x1b\xff\xc3\xa4", "a\tb\n\0c\x7f\xc2", 8 };

	make_directory();
	ck_assert_int_eq(log_open(path, LEVEL_INFO, FORM_JSON, NULL), 0);
	log_relay(&e);
	ck_assert_str_eq(strstr(content(path), ",\"level\""),
	    ",\"level\":\"error\",\"pool\":\"www\",\"pid\":7,"
	    "\"request_id\":\"id-1\",\"method\":\"GET\",\"uri\":"
	    "\"/\\\"\\\\\\u001b\\\\xff\xc3\xa4\",\"message\":"
	    "\"a\\tb\\n\\u0000c\\u007f\\\\xc2\"}\n");
	ck_assert_int_eq(truncate(path, 0), 0);
	e = (struct log_entry) { .pid = 1, .level = LEVEL_INFO };
	log_relay(&e);
	ck_assert_mem_eq(content(path), "{\"time\":\"20", 11);
	ck_assert_str_eq(strstr(content(path), ",\"level\""),
	    ",\"level\":\"info\",\"pid\":1,\"message\":\"\"}\n");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	tcase_add_checked_fixture(t, NULL, remove_directory);
	tcase_add_test(t, names_levels);
	tcase_add_test(t, a_line_looks_as_promised);
	tcase_add_test(t, a_level_is_a_threshold);
	tcase_add_test(t, nothing_forges_a_line);
	tcase_add_test(t, utf8_passes_and_nothing_else);
	tcase_add_test(t, relays_for_another);
	tcase_add_test(t, an_entry_travels);
	tcase_add_test(t, no_entry_is_made_of_what_is_none);
	tcase_add_test(t, long_text_is_whole);
	tcase_add_test(t, keeps_errno);
	tcase_add_test(t, reopens_after_a_rotation);
	tcase_add_test(t, a_failed_open_changes_nothing);
	tcase_add_test(t, stderr_stays_where_it_was);
	tcase_add_test(t, a_reader_that_is_gone_is_no_error);
	tcase_add_test(t, lines_of_many_stay_whole);
	tcase_add_test(t, a_log_that_nobody_reads_is_told_of_once);
	tcase_add_test(t, repeats_are_counted);
	tcase_add_test(t, what_differs_is_no_repeat);
	tcase_add_test(t, repeats_are_told_of_in_time);
	tcase_add_test(t, repeats_are_told_of_at_the_end);
	tcase_add_test(t, repeats_survive_a_kill);
	tcase_add_test(t, an_object_to_a_line);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

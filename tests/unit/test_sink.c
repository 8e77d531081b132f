/* Where a pool's logs go: files, streams, syslog; and from hand to hand. */

#include "unit.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"

#define LONG 100000

static char scratch[] = "/tmp/test_sink.XXXXXX";
static char file[64];
static struct sink sink;
static struct why why;

static void
set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	strcpy(scratch + strlen(scratch) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	snprintf(file, sizeof(file), "%s/log", scratch);
}

static void
tear_down(void)
{
	char command[64];

	sink_close(&sink);
	snprintf(command, sizeof(command), "rm -r %s", scratch);
	ck_assert_int_eq(system(command), 0);
}

static void
open_file(void)
{
	ck_assert_int_eq(sink_open(&sink, file, &why), 0);
}

static int
put(struct sink *to, const char *line)
{
	return sink_write(to, SINK_ACCESS, line, strlen(line));
}

static const char *
content(void)
{
	static char text[1 << 20];
	int fd = open(file, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(fd);
	return text;
}

/* ---- files --------------------------------------------------------------- */

START_TEST(a_file_is_made_and_appended_to)
{
	struct stat st;

	umask(0);
	open_file();
	ck_assert_int_eq(put(&sink, "one\n"), 0);
	sink_close(&sink);
	open_file();
	ck_assert_int_eq(put(&sink, "two\n"), 0);
	ck_assert_str_eq(content(), "one\ntwo\n");
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(fcntl(sink.out.fd, F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(no_target_takes_everything)
{
	ck_assert_int_eq(sink_open(&sink, NULL, &why), 0);
	ck_assert_int_eq(sink.way, SINK_NONE);
	ck_assert_int_eq(put(&sink, "one\n"), 0);
}
END_TEST

START_TEST(what_cannot_be_opened_says_why)
{
	ck_assert_int_eq(sink_open(&sink, scratch, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, scratch));
	ck_assert_ptr_nonnull(strstr(why.text, strerror(EISDIR)));
	ck_assert_int_eq(sink.way, SINK_NONE);
}
END_TEST

/* Nobody reads it: opening must not wait for somebody who does. */
START_TEST(a_fifo_without_a_reader_is_refused)
{
	ck_assert_int_eq(mkfifo(file, 0600), 0);
	ck_assert_int_eq(sink_open(&sink, file, &why), -1);
}
END_TEST

/* ---- what a worker has --------------------------------------------------- */

START_TEST(a_position_is_a_workers_own)
{
	struct sink worker;
	struct sink_loan loan = SINK_LOAN_NONE;
	int64_t before;

	open_file();
	sink_lend(&sink, &worker, &loan);
	ck_assert_int_ne(loan.fd, -1);
	ck_assert_int_eq(sink_position(&sink), -1);
	before = sink_position(&worker);
	ck_assert_int_eq(put(&sink, "the master's\n"), 0);
	ck_assert_int_eq(sink_position(&worker), before);
	ck_assert_int_eq(put(&worker, "its own\n"), 0);
	ck_assert_int_ne(sink_position(&worker), before);
	ck_assert_str_eq(content(), "the master's\nits own\n");
	sink_return(&loan);
}
END_TEST

/* Whatever the path has come to lead to. */
START_TEST(a_worker_has_the_masters_file)
{
	char other[80];
	struct sink worker;
	struct sink_loan loan = SINK_LOAN_NONE;

	open_file();
	snprintf(other, sizeof(other), "%s.1", file);
	ck_assert_int_eq(rename(file, other), 0);
	sink_lend(&sink, &worker, &loan);
	ck_assert_int_eq(put(&worker, "one\n"), 0);
	ck_assert_int_eq(access(file, F_OK), -1);
	sink_return(&loan);
}
END_TEST

START_TEST(sinks_travel)
{
	struct sink here[SINK_COUNT] = { { .out.fd = -1 }, { .out.fd = -1 } };
	struct sink worker;
	struct sink_loan loan = SINK_LOAN_NONE;
	int channel[2], status;

	open_file();
	sink_lend(&sink, &worker, &loan);
	ck_assert_int_eq(fd_pair(channel), 0);
	ck_assert_int_eq(sink_send(channel[0], SINK_SLOW, &sink), 0);
	ck_assert_int_eq(sink_send(channel[0], SINK_ACCESS, &worker), 0);
	ck_assert_int_eq(channel_receive(channel[1], here, &status), CHANNEL_LOG);
	ck_assert_int_eq(here[SINK_ACCESS].way, SINK_NONE);
	ck_assert_int_eq(here[SINK_SLOW].way, SINK_FILE);
	ck_assert(!here[SINK_SLOW].own);
	ck_assert_int_eq(channel_receive(channel[1], here, &status), CHANNEL_LOG);
	ck_assert_int_eq(put(&here[SINK_ACCESS], "one\n"), 0);
	ck_assert_str_eq(content(), "one\n");
	/* what it wrote is seen by the master's own descriptor */
	ck_assert_int_eq(lseek(loan.fd, 0, SEEK_CUR), 4);
	sink_return(&loan);
	/* and no log at all travels too */
	sink_close(&sink);
	ck_assert_int_eq(sink_send(channel[0], SINK_ACCESS, &sink), 0);
	ck_assert_int_eq(channel_receive(channel[1], here, &status), CHANNEL_LOG);
	ck_assert_int_eq(here[SINK_ACCESS].way, SINK_NONE);
	ck_assert_int_eq(channel_receive(channel[1], here, &status),
	    CHANNEL_EMPTY);
	close(channel[0]);
	ck_assert_int_eq(channel_receive(channel[1], here, &status),
	    CHANNEL_CLOSED);
	sink_close(&here[SINK_SLOW]);
	close(channel[1]);
}
END_TEST

/* The level of log lines and a status travel among them; what is of another
 * build is ignored, and its descriptor is not kept. */
START_TEST(other_messages_travel_among_them)
{
	struct sink here[SINK_COUNT] = { { .out.fd = -1 }, { .out.fd = -1 } };
	int channel[2], status, first, null = open("/dev/null", O_RDONLY);

	ck_assert_int_eq(fd_pair(channel), 0);
	ck_assert_int_eq(channel_send_level(channel[0], LEVEL_ERROR), 0);
	ck_assert_int_eq(channel_receive(channel[1], here, &status),
	    CHANNEL_LEVEL);
	ck_assert_int_eq(log_level_now(), LEVEL_ERROR);
	ck_assert_int_eq(channel_send_status(channel[0], null), 0);
	ck_assert_int_eq(channel_receive(channel[1], here, &status),
	    CHANNEL_STATUS);
	ck_assert_int_gt(status, null);
	first = status;
	close(status);
	ck_assert_int_eq(channel_send_status(channel[0], -1), 0);
	ck_assert_int_eq(channel_receive(channel[1], here, &status),
	    CHANNEL_STATUS);
	ck_assert_int_eq(status, -1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_gt(fd_send(channel[0], null, "?", 1), 0);
		ck_assert_int_eq(channel_receive(channel[1], here, &status),
		    CHANNEL_OTHER);
	}
	ck_assert_int_eq(dup(null), first);
	close(channel[0]);
	close(channel[1]);
}
END_TEST

START_TEST(error_log_is_a_workers_stderr)
{
	struct sink worker;

	ck_assert_int_eq(sink_open(&sink, "error_log", &why), 0);
	sink_lend(&sink, &worker, NULL);
	ck_assert_int_eq(worker.out.fd, STDERR_FILENO);
	open_file();
	dup2(sink.out.fd, STDERR_FILENO);
	ck_assert_int_eq(put(&worker, "one\n"), 0);
	ck_assert_str_eq(content(), "one\n");
}
END_TEST

/* ---- no room ------------------------------------------------------------- */

static void
limit_size(rlim_t most)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = most;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Another that writes to the same file may have gone on behind it. */
START_TEST(a_line_without_room_is_made_blank)
{
	struct sink worker;
	struct sink_loan loan = SINK_LOAN_NONE;

	open_file();
	sink_lend(&sink, &worker, &loan);
	ck_assert_int_eq(put(&worker, "one\n"), 0);
	limit_size(8);
	ck_assert_int_eq(put(&worker, "two hundred\n"), -1);
	ck_assert_int_eq(errno, EFBIG);
	limit_size(RLIM_INFINITY);
	ck_assert_str_eq(content(), "one\n   \n");
	ck_assert_int_eq(put(&sink, "another\'s\n"), 0);
	ck_assert_int_eq(put(&worker, "four\n"), 0);
	ck_assert_str_eq(content(), "one\n   \nanother\'s\nfour\n");
	ck_assert_uint_eq(worker.out.lost, 1);
	sink_return(&loan);
}
END_TEST

/* Where others write as well, a cut line ends before the next. */
START_TEST(a_cut_line_of_many_is_ended)
{
	open_file();
	limit_size(8);
	ck_assert_int_eq(put(&sink, "two hundred\n"), -1);
	limit_size(RLIM_INFINITY);
	ck_assert_int_eq(put(&sink, "four\n"), 0);
	ck_assert_str_eq(content(), "two hund\nfour\n");
}
END_TEST

/* ---- long lines ---------------------------------------------------------- */

static void
write_lines(char c, int n)
{
	static char line[LONG + 1];

	memset(line, c, LONG);
	for (int i = 0; i < n; i++) {
		size_t len = i % 2 == 0 ? LONG : 10;

		line[len] = '\n';
		sink_write(&sink, SINK_ACCESS, line, len + 1);
		line[len] = c;
	}
	_exit(0);
}

/* Lines of one letter each, of either length; returns how many. */
static int
read_lines(int fd)
{
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int lines = 0;

	while ((n = getline(&line, &cap, in)) > 0) {
		ck_assert(n == LONG + 1 || n == 11);
		ck_assert_uint_eq(strspn(line, (char[]){ line[0], 0 }),
		    (size_t)n - 1);
		lines++;
	}
	free(line);
	fclose(in);
	return lines;
}

START_TEST(long_lines_are_whole_in_a_pipe)
{
	enum { WRITERS = 4, LINES = 20 };
	int ends[2];

	ck_assert_int_eq(fd_pipe(ends), 0);
	dup2(ends[1], STDOUT_FILENO);
	ck_assert_int_eq(sink_open(&sink, "stdout", &why), 0);
	ck_assert_int_gt(sink.out.fd, STDERR_FILENO);
	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0)
			write_lines((char)('a' + i), LINES);
	sink_close(&sink);
	close(ends[1]);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	ck_assert_int_eq(read_lines(ends[0]), WRITERS * LINES);
	while (wait(NULL) > 0)
		;
}
END_TEST

/* Another pool's worker that has the same pipe, and means harm. */
START_TEST(a_lock_that_is_never_given_up_costs_little)
{
	const struct flock whole = { .l_type = F_WRLCK };
	int ends[2], go[2];
	int64_t begun;
	char c;

	ck_assert_int_eq(fd_pipe(ends), 0);
	dup2(ends[1], STDOUT_FILENO);
	ck_assert_int_eq(sink_open(&sink, "stdout", &why), 0);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	ck_assert_int_eq(fd_pair(go), 0);
	if (fork() == 0) {
		close(go[0]);
		_exit(fcntl(sink.out.fd, F_SETLK, &whole) == -1 ||
		    write(go[1], "x", 1) != 1 || read(go[1], &c, 1) != 0);
	}
	close(go[1]);
	ck_assert_int_eq(read(go[0], &c, 1), 1);
	begun = clock_ms();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(put(&sink, "line\n"), 0);
	ck_assert_int_lt(clock_ms() - begun, 3000);
	close(go[0]);
	wait(NULL);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(long_lines_are_whole_in_a_file)
{
	enum { WRITERS = 4, LINES = 20 };

	open_file();
	for (int i = 0; i < WRITERS; i++)
		if (fork() == 0)
			write_lines((char)('a' + i), LINES);
	while (wait(NULL) > 0)
		;
	ck_assert_int_eq(read_lines(open(file, O_RDONLY)), WRITERS * LINES);
}
END_TEST

/* ---- syslog -------------------------------------------------------------- */

static int
listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
	    sizeof(address)), 0);
	return fd;
}

/* A /dev of our own, or the one that is there if it has no log. */
static bool
own_dev(void)
{
	if (unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "/dev", "tmpfs", 0, NULL) == 0)
		return true;
	return access(_PATH_LOG, F_OK) == -1;
}

START_TEST(syslog_takes_lines)
{
	char text[256] = { 0 };
	int in;

	ck_assert_msg(own_dev(), "no /dev/log to try with");
	in = listen_at(_PATH_LOG);
	ck_assert_int_eq(sink_open(&sink, "syslog", &why), 0);
	ck_assert_int_eq(put(&sink, "one\n"), 0);
	ck_assert_int_gt(recv(in, text, sizeof(text) - 1, 0), 0);
	ck_assert_str_eq(strstr(text, "lua-fpm"),
	    (snprintf(text + 128, 100, "lua-fpm[%d]: one", (int)getpid()),
	    text + 128));
	ck_assert_int_eq(strncmp(text, "<30>", 4), 0);
	/* started anew, it is found again */
	close(in);
	in = listen_at(_PATH_LOG);
	ck_assert_int_eq(put(&sink, "two\n"), 0);
	memset(text, 0, sizeof(text));
	ck_assert_int_gt(recv(in, text, sizeof(text) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(text, "]: two"));
	close(in);
	/* away, it is no fault, and found when it comes */
	unlink(_PATH_LOG);
	sink_close(&sink);
	ck_assert_int_eq(sink_open(&sink, "syslog", &why), 0);
	ck_assert_int_eq(put(&sink, "three\n"), -1);
	in = listen_at(_PATH_LOG);
	ck_assert_int_eq(put(&sink, "four\n"), 0);
	ck_assert_int_gt(recv(in, text, sizeof(text) - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(text, "]: four"));
	close(in);
	unlink(_PATH_LOG);
}
END_TEST

/* ---- -t ------------------------------------------------------------------ */

START_TEST(targets_are_tried_and_not_made)
{
	struct conf_pool pool = { .name = strdup("www"), .file = strdup("c"),
		.line = 7, .logs.access = file };
	struct conf conf = { .pools = &pool, .npools = 1,
		.error_log = (char[]){ "stderr" } };
	struct conf_faults faults = { 0 };
	char missing[80], expected[200];

	ck_assert(!sink_check(&conf, &faults));
	ck_assert_int_eq(access(file, F_OK), -1);
	open_file();
	ck_assert(!sink_check(&conf, &faults));
	snprintf(missing, sizeof(missing), "%s/none/log", scratch);
	pool.logs.access = missing;
	ck_assert(sink_check(&conf, &faults));
	ck_assert_uint_eq(faults.n, 1);
	ck_assert_str_eq(faults.item[0].file, "c");
	ck_assert_int_eq(faults.item[0].line, 7);
	snprintf(expected, sizeof(expected), "pool www: logs.access: cannot "
	    "open %s: No such file or directory", missing);
	ck_assert_str_eq(faults.item[0].text, expected);
	conf_faults_free(&faults);
	free(pool.name);
	free(pool.file);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sink");
	TCase *tc = tcase_create("sink");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_file_is_made_and_appended_to);
	tcase_add_test(tc, no_target_takes_everything);
	tcase_add_test(tc, what_cannot_be_opened_says_why);
	tcase_add_test(tc, a_fifo_without_a_reader_is_refused);
	tcase_add_test(tc, a_position_is_a_workers_own);
	tcase_add_test(tc, a_worker_has_the_masters_file);
	tcase_add_test(tc, sinks_travel);
	tcase_add_test(tc, other_messages_travel_among_them);
	tcase_add_test(tc, error_log_is_a_workers_stderr);
	tcase_add_test(tc, a_line_without_room_is_made_blank);
	tcase_add_test(tc, a_cut_line_of_many_is_ended);
	tcase_add_test(tc, long_lines_are_whole_in_a_pipe);
	tcase_add_test(tc, a_lock_that_is_never_given_up_costs_little);
	tcase_add_test(tc, long_lines_are_whole_in_a_file);
	tcase_add_test(tc, syslog_takes_lines);
	tcase_add_test(tc, targets_are_tried_and_not_made);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}

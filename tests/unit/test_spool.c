/* Lines on their way into a file, whatever becomes of who writes them. */

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/spool.h"

#include "board_unit.h"

#define KILLS	30
#define FEW_KILLS 3
#define ENOUGH	10000 /* lines, of which a worker writes no more */
#define WRITERS 2
#define LONG	(2 * SCORE_STASH)

static char scratch[] = "/tmp/test_spool.XXXXXX";
static char file[64];
static struct sink master, sinks[WRITERS];
static struct sink_loan loans[WRITERS];
static struct score *scores[WRITERS];
static struct board *board;
static struct spool *pending; /* of the first */
static struct buf out;
static struct why why;

static void
set_up(void)
{
	strcpy(scratch + strlen(scratch) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	snprintf(file, sizeof(file), "%s/log", scratch);
	ck_assert_int_eq(sink_open(&master, file, &why), 0);
	board = board_unit_new(WRITERS, NULL);
	for (unsigned i = 0; i < WRITERS; i++)
		scores[i] = board_unit_born(board, i, 1);
	for (int i = 0; i < WRITERS; i++) {
		loans[i] = SINK_LOAN_NONE;
		sink_lend(&master, &sinks[i], &loans[i]);
	}
	ck_assert(sinks[0].own);
	pending = spool_of(scores[0]);
	ck_assert_ptr_nonnull(pending);
}

static void
tear_down(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", scratch);
	ck_assert_int_eq(system(command), 0);
	buf_free(&out);
	board_free(board);
	for (int i = 0; i < WRITERS; i++) {
		if (sinks[i].out.fd != loans[i].fd)
			sink_close(&sinks[i]);
		sink_return(&loans[i]);
	}
	sink_close(&master);
}

static void
add(const char *text)
{
	ck_assert(spool_fits(pending, strlen(text)));
	spool_add(pending, text, strlen(text));
}

static const char *
content(void)
{
	static struct buf text;
	int fd = open(file, O_RDONLY);
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	buf_clear(&text);
	ck_assert_ptr_nonnull(buf_reserve(&text, (size_t)st.st_size + 1));
	ck_assert_int_eq(read(fd, text.data, (size_t)st.st_size), st.st_size);
	text.data[st.st_size] = '\0';
	close(fd);
	return text.data;
}

static int
used(int i)
{
	return sink_loan_used(&loans[i]);
}

static const char *
salvaged(void)
{
	buf_clear(&out);
	spool_salvage(pending, used(0), &out);
	buf_putc(&out, '\0');
	return out.data;
}

/* ---- alive --------------------------------------------------------------- */

START_TEST(lines_go_together)
{
	ck_assert(!spool_any(pending));
	add("one\n");
	add("two\n");
	ck_assert(spool_any(pending));
	ck_assert_str_eq(content(), "");
	ck_assert_int_eq(spool_push(pending, &sinks[0]), 0);
	ck_assert_str_eq(content(), "one\ntwo\n");
	ck_assert(!spool_any(pending));
	ck_assert_int_eq(spool_push(pending, &sinks[0]), 0);
	add("three\n");
	ck_assert_int_eq(spool_push_one(pending, &sinks[0]), 0);
	ck_assert_str_eq(content(), "one\ntwo\nthree\n");
	ck_assert_str_eq(salvaged(), "");
}
END_TEST

START_TEST(room_ends_and_comes_again)
{
	char line[1001];
	int n = 0;

	memset(line, 'x', sizeof(line));
	line[1000] = '\n';
	for (int round = 0; round < 2; round++) {
		for (; spool_fits(pending, sizeof(line)); n++)
			spool_add(pending, line, sizeof(line));
		ck_assert_int_ge(n, 16 * (round + 1));
		ck_assert_int_eq(spool_push(pending, &sinks[0]), 0);
		ck_assert_uint_eq(strlen(content()), n * sizeof(line));
	}
}
END_TEST

START_TEST(a_long_line_passes)
{
	static char line[LONG];
	int64_t mark = spool_mark(pending);

	memset(line, 'x', sizeof(line));
	line[LONG - 1] = '\n';
	ck_assert(!spool_fits(pending, LONG));
	ck_assert_int_eq(spool_pass(pending, &sinks[0], line, LONG), 0);
	ck_assert_uint_eq(strlen(content()), LONG);
	ck_assert_int_ne(spool_mark(pending), mark);
	ck_assert(!spool_any(pending));
	add("short\n");
	ck_assert_str_eq(salvaged(), "short\n");
}
END_TEST

/* As on a full disk: what went is whole, the rest is still there. */
START_TEST(a_file_that_ends_takes_whole_lines)
{
	struct rlimit limit = { 10, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	add("one\n");
	add("two\n");
	add("three\n");
	ck_assert_int_eq(spool_push(pending, &sinks[0]), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_str_eq(content(), "one\ntwo\n \n");
	ck_assert(spool_any(pending));
	ck_assert_int_eq(spool_push_one(pending, &sinks[0]), -1);
	ck_assert(!spool_any(pending));
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	add("four\n");
	ck_assert_int_eq(spool_push(pending, &sinks[0]), 0);
	ck_assert_str_eq(content(), "one\ntwo\n \nfour\n");
}
END_TEST

/* ---- dead ---------------------------------------------------------------- */

START_TEST(what_a_killed_worker_had_is_salvaged)
{
	int64_t mark;

	add("one\n");
	mark = spool_mark(pending);
	ck_assert_int_eq(spool_salvage(pending, used(0), &out), mark);
	ck_assert_uint_eq(out.len, 4);
}
END_TEST

/* Nothing of ours has a control character in it but a tab, which a format may
 * have. */
START_TEST(only_sound_lines_are_salvaged)
{
	add("one\n");
	add("t\x1bwo\n");
	add("\n");
	add("\x7f\n");
	add("thr\xc3\xa4\n");
	add("fo\tur\n");
	ck_assert_str_eq(salvaged(), "one\nthr\xc3\xa4\nfo\tur\n");
}
END_TEST

/* A child that writes with n bytes of room in the file, and is killed by the
 * signal for want of more: just after a write that was cut. */
static void
die_within(size_t n, const char *line)
{
	const struct rlimit none = { 0, 0 }, limit = { n, n };
	pid_t pid = fork();
	int status;

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		signal(SIGXFSZ, SIG_DFL);
		setrlimit(RLIMIT_CORE, &none);
		setrlimit(RLIMIT_FSIZE, &limit);
		if (line != NULL)
			spool_pass(pending, &sinks[0], line, strlen(line));
		else
			spool_push(pending, &sinks[0]);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

static const struct {
	size_t room;
	const char *content, *rest;
} cuts[] = {
	{ 4, "old\n", "one\ntwo\nthree\n" },
	{ 6, "old\n \n", "one\ntwo\nthree\n" },
	{ 8, "old\none\n", "two\nthree\n" },
	{ 9, "old\none\n\n", "two\nthree\n" },
	{ 15, "old\none\ntwo\n  \n", "three\n" },
	{ 17, "old\none\ntwo\n    \n", "three\n" },
};

START_TEST(a_torn_line_is_made_blank)
{
	add("old\n");
	ck_assert_int_eq(spool_push(pending, &sinks[0]), 0);
	add("one\n");
	add("two\n");
	add("three\n");
	die_within(cuts[_i].room, NULL);
	ck_assert_str_eq(salvaged(), cuts[_i].rest);
	ck_assert_str_eq(content(), cuts[_i].content);
}
END_TEST

START_TEST(another_workers_line_is_not)
{
	add("one\n");
	add("two\n");
	die_within(6, NULL);
	ck_assert_int_eq(sink_write(&sinks[1], SINK_ACCESS, "other\n", 6), 0);
	ck_assert_str_eq(salvaged(), "two\n");
	ck_assert_str_eq(content(), "one\n \nother\n");
}
END_TEST

/* The same line over and over: what stood there before is not counted. */
START_TEST(equal_lines_are_told_apart)
{
	for (int i = 0; i < 3; i++)
		add("same\n");
	ck_assert_int_eq(spool_push(pending, &sinks[0]), 0);
	for (int i = 0; i < 3; i++)
		add("same\n");
	die_within(20, NULL);
	ck_assert_str_eq(salvaged(), "same\nsame\n");
	ck_assert_str_eq(content(), "same\nsame\nsame\nsame\n");
}
END_TEST

START_TEST(a_long_line_counts_once_it_is_begun)
{
	int64_t mark;

	add("old\n");
	ck_assert_int_eq(spool_push(pending, &sinks[0]), 0);
	mark = spool_mark(pending);
	die_within(4, "a long line\n");
	ck_assert_int_eq(spool_salvage(pending, used(0), &out), mark);
	die_within(9, "a long line\n");
	ck_assert_int_ne(spool_salvage(pending, used(0), &out), mark);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

/* Files are opened anew while it writes: it is killed before it has taken the
 * next, and nothing is written twice. */
START_TEST(a_rotated_file_is_looked_at)
{
	struct sink next[2], lent;
	char name[sizeof(file) + 12];

	add("old\n");
	ck_assert_int_eq(spool_push(pending, &sinks[0]), 0);
	add("one\n");
	add("two\n");
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s.%d", file, i);
		ck_assert_int_eq(sink_open(&next[i], name, &why), 0);
		sink_lend(&next[i], &lent, &loans[0]);
	}
	die_within(10, NULL);
	ck_assert_str_eq(salvaged(), "two\n");
	ck_assert_str_eq(content(), "old\none\n \n");

	/* The next has taken it. */
	add("three\n");
	ck_assert_int_eq(spool_push(pending, &lent), 0);
	ck_assert_int_eq(used(0), lent.out.fd);
	for (int i = 0; i < 2; i++)
		sink_close(&next[i]);
}
END_TEST

/* Where nothing tells what was written: rather twice than not at all. */
START_TEST(an_unknown_file_has_nothing)
{
	add("one\n");
	die_within(2, NULL);
	spool_salvage(pending, -1, &out);
	ck_assert_uint_eq(out.len, 4);
}
END_TEST

START_TEST(anything_may_stand_in_a_workers_memory)
{
	unsigned char *memory = score_stash(scores[0]);

	srandom(1);
	for (int i = 0; i < 2000; i++) {
		for (int at = 0; at < 32; at++)
			memory[at] = random() % 4 != 0 ||
			    (at % 8 > 2 && random() % 64 != 0) ? 0 :
			    (unsigned char)random();
		memset(memory + 32, random() % 2 ? '\n' : 'x',
		    SCORE_STASH - 32);
		buf_clear(&out);
		spool_salvage(pending, used(0), &out);
		ck_assert_uint_le(out.len, SCORE_STASH);
		ck_assert(out.len == 0 || out.data[out.len - 1] == '\n');
	}
}
END_TEST

/* ---- at any moment ------------------------------------------------------- */

/* Numbered lines, as many as it has time for; each is counted when it has been
 * added. */
_Noreturn static void
write_on(unsigned slot, volatile unsigned *added)
{
	struct spool *p = spool_of(scores[slot]);
	char line[128];
	int n;

	while (*added < ENOUGH) {
		n = snprintf(line, sizeof(line), "%u %u %0*u\n", slot,
		    *added + 1, (int)(*added % 50) + 1, *added);
		if (!spool_fits(p, (size_t)n) || *added % 97 == 0)
			spool_push(p, &sinks[slot]);
		spool_add(p, line, (size_t)n);
		++*added;
	}
	for (;;)
		pause();
}

/* Every line once and whole; killed between the two, one more than counted. */
static void
check_lines(const volatile unsigned *added)
{
	unsigned next[WRITERS] = { 0 }, slot, number;
	const char *p = content();

	for (; *p != '\0'; p = strchr(p, '\n') + 1) {
		if (p[strspn(p, " ")] == '\n')
			continue; /* what was torn */
		ck_assert_int_eq(sscanf(p, "%u %u ", &slot, &number), 2);
		ck_assert_uint_lt(slot, WRITERS);
		if (number == next[slot] && next[slot] == added[slot])
			continue;
		ck_assert_uint_eq(number, ++next[slot]);
	}
	for (slot = 0; slot < WRITERS; slot++)
		ck_assert(next[slot] == added[slot] ||
		    next[slot] == added[slot] + 1);
}

START_TEST(killed_at_any_moment)
{
	volatile unsigned *added = mmap(NULL, WRITERS * sizeof(*added),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const unsigned enough = 1000 + (unsigned)_i * 37;
	pid_t pids[WRITERS];

	for (unsigned i = 0; i < WRITERS; i++)
		if ((pids[i] = fork()) == 0)
			write_on(i, &added[i]);
	while (added[0] < enough || added[1] < enough)
		sched_yield();
	for (unsigned i = 0; i < WRITERS; i++)
		kill(pids[i], SIGKILL);
	for (unsigned i = 0; i < WRITERS; i++) {
		ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
		buf_clear(&out);
		spool_salvage(board_stash(board, i), used(i), &out);
		sink_write_lines(&master, out.data, out.len);
	}
	check_lines(added);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pending");
	TCase *tc = tcase_create("pending");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, lines_go_together);
	tcase_add_test(tc, room_ends_and_comes_again);
	tcase_add_test(tc, a_long_line_passes);
	tcase_add_test(tc, a_file_that_ends_takes_whole_lines);
	tcase_add_test(tc, what_a_killed_worker_had_is_salvaged);
	tcase_add_test(tc, only_sound_lines_are_salvaged);
	tcase_add_loop_test(tc, a_torn_line_is_made_blank, 0,
	    sizeof(cuts) / sizeof(cuts[0]));
	tcase_add_test(tc, another_workers_line_is_not);
	tcase_add_test(tc, equal_lines_are_told_apart);
	tcase_add_test(tc, a_rotated_file_is_looked_at);
	tcase_add_test(tc, a_long_line_counts_once_it_is_begun);
	tcase_add_test(tc, an_unknown_file_has_nothing);
	tcase_add_test(tc, anything_may_stand_in_a_workers_memory);
	tcase_add_loop_test(tc, killed_at_any_moment, 0,
	    unit_is_slow() ? FEW_KILLS : KILLS);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}

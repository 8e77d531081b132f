#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sealed.h"
#include "ipc/output_tag.h"
#include "ipc/score_page.h"

#include "board_unit.h"

/* What a board counts, over deaths, generations and images; and what it makes
 * of a worker that lies. */

#define BYTES_IN  3
#define BYTES_OUT 7

static struct board *board;

static void
teardown(void)
{
	board_free(board);
	board = NULL;
}

static struct score_sum
sum(struct board *b)
{
	struct score_sum now;

	board_sum(b, &now);
	return now;
}

static uint64_t
over(const struct score_sum *s)
{
	uint64_t n = 0;

	for (unsigned i = SCORE_SERVED; i < SCORE_COUNTERS; i++)
		n += s->n[i];
	return n;
}

static void
begin(struct score *s)
{
	board_unit_busy(s, NULL, NULL);
}

static void
finish(struct score *s, int status, int64_t took)
{
	const struct score_outcome outcome = { .status = status, .took = took,
		.bytes_in = BYTES_IN, .bytes_out = BYTES_OUT };

	score_served(s, &outcome);
	score_idle(s);
}

static void
serve(struct score *s)
{
	begin(s);
	finish(s, 200, 50);
}

static struct score *
live(struct board *b, unsigned slot)
{
	struct score *s = board_unit_born(b, slot, 4711);

	score_idle(s);
	return s;
}

START_TEST(what_is_over_is_in_its_class_and_bucket)
{
	static const struct {
		int status;
		int64_t took;
		unsigned class, bucket;
	} cases[] = { { 0, 0, 0, 0 }, { 100, 100, 1, 0 }, { 200, 101, 2, 1 },
		{ 302, 250, 3, 1 }, { 404, 1000, 4, 3 }, { 503, 1001, 5, 4 },
		{ 999, 10000000, 5, 15 }, { 299, 10000001, 2, 16 },
		{ 200, -5, 2, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_uint_eq(
		    score_served_as(cases[i].status, cases[i].took),
		    SCORE_SERVED + cases[i].class * SCORE_BUCKETS +
		    cases[i].bucket);
	for (unsigned i = 1; i < SCORE_BUCKETS - 1; i++)
		ck_assert_int_gt(score_bucket_us(i), score_bucket_us(i - 1));
	ck_assert_int_eq(score_bucket_us(SCORE_BUCKETS - 1), -1);
}
END_TEST

START_TEST(sums_are_of_the_living_and_the_dead)
{
	const struct score_outcome bad = { .status = 500, .took = 30,
		.failed = true, .late = true };
	struct score *first, *third;
	struct score_sum now;

	board = board_unit_new(3, NULL);
	first = live(board, 0);
	third = live(board, 2);
	serve(first);
	serve(third);
	begin(third);
	score_served(third, &bad);
	score_more(third, SCORE_SLOW);
	score_more(third, SCORE_ABANDONED);
	begin(first);
	score_gauge(first, GAUGE_HEAP, 1000);
	score_gauge(third, GAUGE_HEAP, 500);
	now = sum(board);
	ck_assert_uint_eq(now.n[SCORE_BEGUN], 4);
	ck_assert_uint_eq(over(&now), 3);
	ck_assert_uint_eq(now.n[score_served_as(500, 30)], 1);
	ck_assert_int_eq(now.gauge[GAUGE_HEAP], 1500);
	ck_assert_uint_eq(now.workers.busy, 2);
	ck_assert(board_dead(board, 0));
	ck_assert(board_dead(board, 2));
	now = sum(board);
	ck_assert_uint_eq(now.n[SCORE_BEGUN], 4);
	ck_assert_uint_eq(over(&now), 3);
	ck_assert_uint_eq(now.n[SCORE_KILLED], 1);
	ck_assert_uint_eq(now.n[SCORE_ERRORS], 1);
	ck_assert_uint_eq(now.n[SCORE_TIMEOUTS], 1);
	ck_assert_uint_eq(now.n[SCORE_SLOW], 1);
	ck_assert_uint_eq(now.n[SCORE_ABANDONED], 1);
	ck_assert_uint_eq(now.n[SCORE_BYTES_IN], 2 * BYTES_IN);
	ck_assert_uint_eq(now.n[SCORE_BYTES_OUT], 2 * BYTES_OUT);
	ck_assert_uint_eq(now.n[SCORE_LATENCY], 130);
	ck_assert_int_eq(now.gauge[GAUGE_HEAP], 0);
	ck_assert_int_eq(board_fact(board, FACT_PEAK), 1000);
	board_dead(board, 2); /* once more: nothing is counted twice */
	ck_assert_uint_eq(sum(board).n[SCORE_BEGUN], 4);
}
END_TEST

/* ---- generations ---------------------------------------------------------- */

START_TEST(generations_share_what_was_counted)
{
	struct score_slot seen;
	struct board *next;
	struct score *old, *young;
	unsigned at = 0, found = 0;

	board = board_unit_new(2, NULL);
	old = live(board, 0);
	serve(old);
	next = board_unit_new(70, board);
	young = live(next, 69);
	serve(young);
	serve(old); /* late, by one who is leaving */
	ck_assert_uint_eq(sum(board).n[SCORE_BEGUN], 3);
	ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 3);
	ck_assert_uint_eq(sum(next).workers.idle, 2);
	while (board_next(next, &at, &seen)) {
		ck_assert_int_eq(seen.pid, 4711);
		ck_assert_uint_eq(seen.number, found == 0 ? 0 : 2 + 69);
		found++;
	}
	ck_assert_uint_eq(found, 2);
	ck_assert(!board_read(board, 2, &seen)); /* not its own */
	board_dead(board, 0);
	board_free(board);
	board = next;
	ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 3);
	ck_assert_uint_eq(sum(next).workers.idle, 1);
}
END_TEST

/* It is listed and counted, but no worker. */
START_TEST(one_aside)
{
	struct score_slot seen;
	struct board *aside;
	struct score *worker, *other;
	unsigned at = 0, found = 0;

	board = board_unit_new(2, NULL);
	worker = live(board, 0);
	serve(worker);
	aside = board_unit_new(1, board);
	board_set_aside(aside);
	other = live(aside, 0);
	score_gauge(other, GAUGE_HEAP, 5000);
	score_interval(other, "cleanup");
	ck_assert_uint_eq(sum(board).workers.idle, 1);
	ck_assert_uint_eq(sum(board).workers.busy, 0);
	ck_assert_int_ge(sum(board).gauge[GAUGE_HEAP], 5000);
	while (board_next(board, &at, &seen))
		found++;
	ck_assert_uint_eq(found, 2);
	ck_assert_int_eq(seen.state, SCORE_INTERVAL);
	ck_assert_str_eq(seen.uri, "cleanup");
	score_idle(other);
	ck_assert_int_eq(board_unit_look(aside, 0).state, SCORE_IDLE);
	board_free(aside);
}
END_TEST

START_TEST(flags_are_of_a_generation)
{
	struct board *next;
	struct score *old, *young;

	board = board_unit_new(2, NULL);
	next = board_unit_new(2, board);
	old = live(board, 0);
	young = live(next, 0);
	board_set_last(board, true);
	ck_assert(score_last(old));
	ck_assert(!score_last(young));
	ck_assert(board_ask(next, 1));
	ck_assert(!board_unit_busy(old, NULL, NULL));
	ck_assert(board_unit_busy(young, NULL, NULL));
	board_free(next);
}
END_TEST

/* Numbers are used again, or they would grow with every reload. */
START_TEST(places_are_given_back)
{
	struct score_slot seen;
	struct board *next;
	unsigned at;

	board = board_unit_new(100, NULL);
	serve(live(board, 5));
	for (int i = 0; i < 1000; i++) {
		next = board_unit_new(100 + (unsigned)i % 50, board);
		ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 1);
		live(next, 0);
		at = 6;
		ck_assert(board_next(next, &at, &seen));
		ck_assert_uint_eq(seen.number, 100);
		board_dead(next, 0);
		board_free(next);
	}
}
END_TEST

static int64_t
looked(enum board_fact fact)
{
	struct score_counts counts;

	board_look(board, &counts);
	return board_fact(board, fact);
}

START_TEST(the_most_that_were_active)
{
	struct score *s[4];

	board = board_unit_new(5, NULL);
	board_set_limit(board, 3);
	for (unsigned i = 0; i < 4; i++)
		s[i] = live(board, i);
	begin(s[0]);
	begin(s[1]);
	ck_assert_int_eq(looked(FACT_MAX_ACTIVE), 2);
	ck_assert_int_eq(looked(FACT_MAX_CHILDREN), 0);
	begin(s[2]);
	begin(s[3]); /* a successor: no other event */
	ck_assert_int_eq(looked(FACT_MAX_ACTIVE), 4);
	ck_assert_int_eq(looked(FACT_MAX_CHILDREN), 1);
	finish(s[3], 200, 1);
	finish(s[2], 200, 1);
	ck_assert_int_eq(looked(FACT_MAX_CHILDREN), 1);
	begin(s[2]);
	ck_assert_int_eq(looked(FACT_MAX_CHILDREN), 2);
	ck_assert_int_eq(looked(FACT_MAX_ACTIVE), 4);
}
END_TEST

START_TEST(the_first_cause_counts_once_it_is_replaced)
{
	struct score *s;

	board = board_unit_new(1, NULL);
	s = live(board, 0);
	board_recycled(board, 0); /* nobody asked */
	score_because(s, CAUSE_MEMORY);
	score_because(s, CAUSE_AGE);
	ck_assert_int_eq(board_fact(board, FACT_RECYCLED + CAUSE_MEMORY), 0);
	board_recycled(board, 0);
	board_dead(board, 0);
	live(board, 0);
	board_recycled(board, 0);
	for (unsigned i = 0; i < SCORE_CAUSES; i++)
		ck_assert_int_eq(board_fact(board, FACT_RECYCLED + i),
		    i == CAUSE_MEMORY);
}
END_TEST

START_TEST(lost_lines_are_told_of_once_for_all)
{
	struct score *a, *b;
	int error;

	board = board_unit_new(2, NULL);
	a = live(board, 0);
	b = live(board, 1);
	ck_assert(!board_loses(board, 0, &error));
	ck_assert(!score_log_works(a, 0));
	ck_assert(score_lose_line(a, 0, ENOSPC));
	ck_assert(board_loses(board, 0, &error));
	ck_assert_int_eq(error, ENOSPC);
	ck_assert(!score_lose_line(b, 0, EAGAIN));
	ck_assert(!board_loses(board, 0, &error));
	board_lose_line(board, 0, EIO);
	board_dead(board, 0);
	ck_assert(score_log_works(b, 0));
	ck_assert(!score_log_works(b, 1));
	ck_assert(board_is_lossy(board, 0));
	ck_assert_uint_eq(board_forget_lost(board, 0), 3);
	ck_assert(!board_is_lossy(board, 0));
	ck_assert(!score_log_works(b, 0));
	ck_assert(score_lose_line(b, 0, EAGAIN));
	ck_assert(board_loses(board, 0, &error));
	ck_assert_uint_eq(board_forget_lost(board, 0), 1);
}
END_TEST

static struct score_page *
page_of(unsigned slot, struct score **s)
{
	struct score_memory *memory;

	*s = live(board, slot);
	memory = (void *)((char *)score_stash(*s) -
	    offsetof(struct score_memory, stash));
	return &memory->page;
}

/* ---- from one image to the next ------------------------------------------ */

/* Of the image before: its memory is of no account, its descriptors are those
 * of the next. */
static struct board *gone[2];

static struct board *
pass_on(struct board *from, size_t n)
{
	struct buf text = { 0 };
	struct record record;
	struct board *taken;

	board_hand_over(from, &text);
	ck_assert(!text.failed);
	record = (struct record){ .value = text.data, .len = text.len };
	taken = board_take_over(&record);
	ck_assert_ptr_nonnull(taken);
	gone[n] = from;
	buf_free(&text);
	return taken;
}

START_TEST(another_image_takes_it_over)
{
	struct board *next;
	struct score *old, *young;

	board = board_unit_new(3, NULL);
	old = live(board, 0);
	serve(old);
	next = board_unit_new(4, board);
	young = live(next, 1);
	serve(young);
	board_leaving(board, 0);
	board_add_fact(board, FACT_CRASHES);
	board = pass_on(board, 0);
	next = pass_on(next, 1); /* they share what was counted */
	board_all_taken_over();
	ck_assert_uint_eq(board_slots(next), 4);
	serve(young);
	serve(old);
	ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 4);
	ck_assert_uint_eq(sum(board).workers.leaving, 1);
	ck_assert_uint_eq(sum(board).workers.idle, 1);
	board_dead(next, 1);
	board_dead(board, 0);
	ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 4);
	ck_assert_int_eq(board_fact(next, FACT_CRASHES), 1);
	young = live(next, 1);
	board_set_last(next, true);
	ck_assert(score_last(young));
	ck_assert(!score_last(old));
	board_free(next);
}
END_TEST

START_TEST(another_image_does_not_tell_of_lost_lines_again)
{
	struct score *a;
	int error;

	board = board_unit_new(2, NULL);
	a = live(board, 0);
	ck_assert(score_lose_line(a, 0, ENOSPC));
	ck_assert(board_loses(board, 0, &error));
	ck_assert_uint_eq(board_forget_lost(board, 0), 1);
	ck_assert(score_lose_line(a, 0, ENOSPC));
	board_lose_line(board, 0, ENOSPC);
	board = pass_on(board, 0);
	board_all_taken_over();
	ck_assert(board_loses(board, 0, &error));
	ck_assert_uint_eq(board_forget_lost(board, 0), 2);
}
END_TEST

/* Of workers whose slot is laid out otherwise what they had counted before is
 * known, and that they are there. */
START_TEST(another_build_takes_over_what_it_can)
{
	struct score_page *page;
	struct score_slot seen;
	struct score *s;
	unsigned at = 0;

	board = board_unit_new(2, NULL);
	page = page_of(0, &s);
	serve(s);
	sum(board);
	SET(page->version, SCORE_VERSION + 1);
	board = pass_on(board, 0);
	board_all_taken_over();
	ck_assert_uint_eq(sum(board).n[SCORE_BEGUN], 1);
	ck_assert(!board_read(board, 0, &seen));
	ck_assert(board_next(board, &at, &seen));
	ck_assert_int_eq(seen.pid, 4711);
	ck_assert_int_eq(seen.state, SCORE_LEAVING);
	board_leaving(board, 0);
	ck_assert(score_is_leaving(s));
	board_dead(board, 0);
	ck_assert_uint_eq(sum(board).n[SCORE_BEGUN], 1);
}
END_TEST

/* Such as an upgrade leaves it. */
static int
left_open(size_t size)
{
	int fd = sealed_room("left", size);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(fd_cloexec(fd, false), 0);
	return fd;
}

static void
put_place(struct buf *out, int fd)
{
	struct buf record = { 0 };

	record_put_number(&record, "number", 0);
	record_put_number(&record, "fd", fd);
	record_put(out, "place", record.data, record.len);
	buf_free(&record);
}

/* What has two names has one owner, and what is not taken is not touched. */
START_TEST(a_descriptor_is_taken_once)
{
	int head = left_open(score_head_size(1)), other = left_open(1);
	struct buf text = { 0 };
	struct record record;

	record_put_number(&text, "slots", 1);
	record_put_number(&text, "head", head);
	record_put_number(&text, "head_read", other);
	put_place(&text, STDERR_FILENO);
	put_place(&text, head);
	record = (struct record){ .value = text.data, .len = text.len };
	board = board_take_over(&record);
	ck_assert_ptr_nonnull(board);
	ck_assert_ptr_null(board_take_over(&record));
	ck_assert_int_eq(fcntl(head, F_GETFD), FD_CLOEXEC);
	board_dead(board, 0);
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFD), 0);
	ck_assert_int_eq(fcntl(head, F_GETFD), FD_CLOEXEC);
	board_all_taken_over();
	buf_free(&text);
}
END_TEST

/* Memory that somebody could make smaller while it is mapped. */
START_TEST(memory_that_can_shrink_is_not_taken)
{
	int head = memfd_create("left", 0), slot = memfd_create("left", 0);
	struct buf text = { 0 };
	struct record record;

	ck_assert_int_eq(ftruncate(head, (off_t)score_head_size(1)), 0);
	ck_assert_int_eq(ftruncate(slot, sizeof(struct score_memory)), 0);
	record_put_number(&text, "slots", 1);
	record_put_number(&text, "head", head);
	record_put_number(&text, "head_read", left_open(1));
	record = (struct record){ .value = text.data, .len = text.len };
	ck_assert_ptr_null(board_take_over(&record));
	ck_assert_int_eq(errno, EPROTO);
	buf_clear(&text);
	record_put_number(&text, "slots", 1);
	record_put_number(&text, "head", left_open(score_head_size(1)));
	record_put_number(&text, "head_read", left_open(1));
	put_place(&text, slot);
	record = (struct record){ .value = text.data, .len = text.len };
	board = board_take_over(&record);
	ck_assert_ptr_nonnull(board);
	ck_assert_int_eq(ftruncate(slot, 0), 0);
	sum(board); /* or this would be its end */
	board_all_taken_over();
	buf_free(&text);
}
END_TEST

START_TEST(what_cannot_be_taken_over_is_refused)
{
	static const char *const cases[] = { "", "slots 1\n2\n",
		"slots 1\n0\n", "slots 2\n-5\n", "slots 9\n999999999\n",
		"slots 1\n2\nhead 1\n0\n", "head 1\n0\n" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct record record = { .value = cases[i],
			.len = strlen(cases[i]) };

		ck_assert_ptr_null(board_take_over(&record));
	}
	board_all_taken_over();
}
END_TEST

/* ---- lies ------------------------------------------------------------------ */

START_TEST(counts_that_cannot_be_true_are_not_taken)
{
	static const struct {
		unsigned counter;
		uint64_t value;
	} cases[] = { { SCORE_BEGUN, UINT64_MAX }, { SCORE_BEGUN, 0 },
		{ SCORE_KILLED, 1 }, { SCORE_ERRORS, 5 },
		{ SCORE_TIMEOUTS, 5 }, { SCORE_SLOW, 5 },
		{ SCORE_ABANDONED, UINT64_MAX / 2 },
		{ SCORE_BYTES_IN, UINT64_MAX }, { SCORE_BYTES_OUT, 1 },
		{ SCORE_LATENCY, UINT64_MAX / 3 },
		{ SCORE_SERVED, 1 }, { SCORE_SERVED + 40, UINT64_MAX },
		{ SCORE_COUNTERS - 1, 1 } };
	struct score_sum before, now;
	struct score_page *page;
	struct score *s;

	board = board_unit_new(1, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		page = page_of(0, &s);
		serve(s);
		serve(s);
		before = sum(board);
		SET(page->n[cases[i].counter], cases[i].value);
		now = sum(board);
		ck_assert_msg(memcmp(before.n, now.n, sizeof(now.n)) == 0,
		    "case %zu", i);
		ck_assert_uint_eq(board_unit_look(board, 0).requests, 2);
		ck_assert(!board_dead(board, 0));
		now = sum(board);
		ck_assert_msg(memcmp(before.n, now.n, sizeof(now.n)) == 0,
		    "case %zu, dead", i);
	}
}
END_TEST

static void
check_sane(const struct score_slot *seen)
{
	int64_t now = clock_us();

	ck_assert_int_ge(seen->state, SCORE_STARTING);
	ck_assert_int_le(seen->state, SCORE_LEAVING);
	ck_assert_int_eq(seen->pid, 4711);
	ck_assert_int_ge(seen->since, seen->born);
	ck_assert_int_le(seen->since, now / 1000);
	ck_assert_int_ge(seen->begun, 0);
	ck_assert_int_le(seen->begun, now);
	ck_assert_int_ge(seen->took, 0);
	ck_assert_int_ge(seen->length, -1);
	ck_assert_int_ge(seen->status, 0);
	ck_assert_int_le(seen->status, 999);
	ck_assert_uint_le(seen->done, seen->requests);
	for (unsigned i = 0; i < SCORE_GAUGES; i++)
		ck_assert_int_ge(seen->gauge[i], i == GAUGE_CPU ? -1 : 0);
	ck_assert_uint_lt(strlen(seen->uri), sizeof(seen->uri));
	ck_assert_uint_lt(strlen(seen->method), sizeof(seen->method));
	ck_assert(*seen->id == '\0' || output_tag_is_id(seen->id, strlen(seen->id)));
}

/* Whatever stands in the memory of one worker, what is read of it can be, and
 * what is read of its neighbour is what that says. */
START_TEST(any_bytes_are_read_as_something_that_can_be)
{
	struct score_sum now, before = { 0 };
	struct score_counts counts;
	struct score_slot seen;
	struct score *bad, *good;
	unsigned char *bytes;
	int error;

	srandom(1);
	board = board_unit_new(2, NULL);
	good = live(board, 1);
	for (int i = 0; i < (unit_is_slow() ? 20 : 2000); i++) {
		bytes = (unsigned char *)page_of(0, &bad);
		for (size_t at = 0; at < sizeof(struct score_memory); at++)
			if (i % 4 == 0)
				bytes[at] = (unsigned char)random();
			else
				bytes[at] = i % 4 == 1 ? 0xff : i % 4 == 2 ?
				    0 : (unsigned char)(random() % 3 - 1);
		serve(good);
		if (board_read_last(board, 0, &seen))
			check_sane(&seen);
		if (board_read(board, 0, &seen))
			check_sane(&seen);
		board_look(board, &counts);
		ck_assert_uint_eq(counts.idle + counts.busy +
		    counts.starting, 2);
		board_ask(board, 1);
		board_loses(board, 0, &error);
		board_forget_lost(board, 0);
		board_recycled(board, 0);
		now = sum(board);
		for (unsigned n = 0; n < SCORE_COUNTERS; n++)
			ck_assert_uint_ge(now.n[n], before.n[n]);
		ck_assert_uint_le(over(&now), now.n[SCORE_BEGUN]);
		before = now;
		ck_assert(board_read(board, 1, &seen));
		ck_assert_int_eq(seen.state, SCORE_IDLE);
		ck_assert_uint_eq(seen.requests, (unsigned)i + 1);
		board_dead(board, 0);
	}
	ck_assert_uint_ge(now.n[SCORE_BYTES_IN], BYTES_IN);
}
END_TEST

/* ---- kill -9 at any instruction ------------------------------------------ */

enum { WRITERS = 3, KILLS = 300, FEW_KILLS = 10 /* under valgrind */ };

static pid_t writers[WRITERS];
static struct score *scores[WRITERS];

static _Noreturn void
serve_for_ever(unsigned slot)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	score_idle(scores[slot]);
	for (int64_t i = 0;; i++) {
		begin(scores[slot]);
		finish(scores[slot], (int)(i % 6) * 100, 0);
	}
}

static void
start_writer(unsigned slot)
{
	scores[slot] = board_unit_born(board, slot, 1);
	ck_assert_int_ne(writers[slot] = fork(), -1);
	if (writers[slot] == 0)
		serve_for_ever(slot);
}

static void
kill_writer(unsigned slot)
{
	ck_assert_int_eq(kill(writers[slot], SIGKILL), 0);
	ck_assert_int_eq(waitpid(writers[slot], NULL, 0), writers[slot]);
	ck_assert(board_dead(board, slot));
}

/* No number ever falls; what is in hand is no more than there are workers. */
static void
check_grown(struct score_sum *before)
{
	struct score_sum now = sum(board);
	uint64_t n = over(&now) + now.n[SCORE_KILLED];

	for (unsigned i = 0; i < SCORE_COUNTERS; i++)
		ck_assert_uint_ge(now.n[i], before->n[i]);
	ck_assert_uint_ge(now.n[SCORE_BEGUN], over(before));
	ck_assert_uint_ge(now.n[SCORE_BEGUN] + 1, n);
	*before = now;
}

START_TEST(no_kill_makes_a_count_drift)
{
	struct score_sum now = { 0 };
	unsigned kills = unit_is_slow() ? FEW_KILLS : KILLS;
	unsigned i, slot;

	board = board_unit_new(WRITERS, NULL);
	for (slot = 0; slot < WRITERS; slot++)
		start_writer(slot);
	for (i = 0; i < kills; i++) {
		slot = (unsigned)rand() % WRITERS;
		for (int j = 0; j < 20; j++)
			check_grown(&now);
		kill_writer(slot);
		start_writer(slot);
	}
	for (slot = 0; slot < WRITERS; slot++)
		kill_writer(slot);
	now = sum(board);
	ck_assert_uint_gt(over(&now), kills);
	ck_assert_uint_le(now.n[SCORE_KILLED], kills + WRITERS);
	/* All that was begun is over or was killed, and nothing else. */
	ck_assert_uint_eq(now.n[SCORE_BEGUN], over(&now) +
	    now.n[SCORE_KILLED]);
	ck_assert_uint_ge(now.n[SCORE_BYTES_OUT], BYTES_OUT * over(&now));
	ck_assert_uint_le(now.n[SCORE_BYTES_OUT],
	    BYTES_OUT * now.n[SCORE_BEGUN]);
	ck_assert_uint_ge(now.n[SCORE_BYTES_IN], BYTES_IN * over(&now));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("board");
	TCase *t = tcase_create("board");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, what_is_over_is_in_its_class_and_bucket);
	tcase_add_test(t, sums_are_of_the_living_and_the_dead);
	tcase_add_test(t, generations_share_what_was_counted);
	tcase_add_test(t, one_aside);
	tcase_add_test(t, flags_are_of_a_generation);
	tcase_add_test(t, places_are_given_back);
	tcase_add_test(t, the_most_that_were_active);
	tcase_add_test(t, the_first_cause_counts_once_it_is_replaced);
	tcase_add_test(t, lost_lines_are_told_of_once_for_all);
	tcase_add_test(t, another_image_takes_it_over);
	tcase_add_test(t, another_image_does_not_tell_of_lost_lines_again);
	tcase_add_test(t, another_build_takes_over_what_it_can);
	tcase_add_test(t, a_descriptor_is_taken_once);
	tcase_add_test(t, memory_that_can_shrink_is_not_taken);
	tcase_add_test(t, what_cannot_be_taken_over_is_refused);
	tcase_add_test(t, counts_that_cannot_be_true_are_not_taken);
	tcase_add_test(t, any_bytes_are_read_as_something_that_can_be);
	tcase_add_test(t, no_kill_makes_a_count_drift);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

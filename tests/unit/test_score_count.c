#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "share/score.h"

#include "unit.h"

/* What a scoreboard counts, over deaths, generations and images. */

#define BYTES_IN  3
#define BYTES_OUT 7

static struct score *score;

static struct score *
make(unsigned n, const struct score *before)
{
	struct score *made = score_new(n, before);

	ck_assert_ptr_nonnull(made);
	return made;
}

static void
teardown(void)
{
	score_free(score);
}

static struct score_sum
sum(const struct score *s)
{
	struct score_sum now;

	score_sum(s, &now);
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
begin(struct score *s, unsigned slot)
{
	const struct score_request request = { .begun = clock_us(),
		.length = -1 };

	score_busy(s, slot, &request);
}

static void
finish(struct score *s, unsigned slot, int status, int64_t took)
{
	const struct score_outcome outcome = { .status = status, .took = took,
		.bytes_in = BYTES_IN, .bytes_out = BYTES_OUT };

	score_served(s, slot, &outcome);
	score_idle(s, slot);
}

static void
serve(struct score *s, unsigned slot)
{
	begin(s, slot);
	finish(s, slot, 200, 50);
}

static void
live(struct score *s, unsigned slot)
{
	score_born(s, slot, 0);
	score_born(s, slot, 4711);
	score_idle(s, slot);
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
	struct score_sum now;

	score = make(3, NULL);
	live(score, 0);
	live(score, 2);
	serve(score, 0);
	serve(score, 2);
	begin(score, 2);
	score_served(score, 2, &bad);
	score_more(score, 2, SCORE_SLOW);
	score_more(score, 2, SCORE_ABANDONED);
	begin(score, 0);
	score_gauge(score, 0, GAUGE_HEAP, 1000);
	score_gauge(score, 2, GAUGE_HEAP, 500);
	now = sum(score);
	ck_assert_uint_eq(now.n[SCORE_BEGUN], 4);
	ck_assert_uint_eq(over(&now), 3);
	ck_assert_uint_eq(now.n[score_served_as(500, 30)], 1);
	ck_assert_int_eq(now.gauge[GAUGE_HEAP], 1500);
	ck_assert_uint_eq(now.workers.busy, 2);
	score_dead(score, 0);
	score_dead(score, 2);
	now = sum(score);
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
	ck_assert_int_eq(score_fact(score, FACT_PEAK), 1000);
	score_dead(score, 2); /* once more: nothing is counted twice */
	ck_assert_uint_eq(sum(score).n[SCORE_BEGUN], 4);
}
END_TEST

/* ---- generations ---------------------------------------------------------- */

START_TEST(generations_share_what_was_counted)
{
	struct score_slot seen;
	struct score *next;
	unsigned at = 0, found = 0;

	score = make(2, NULL);
	live(score, 0);
	serve(score, 0);
	next = make(70, score);
	ck_assert_uint_ne(score_index(next), score_index(score));
	live(next, 69);
	serve(next, 69);
	serve(score, 0); /* late, by one who is leaving */
	ck_assert_uint_eq(sum(score).n[SCORE_BEGUN], 3);
	ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 3);
	ck_assert_uint_eq(sum(next).workers.idle, 2);
	while (score_next(next, &at, &seen)) {
		ck_assert_int_eq(seen.pid, 4711);
		found++;
	}
	ck_assert_uint_eq(found, 2);
	ck_assert(!score_read(score, 2, &seen)); /* not its own */
	score_dead(score, 0);
	score_retire(score);
	score_free(score);
	score = next;
	ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 3);
	ck_assert_uint_eq(sum(next).workers.idle, 1);
}
END_TEST

START_TEST(flags_are_of_a_generation)
{
	struct score *next;

	score = make(2, NULL);
	next = make(2, score);
	score_set_last(score, true);
	ck_assert(!score_last(next));
	live(score, 0);
	live(next, 0);
	score_wake_below(next, 1);
	begin(score, 0);
	ck_assert_uint_eq(sum(next).workers.idle, 1);
	score_free(next);
}
END_TEST

START_TEST(places_are_given_back)
{
	struct score *next;

	score = make(100, NULL);
	live(score, 5);
	serve(score, 5);
	for (int i = 0; i < 1000; i++) {
		next = make(100 + (unsigned)i % 50, score);
		ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 1);
		score_retire(next);
		score_free(next);
	}
}
END_TEST

/* As many generations as may be, and one more; and one that is too large. */
START_TEST(without_room_the_counts_begin_anew)
{
	struct score *more[20];
	unsigned n = 0;

	score = make(1, NULL);
	live(score, 0);
	serve(score, 0);
	do
		more[n] = make(1, score);
	while (sum(more[n++]).n[SCORE_BEGUN] == 1 && n < 20);
	ck_assert_uint_eq(n, 16);
	while (n > 0)
		score_free(more[--n]);
	more[0] = make(20000, score);
	ck_assert_uint_eq(sum(more[0]).n[SCORE_BEGUN], 0);
	live(more[0], 19999);
	score_free(more[0]);
}
END_TEST

START_TEST(the_most_that_were_active)
{
	score = make(5, NULL);
	score_set_limit(score, 3);
	for (unsigned i = 0; i < 4; i++)
		live(score, i);
	begin(score, 0);
	begin(score, 1);
	ck_assert_int_eq(score_fact(score, FACT_MAX_ACTIVE), 2);
	ck_assert_int_eq(score_fact(score, FACT_MAX_CHILDREN), 0);
	begin(score, 2);
	begin(score, 3); /* a successor: no other event */
	ck_assert_int_eq(score_fact(score, FACT_MAX_ACTIVE), 4);
	ck_assert_int_eq(score_fact(score, FACT_MAX_CHILDREN), 1);
	finish(score, 3, 200, 1);
	finish(score, 2, 200, 1);
	begin(score, 2);
	ck_assert_int_eq(score_fact(score, FACT_MAX_CHILDREN), 2);
	ck_assert_int_eq(score_fact(score, FACT_MAX_ACTIVE), 4);
}
END_TEST

START_TEST(the_first_cause_counts_once_it_is_replaced)
{
	score = make(1, NULL);
	live(score, 0);
	score_recycled(score, 0); /* nobody asked */
	score_because(score, 0, CAUSE_MEMORY);
	score_because(score, 0, CAUSE_AGE);
	ck_assert_int_eq(score_fact(score, FACT_RECYCLED + CAUSE_MEMORY), 0);
	score_recycled(score, 0);
	score_dead(score, 0);
	live(score, 0);
	score_recycled(score, 0);
	for (unsigned i = 0; i < SCORE_CAUSES; i++)
		ck_assert_int_eq(score_fact(score, FACT_RECYCLED + i),
		    i == CAUSE_MEMORY);
}
END_TEST

/* ---- from one image to the next ------------------------------------------ */

START_TEST(another_image_adopts_it)
{
	struct score *mine, *next;
	unsigned index;

	score = make(3, NULL);
	next = make(4, score);
	live(next, 1);
	serve(next, 1);
	index = score_index(next);
	ck_assert_ptr_null(score_adopt(score_fd(next), index, 5));
	ck_assert_int_eq(errno, EPROTO);
	ck_assert_ptr_null(score_adopt(score_fd(next), 9, 4));
	ck_assert_ptr_null(score_adopt(score_fd(next), 99, 4));
	ck_assert_int_eq(errno, EPROTO);
	mine = score_adopt(dup(score_fd(next)), index, 4);
	ck_assert_ptr_nonnull(mine);
	ck_assert_uint_eq(score_slots(mine), 4);
	serve(mine, 1);
	ck_assert_uint_eq(sum(score).n[SCORE_BEGUN], 2);
	score_set_last(mine, true);
	ck_assert(score_last(next));
	ck_assert(!score_last(score));
	score_free(mine);
	score_free(next);
}
END_TEST

START_TEST(another_version_is_told_what_it_must_know)
{
	struct score_counts counts;
	struct score_slot seen;
	struct score *mine, *next;
	uint32_t *version;
	unsigned at = 0;

	score = make(3, NULL);
	live(score, 0);
	version = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
	    score_fd(score), 0);
	ck_assert_ptr_ne(version, MAP_FAILED);
	*version += 1;
	ck_assert_ptr_null(score_adopt(score_fd(score), 0, 3));
	ck_assert_int_eq(errno, EPROTO);
	mine = score_adopt_foreign(dup(score_fd(score)), 0);
	ck_assert_ptr_nonnull(mine);
	score_set_last(mine, true);
	score_set_replaced(mine, true);
	score_wake_below(mine, 5);
	ck_assert(score_last(score));
	begin(score, 0);
	/* What a pool does with its own is no harm */
	score_leaving(mine, 0);
	score_dead(mine, 0);
	score_recycled(mine, 0);
	score_set_fact(mine, FACT_FAILURES, 3);
	score_add_fact(mine, FACT_CRASHES);
	score_set_limit(mine, 3);
	score_count(mine, &counts);
	ck_assert_uint_eq(counts.busy + counts.idle, 0);
	ck_assert(!score_read(mine, 0, &seen));
	ck_assert(!score_next(mine, &at, &seen));
	ck_assert_uint_eq(sum(mine).n[SCORE_BEGUN], 0);
	ck_assert_uint_eq(sum(score).workers.busy, 1);
	next = make(3, mine); /* on a board of its own */
	ck_assert_uint_eq(sum(next).n[SCORE_BEGUN], 0);
	score_free(next);
	score_free(mine);
	munmap(version, 4096);
}
END_TEST

/* ---- kill -9 at any instruction ------------------------------------------ */

enum { WRITERS = 3, KILLS = 300, FEW_KILLS = 10 /* under valgrind */ };

static pid_t writers[WRITERS];

static _Noreturn void
serve_for_ever(unsigned slot)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	score_born(score, slot, getpid());
	score_idle(score, slot);
	for (int64_t i = 0;; i++) {
		begin(score, slot);
		finish(score, slot, (int)(i % 6) * 100, i % 20000000);
	}
}

static void
start_writer(unsigned slot)
{
	score_born(score, slot, 0);
	ck_assert_int_ne(writers[slot] = fork(), -1);
	if (writers[slot] == 0)
		serve_for_ever(slot);
}

static void
kill_writer(unsigned slot)
{
	ck_assert_int_eq(kill(writers[slot], SIGKILL), 0);
	ck_assert_int_eq(waitpid(writers[slot], NULL, 0), writers[slot]);
	score_dead(score, slot);
}

/* No number ever falls; what is in hand is no more than there are workers. */
static void
check_grown(struct score_sum *before)
{
	struct score_sum now = sum(score);
	uint64_t n = over(&now) + now.n[SCORE_KILLED];

	for (unsigned i = 0; i < SCORE_COUNTERS; i++)
		ck_assert_uint_ge(now.n[i], before->n[i]);
	ck_assert_uint_ge(now.n[SCORE_BEGUN], over(before));
	ck_assert_uint_ge(now.n[SCORE_BEGUN] + 1, n);
	*before = now;
}

/* A second process reads all the time, as a worker that shows the status. */
static pid_t
start_reader(void)
{
	struct score_sum before = { 0 };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		struct score_sum now = sum(score);

		for (unsigned i = 0; i < SCORE_COUNTERS; i++)
			if (now.n[i] < before.n[i])
				_exit(1);
		if (over(&now) > now.n[SCORE_BEGUN])
			_exit(2);
		before = now;
	}
}

START_TEST(no_kill_makes_a_count_drift)
{
	struct score_sum now = { 0 };
	unsigned kills = unit_is_slow() ? FEW_KILLS : KILLS;
	unsigned i, slot;
	pid_t reader;
	int status;

	score = make(WRITERS, NULL);
	reader = start_reader();
	for (slot = 0; slot < WRITERS; slot++)
		start_writer(slot);
	for (i = 0; i < kills; i++) {
		slot = (unsigned)rand() % WRITERS;
		for (int j = 0; j < 20; j++)
			check_grown(&now);
		kill_writer(slot);
		start_writer(slot);
	}
	ck_assert_int_eq(waitpid(reader, &status, WNOHANG), 0);
	kill(reader, SIGKILL);
	waitpid(reader, &status, 0);
	for (slot = 0; slot < WRITERS; slot++)
		kill_writer(slot);
	now = sum(score);
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
	Suite *s = suite_create("score_count");
	TCase *t = tcase_create("score_count");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, what_is_over_is_in_its_class_and_bucket);
	tcase_add_test(t, sums_are_of_the_living_and_the_dead);
	tcase_add_test(t, generations_share_what_was_counted);
	tcase_add_test(t, flags_are_of_a_generation);
	tcase_add_test(t, places_are_given_back);
	tcase_add_test(t, without_room_the_counts_begin_anew);
	tcase_add_test(t, the_most_that_were_active);
	tcase_add_test(t, the_first_cause_counts_once_it_is_replaced);
	tcase_add_test(t, another_image_adopts_it);
	tcase_add_test(t, another_version_is_told_what_it_must_know);
	tcase_add_test(t, no_kill_makes_a_count_drift);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

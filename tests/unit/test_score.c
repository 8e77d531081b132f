#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "share/score.h"

#include "unit.h"

static struct score *score;

static void
make(unsigned n)
{
	ck_assert_ptr_nonnull(score = score_new(n, NULL));
	ck_assert_uint_eq(score_slots(score), n);
}

static void
teardown(void)
{
	score_free(score);
}

/* A request begins at that slot. */
static bool
busy(unsigned slot, const char *method, const char *uri)
{
	const struct score_request request = { .begun = clock_us(),
		.length = -1,
		.text[TEXT_METHOD] = { method,
		    method == NULL ? 0 : strlen(method) },
		.text[TEXT_URI] = { uri, uri == NULL ? 0 : strlen(uri) } };

	return score_busy(score, slot, &request);
}

static struct score_slot
look(unsigned slot)
{
	struct score_slot seen;

	ck_assert(score_read(score, slot, &seen));
	return seen;
}

/* The counts are these, and the states of all slots add up to the same. */
static void
check_counts(unsigned starting, unsigned idle, unsigned busy,
    unsigned leaving)
{
	unsigned n[SCORE_LEAVING + 1] = { 0 }, i;
	struct score_counts counts;

	score_count(score, &counts);
	ck_assert_uint_eq(counts.starting, starting);
	ck_assert_uint_eq(counts.idle, idle);
	ck_assert_uint_eq(counts.busy, busy);
	ck_assert_uint_eq(counts.leaving, leaving);
	for (i = 0; i < score_slots(score); i++)
		n[look(i).state]++;
	ck_assert_uint_eq(n[SCORE_STARTING], starting);
	ck_assert_uint_eq(n[SCORE_IDLE], idle);
	ck_assert_uint_eq(n[SCORE_BUSY], busy);
	ck_assert_uint_eq(n[SCORE_LEAVING], leaving);
}

START_TEST(a_life_is_seen)
{
	int64_t begun = clock_ms();

	make(3);
	check_counts(0, 0, 0, 0);
	score_born(score, 1, 0);
	check_counts(1, 0, 0, 0);
	score_born(score, 1, 4711);
	ck_assert_int_eq(look(1).pid, 4711);
	ck_assert_int_ge(look(1).born, begun);
	ck_assert_int_le(look(1).born, clock_ms());
	score_idle(score, 1);
	check_counts(0, 1, 0, 0);
	ck_assert_uint_eq(look(1).requests, 0);
	ck_assert(!busy(1, "GET", "/a"));
	check_counts(0, 0, 1, 0);
	ck_assert_uint_eq(look(1).requests, 1);
	score_idle(score, 1);
	check_counts(0, 1, 0, 0);
	ck_assert_str_eq(look(1).uri, "/a");
	busy(1, "POST", "/b");
	ck_assert_uint_eq(look(1).requests, 2);
	ck_assert_str_eq(look(1).method, "POST");
	ck_assert_int_ge(look(1).since, look(1).born);
	ck_assert_int_eq(look(1).pid, 4711);
	score_dead(score, 1);
	check_counts(0, 0, 0, 0);
	ck_assert_int_eq(look(1).pid, 0);
	ck_assert_str_eq(look(1).uri, "");
	score_born(score, 1, 4712);
	ck_assert_uint_eq(look(1).requests, 0);
}
END_TEST

START_TEST(texts_are_cut)
{
	char text[1000];
	struct score_slot seen;

	make(1);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	busy(0, text, text);
	seen = look(0);
	ck_assert_uint_eq(strlen(seen.method), sizeof(seen.method) - 1);
	ck_assert_uint_eq(strlen(seen.uri), sizeof(seen.uri) - 1);
	ck_assert_mem_eq(seen.uri, text, sizeof(seen.uri) - 1);
	busy(0, NULL, NULL);
	ck_assert_str_eq(look(0).method, "");
	ck_assert_str_eq(look(0).uri, "");
}
END_TEST

START_TEST(who_was_told_to_leave_stays_told)
{
	make(2);
	score_born(score, 0, 1);
	score_leaving(score, 0);
	check_counts(0, 0, 0, 1);
	score_idle(score, 0); /* it was starting, it is ready, it leaves */
	check_counts(0, 0, 0, 1);
	busy(0, "GET", "/");
	check_counts(0, 0, 0, 1);
	score_idle(score, 0);
	check_counts(0, 0, 0, 1);
	score_dead(score, 0);
	check_counts(0, 0, 0, 0);
	score_born(score, 0, 2);
	check_counts(1, 0, 0, 0);
}
END_TEST

START_TEST(telling_the_dead_marks_nobody)
{
	make(1);
	score_dead(score, 0);
	score_leaving(score, 0);
	check_counts(0, 0, 0, 0);
	score_born(score, 0, 0);
	check_counts(1, 0, 0, 0);
	score_leaving(score, 0); /* told before the child says its pid */
	score_born(score, 0, 4711);
	check_counts(0, 0, 0, 1);
}
END_TEST

static void
fill(unsigned n)
{
	unsigned i;

	make(n);
	for (i = 0; i < n; i++) {
		score_born(score, i, (pid_t)i + 1);
		score_idle(score, i);
	}
}

START_TEST(the_threshold_tells_once)
{
	fill(4);
	ck_assert(!busy(0, NULL, NULL)); /* nobody asked */
	score_wake_below(score, 2);
	ck_assert(!busy(1, NULL, NULL)); /* 2 are idle */
	ck_assert(busy(2, NULL, NULL));
	ck_assert(!busy(3, NULL, NULL)); /* told already */
	score_idle(score, 3);
	score_wake_below(score, 2);
	ck_assert(busy(3, NULL, NULL));
	score_idle(score, 3);
	score_wake_below(score, 0);
	ck_assert(!busy(3, NULL, NULL));
}
END_TEST

START_TEST(only_who_can_serve_is_idle)
{
	fill(5);
	score_wake_below(score, 2);
	score_leaving(score, 1);
	score_dead(score, 2);
	score_dead(score, 3);
	score_born(score, 3, 99);
	/* slot 4 is left */
	ck_assert(busy(0, NULL, NULL));
}
END_TEST

START_TEST(many_slots)
{
	unsigned i;

	fill(200);
	check_counts(0, 200, 0, 0);
	score_wake_below(score, 50);
	for (i = 0; i < 150; i++)
		ck_assert(!busy(i, NULL, NULL));
	check_counts(0, 50, 150, 0);
	ck_assert(busy(199, NULL, NULL));
	score_dead(score, 64);
	score_leaving(score, 128);
	check_counts(0, 49, 149, 1);
}
END_TEST

START_TEST(last_is_told)
{
	make(1);
	ck_assert(!score_last(score));
	score_set_last(score, true);
	ck_assert(score_last(score));
	score_set_last(score, false);
	ck_assert(!score_last(score));
}
END_TEST

static void *
shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

static void
reap_all(void)
{
	int status;

	while (wait(&status) != -1)
		ck_assert_int_eq(status, 0);
}

/* All go busy at once under one threshold: one of them is told. */
START_TEST(one_of_many_is_told)
{
	_Atomic unsigned *told = shared(sizeof(*told));
	_Atomic unsigned *ready = told + 1;
	unsigned rounds = unit_is_slow() ? 3 : 30;
	unsigned round, i;

	for (round = 0; round < rounds; round++) {
		fill(6);
		atomic_store(told, 0);
		atomic_store(ready, 0);
		score_wake_below(score, 6);
		for (i = 0; i < 6; i++) {
			if (fork() != 0)
				continue;
			atomic_fetch_add(ready, 1);
			while (atomic_load(ready) < 6)
				;
			if (busy(i, "GET", "/"))
				atomic_fetch_add(told, 1);
			_exit(0);
		}
		reap_all();
		ck_assert_uint_eq(atomic_load(told), 1);
		check_counts(0, 0, 6, 0);
		teardown();
	}
	score = NULL;
}
END_TEST

/* ---- kill -9 at any instruction ----------------------------------------- */

enum { WRITERS = 4, KILLS = 400, FEW_KILLS = 20 }; /* under valgrind */

static pid_t writers[WRITERS];

/* Every request has one letter in method and uri, and a number that says
 * which, so that a torn snapshot shows. */
static _Noreturn void
write_for_ever(unsigned slot)
{
	char method[16] = "", uri[512] = "";
	uint64_t request;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	score_born(score, slot, getpid());
	score_idle(score, slot);
	for (request = 1;; request++) {
		memset(method, 'a' + (int)(request % 26), 15);
		memset(uri, 'a' + (int)(request % 26), 511);
		busy(slot, method, uri);
		score_idle(score, slot);
	}
}

static void
start_writer(unsigned slot)
{
	score_born(score, slot, 0);
	ck_assert_int_ne(writers[slot] = fork(), -1);
	if (writers[slot] == 0)
		write_for_ever(slot);
}

static void
check_whole(const struct score_slot *seen)
{
	char text[] = { (char)('a' + (int)(seen->requests % 26)), '\0' };
	bool begun = seen->requests > 0;

	ck_assert(seen->state != SCORE_BUSY || begun);
	ck_assert(seen->state != SCORE_STARTING || !begun);
	ck_assert_int_ge(seen->since, seen->born);
	ck_assert_uint_eq(strlen(seen->method), begun ? 15 : 0);
	ck_assert_uint_eq(strlen(seen->uri), begun ? 511 : 0);
	ck_assert_uint_eq(strspn(seen->method, text), strlen(seen->method));
	ck_assert_uint_eq(strspn(seen->uri, text), strlen(seen->uri));
}

static void
kill_writer(unsigned slot)
{
	int status;

	ck_assert_int_eq(kill(writers[slot], SIGKILL), 0);
	ck_assert_int_eq(waitpid(writers[slot], &status, 0), writers[slot]);
	ck_assert(WIFSIGNALED(status));
}

/* Snapshots are whole, and the counts are of all that live. */
static unsigned
read_all(void)
{
	struct score_slot seen;
	struct score_counts counts;
	unsigned i, n, whole = 0;

	for (i = 0; i < 50 * WRITERS; i++)
		if (score_read(score, i % WRITERS, &seen)) {
			check_whole(&seen);
			whole++;
		}
	score_count(score, &counts);
	n = counts.starting + counts.idle + counts.busy + counts.leaving;
	ck_assert_uint_eq(n, WRITERS);
	return whole;
}

START_TEST(a_kill_tears_nothing)
{
	unsigned kills = unit_is_slow() ? FEW_KILLS : KILLS;
	unsigned i, slot, whole = 0;

	make(WRITERS);
	for (slot = 0; slot < WRITERS; slot++)
		start_writer(slot);
	for (i = 0; i < kills; i++) {
		slot = (unsigned)rand() % WRITERS;
		whole += read_all();
		kill_writer(slot);
		score_dead(score, slot);
		ck_assert_int_eq(look(slot).state, SCORE_FREE);
		ck_assert_uint_eq(look(slot).requests, 0);
		start_writer(slot);
	}
	ck_assert_uint_gt(whole, kills);
	for (slot = 0; slot < WRITERS; slot++) {
		kill_writer(slot);
		score_dead(score, slot);
	}
	check_counts(0, 0, 0, 0);
	/* and nobody is left idle where nobody is */
	score_wake_below(score, 1);
	ck_assert(busy(0, NULL, NULL));
}
END_TEST

START_TEST(freed_here_it_lives_there)
{
	int status;
	pid_t child;

	make(2);
	if ((child = fork()) == 0) {
		score_idle(score, 1);
		score_free(score);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	check_counts(0, 1, 0, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("score");
	TCase *t = tcase_create("score");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, a_life_is_seen);
	tcase_add_test(t, texts_are_cut);
	tcase_add_test(t, who_was_told_to_leave_stays_told);
	tcase_add_test(t, telling_the_dead_marks_nobody);
	tcase_add_test(t, the_threshold_tells_once);
	tcase_add_test(t, only_who_can_serve_is_idle);
	tcase_add_test(t, many_slots);
	tcase_add_test(t, last_is_told);
	tcase_add_test(t, one_of_many_is_told);
	tcase_add_test(t, a_kill_tears_nothing);
	tcase_add_test(t, freed_here_it_lives_there);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/sealed.h"
#include "ipc/score_page.h"

#include "board_unit.h"

#define SLOTS 256

static struct board *board;
static struct score *score[SLOTS];

static void
make(unsigned n)
{
	board = board_unit_new(n, NULL);
}

static void
teardown(void)
{
	board_free(board);
	board = NULL;
}

static void
born(unsigned slot, pid_t pid)
{
	score[slot] = board_unit_born(board, slot, pid);
}

static bool
busy(unsigned slot, const char *method, const char *uri)
{
	return board_unit_busy(score[slot], method, uri);
}

static struct score_slot
look(unsigned slot)
{
	return board_unit_look(board, slot);
}

/* The counts are these, and the states of all slots add up to the same. */
static void
check_counts(unsigned starting, unsigned idle, unsigned busy,
    unsigned leaving)
{
	unsigned n[SCORE_STATES] = { 0 }, i;
	struct score_counts counts;
	struct score_slot seen;

	board_look(board, &counts);
	ck_assert_uint_eq(counts.starting, starting);
	ck_assert_uint_eq(counts.idle, idle);
	ck_assert_uint_eq(counts.busy, busy);
	ck_assert_uint_eq(counts.leaving, leaving);
	for (i = 0; i < board_slots(board); i++)
		if (board_read(board, i, &seen))
			n[seen.state]++;
	ck_assert_uint_eq(n[SCORE_STARTING], starting);
	ck_assert_uint_eq(n[SCORE_IDLE], idle);
	ck_assert_uint_eq(n[SCORE_BUSY] + n[SCORE_RESTARTING], busy);
	ck_assert_uint_eq(n[SCORE_LEAVING], leaving);
}

START_TEST(a_life_is_seen)
{
	int64_t begun = clock_ms();
	struct board_lease lease;

	make(3);
	check_counts(0, 0, 0, 0);
	ck_assert_int_eq(board_lease(board, 1, &lease), 0);
	check_counts(1, 0, 0, 0); /* before it has said anything */
	score[1] = board_unit_open(&lease, 1);
	board_born(board, 1, 4711);
	check_counts(1, 0, 0, 0);
	ck_assert_int_eq(look(1).pid, 4711);
	ck_assert_int_ge(look(1).born, begun);
	ck_assert_int_le(look(1).born, clock_ms());
	score_idle(score[1]);
	check_counts(0, 1, 0, 0);
	ck_assert_uint_eq(look(1).requests, 0);
	ck_assert(!busy(1, "GET", "/a"));
	check_counts(0, 0, 1, 0);
	ck_assert_uint_eq(look(1).requests, 1);
	score_served(score[1], &(struct score_outcome){ .status = 200 });
	score_idle(score[1]);
	check_counts(0, 1, 0, 0);
	ck_assert_str_eq(look(1).uri, "/a");
	score_restarting(score[1]);
	ck_assert_int_eq(look(1).state, SCORE_RESTARTING);
	check_counts(0, 0, 1, 0);
	busy(1, "POST", "/b");
	ck_assert_uint_eq(look(1).requests, 2);
	ck_assert_str_eq(look(1).method, "POST");
	ck_assert_int_ge(look(1).since, look(1).born);
	ck_assert_int_eq(look(1).pid, 4711);
	ck_assert(board_dead(board, 1));
	check_counts(0, 0, 0, 0);
	born(1, 4712);
	ck_assert_uint_eq(look(1).requests, 0);
	ck_assert_str_eq(look(1).uri, "");
}
END_TEST

START_TEST(texts_are_cut)
{
	char text[1000];
	struct score_slot seen;

	make(1);
	born(0, 1);
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
	born(0, 1);
	ck_assert(!score_is_leaving(score[0]));
	board_leaving(board, 0);
	ck_assert(score_is_leaving(score[0]));
	check_counts(0, 0, 0, 1);
	score_idle(score[0]); /* it was starting, it is ready, it leaves */
	check_counts(0, 0, 0, 1);
	busy(0, "GET", "/");
	check_counts(0, 0, 0, 1);
	board_dead(board, 0);
	check_counts(0, 0, 0, 0);
	born(0, 2);
	ck_assert(!score_is_leaving(score[0]));
	check_counts(1, 0, 0, 0);
}
END_TEST

START_TEST(telling_the_dead_marks_nobody)
{
	make(1);
	board_dead(board, 0);
	board_leaving(board, 0);
	check_counts(0, 0, 0, 0);
	born(0, 1);
	check_counts(1, 0, 0, 0);
}
END_TEST

START_TEST(somebody_stays)
{
	make(2);
	born(0, 1);
	ck_assert(!score_heirs(score[0])); /* no heir of its own */
	born(1, 2);
	ck_assert(score_heirs(score[0]));
	board_leaving(board, 0);
	ck_assert(score_heirs(score[0]));
	board_leaving(board, 1);
	ck_assert(!score_heirs(score[0]));
	board_set_replaced(board, true);
	ck_assert(score_heirs(score[0]));
	board_set_last(board, true);
	ck_assert(!score_heirs(score[0]));
}
END_TEST

static void
fill(unsigned n)
{
	unsigned i;

	make(n);
	for (i = 0; i < n; i++) {
		born(i, (pid_t)i + 1);
		score_idle(score[i]);
	}
}

/* How many of these go busy and tell. */
static unsigned
tell(unsigned from, unsigned to)
{
	unsigned n = 0;

	for (; from < to; from++)
		n += busy(from, NULL, NULL);
	return n;
}

START_TEST(before_fewer_are_idle_one_tells)
{
	fill(4);
	ck_assert(!busy(0, NULL, NULL)); /* nobody asked */
	score_idle(score[0]);
	ck_assert(board_ask(board, 2));
	ck_assert_uint_ge(tell(0, 3), 1);
	ck_assert(!board_ask(board, 2)); /* so few are idle already */
	ck_assert(board_ask(board, 1));
	ck_assert(busy(3, NULL, NULL));
	score_idle(score[3]);
	ck_assert(!busy(3, NULL, NULL)); /* it has told already */
	score_idle(score[3]);
	ck_assert(board_ask(board, 1));
	ck_assert(busy(3, NULL, NULL));
	score_idle(score[3]);
	ck_assert(board_ask(board, 0));
	ck_assert(!busy(3, NULL, NULL));
}
END_TEST

START_TEST(those_that_rest_longest_are_asked)
{
	int64_t now = clock_ms();

	fill(3);
	while (clock_ms() < now + 3)
		;
	score_idle(score[0]);
	ck_assert(board_ask(board, 2));
	ck_assert(!busy(0, NULL, NULL));
	ck_assert(busy(1, NULL, NULL));
}
END_TEST

START_TEST(only_who_can_serve_is_idle)
{
	fill(5);
	board_leaving(board, 1);
	board_dead(board, 2);
	board_dead(board, 3);
	born(3, 99);
	ck_assert(!board_ask(board, 3)); /* slots 0 and 4 are left */
	ck_assert(board_ask(board, 2));
	ck_assert(busy(0, NULL, NULL));
}
END_TEST

START_TEST(many_slots)
{
	fill(200);
	check_counts(0, 200, 0, 0);
	ck_assert(board_ask(board, 50));
	ck_assert_uint_ge(tell(0, 151), 1);
	check_counts(0, 49, 151, 0);
	board_dead(board, 64);
	board_leaving(board, 128);
	check_counts(0, 49, 149, 1);
}
END_TEST

START_TEST(last_is_told)
{
	make(1);
	born(0, 1);
	ck_assert(!score_last(score[0]));
	board_set_last(board, true);
	ck_assert(score_last(score[0]));
	board_set_last(board, false);
	ck_assert(!score_last(score[0]));
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

/* All go busy while the master asks: either one tells, or the master sees it.
 */
START_TEST(no_moment_is_missed)
{
	_Atomic unsigned *told = shared(sizeof(*told));
	_Atomic unsigned *ready = told + 1;
	unsigned rounds = unit_is_slow() ? 3 : 60;
	unsigned round, i;
	bool asked;

	for (round = 0; round < rounds; round++) {
		fill(6);
		atomic_store(told, 0);
		atomic_store(ready, 0);
		for (i = 0; i < 6; i++) {
			if (fork() != 0)
				continue;
			atomic_fetch_add(ready, 1);
			while (atomic_load(ready) < 7)
				;
			if (busy(i, "GET", "/"))
				atomic_fetch_add(told, 1);
			_exit(0);
		}
		while (atomic_load(ready) < 6)
			;
		atomic_fetch_add(ready, 1);
		asked = board_ask(board, 1 + round % 6);
		reap_all();
		ck_assert(!asked || atomic_load(told) >= 1);
		check_counts(0, 0, 6, 0);
		teardown();
	}
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
	score_idle(score[slot]);
	for (request = 1;; request++) {
		memset(method, 'a' + (int)(request % 26), 15);
		memset(uri, 'a' + (int)(request % 26), 511);
		busy(slot, method, uri);
		score_idle(score[slot]);
	}
}

static void
start_writer(unsigned slot)
{
	born(slot, 1);
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
		if (board_read(board, i % WRITERS, &seen)) {
			check_whole(&seen);
			whole++;
		}
	board_look(board, &counts);
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
		board_dead(board, slot);
		start_writer(slot);
	}
	ck_assert_uint_gt(whole, kills);
	for (slot = 0; slot < WRITERS; slot++) {
		kill_writer(slot);
		board_dead(board, slot);
	}
	check_counts(0, 0, 0, 0);
}
END_TEST

/* ---- descriptors ---------------------------------------------------------- */

START_TEST(only_what_a_board_leases_is_opened)
{
	struct board_lease lease;
	int other = memfd_create("other", MFD_CLOEXEC);
	size_t size = sizeof(struct score_memory);

	make(2);
	ck_assert_int_eq(board_lease(board, 0, &lease), 0);
	ck_assert_ptr_null(score_open(dup(lease.head), dup(other), 0));
	ck_assert_ptr_null(score_open(dup(other), dup(lease.slot), 0));
	ck_assert_ptr_null(score_open(-1, dup(lease.slot), 0));
	ck_assert_ptr_null(score_open(dup(lease.head), -1, 0));
	ck_assert_ptr_null(score_open(dup(lease.head), dup(lease.slot), 2));
	/* Of the right size, which somebody might change. */
	ck_assert_int_eq(ftruncate(other, (off_t)size), 0);
	ck_assert_ptr_null(score_open(dup(lease.head), dup(other), 0));
	ck_assert_int_eq(ftruncate(other, (off_t)score_head_size(2)), 0);
	ck_assert_ptr_null(score_open(dup(other), dup(lease.slot), 0));
	/* Sealed, a byte too much or too little. */
	for (int i = -1; i <= 1; i += 2) {
		ck_assert_ptr_null(score_open(dup(lease.head),
		    sealed_room("other", size + (size_t)i), 0));
		ck_assert_ptr_null(score_open(sealed_room("other",
		    score_head_size(2) + (size_t)i), dup(lease.slot), 0));
	}
	close(other);
}
END_TEST

/* What a worker is given it cannot make larger or smaller, nor the head
 * writable. */
START_TEST(rights_are_what_they_are)
{
	struct board_lease lease;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char path[40];
	void *head;

	make(2);
	ck_assert_int_eq(board_lease(board, 0, &lease), 0);
	ck_assert_int_eq(ftruncate(lease.slot, 1 << 20), -1);
	ck_assert_int_eq(ftruncate(lease.slot, 0), -1);
	ck_assert_ptr_eq(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED,
	    lease.head, 0), MAP_FAILED);
	head = mmap(NULL, page, PROT_READ, MAP_SHARED, lease.head, 0);
	ck_assert_ptr_ne(head, MAP_FAILED);
	ck_assert_int_eq(mprotect(head, page, PROT_READ | PROT_WRITE), -1);
	munmap(head, page);
	if (geteuid() != 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", lease.head);
	if (fork() == 0) {
		if (setuid(65534) == -1 || open(path, O_RDWR) != -1 ||
		    open(path, O_RDONLY) != -1)
			_exit(1);
		_exit(0);
	}
	reap_all();
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
	tcase_add_test(t, somebody_stays);
	tcase_add_test(t, before_fewer_are_idle_one_tells);
	tcase_add_test(t, those_that_rest_longest_are_asked);
	tcase_add_test(t, only_who_can_serve_is_idle);
	tcase_add_test(t, many_slots);
	tcase_add_test(t, last_is_told);
	tcase_add_test(t, no_moment_is_missed);
	tcase_add_test(t, a_kill_tears_nothing);
	tcase_add_test(t, only_what_a_board_leases_is_opened);
	tcase_add_test(t, rights_are_what_they_are);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

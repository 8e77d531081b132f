#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"

#include "unit.h"

#define LETTER(c) ((void *)(intptr_t)(c))

static struct loop *loop;
static char trace[200]; /* one letter for every callback, in their order */

static void
setup(void)
{
	ck_assert_ptr_nonnull(loop = loop_new());
}

static void
teardown(void)
{
	loop_free(loop);
}

static void
note(int letter)
{
	size_t len = strlen(trace);

	ck_assert_uint_lt(len, sizeof(trace) - 1);
	trace[len] = (char)letter;
}

static void
turn(void)
{
	ck_assert_int_eq(loop_turn(loop, 5000), 0);
}

static void
note_timer(void *arg)
{
	note((int)(intptr_t)arg);
}

static void
note_signal(void *arg, int signo)
{
	(void)signo;
	note((int)(intptr_t)arg);
}

static void
note_fd(void *arg, int fd, short revents)
{
	(void)fd;
	(void)revents;
	note((int)(intptr_t)arg);
}

/* A descriptor that is ready to read until the test ends. */
static int
ready(void)
{
	int fds[2];

	ck_assert_int_eq(fd_pipe(fds), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	return fds[0];
}

static bool
try_watch(int fd, void (*fn)(void *, int, short), int letter)
{
	return loop_watch(loop, fd, POLLIN, fn, LETTER(letter)) == 0;
}

static void
watch(int fd, void (*fn)(void *, int, short), int letter)
{
	ck_assert(try_watch(fd, fn, letter));
}

static void
take(int signo, void (*fn)(void *, int), int letter)
{
	ck_assert_int_eq(loop_signal(loop, signo, fn, LETTER(letter)), 0);
}

/* ---- descriptors -------------------------------------------------------- */

START_TEST(calls_the_ready_and_only_those)
{
	int a = ready(), b[2];

	ck_assert_int_eq(fd_pipe(b), 0);
	watch(b[0], note_fd, 'b');
	watch(a, note_fd, 'a');
	turn();
	ck_assert_str_eq(trace, "a");
	close(b[1]); /* a hang-up comes unasked */
	turn();
	ck_assert_str_eq(trace, "aba");
}
END_TEST

START_TEST(a_descriptor_is_watched_once)
{
	int fd = ready();

	watch(fd, note_fd, 'a');
	errno = 0;
	ck_assert(!try_watch(fd, note_fd, 'b'));
	ck_assert_int_eq(errno, EEXIST);
	ck_assert(!try_watch(-1, note_fd, 'c'));
	loop_unwatch(loop, fd);
	loop_unwatch(loop, fd);
	loop_unwatch(loop, -1);
	watch(fd, note_fd, 'd');
	turn();
	ck_assert_str_eq(trace, "d");
}
END_TEST

static int many[40];

static void
remove_all(void *arg, int fd, short revents)
{
	size_t i;

	note_fd(arg, fd, revents);
	for (i = 0; i < 40; i++)
		loop_unwatch(loop, many[i]);
}

START_TEST(a_callback_removes_every_watch)
{
	size_t i;

	for (i = 0; i < 40; i++) {
		many[i] = ready();
		watch(many[i], remove_all, 'a');
	}
	turn();
	ck_assert_str_eq(trace, "a");
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_str_eq(trace, "a");
}
END_TEST

static void
replace_all(void *arg, int fd, short revents)
{
	size_t i;

	remove_all(arg, fd, revents);
	for (i = 0; i < 40; i++)
		watch(many[i], note_fd, 'n');
}

/* What a callback watches, at the same number or in memory that had to
 * move, has its first call in the next turn. */
START_TEST(a_new_watch_waits_for_the_next_turn)
{
	size_t i;
	char want[42] = "r";

	for (i = 0; i < 40; i++)
		many[i] = ready();
	watch(many[0], replace_all, 'r');
	watch(many[1], note_fd, 'o');
	turn();
	ck_assert_str_eq(trace, "r");
	turn();
	memset(want + 1, 'n', 40);
	ck_assert_str_eq(trace, want);
}
END_TEST

/* ---- timers ------------------------------------------------------------- */

START_TEST(timers_fire_in_order)
{
	struct loop_timer a = { .fire = note_timer, .arg = LETTER('a') };
	struct loop_timer b = { .fire = note_timer, .arg = LETTER('b') };
	struct loop_timer c = { .fire = note_timer, .arg = LETTER('c') };
	struct loop_timer d = { .fire = note_timer, .arg = LETTER('d') };
	int64_t now = clock_ms();

	loop_timer_set(loop, &c, now - 1);
	loop_timer_set(loop, &d, now + 1000000);
	loop_timer_set(loop, &a, now - 3);
	loop_timer_set(loop, &b, now - 2);
	loop_timer_set(loop, &d, now - 1); /* moved; equals keep their order */
	ck_assert(d.set);
	turn();
	ck_assert_str_eq(trace, "abcd");
	ck_assert(!a.set && !b.set && !c.set && !d.set);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_str_eq(trace, "abcd");
}
END_TEST

START_TEST(a_timer_is_not_early)
{
	struct loop_timer timer = { .fire = note_timer, .arg = LETTER('t') };
	int64_t due = clock_ms() + 30;

	loop_timer_set(loop, &timer, due);
	while (trace[0] == '\0')
		turn();
	ck_assert_int_ge(clock_ms(), due);
}
END_TEST

START_TEST(a_limit_ends_the_wait)
{
	struct loop_timer timer = { .fire = note_timer, .arg = LETTER('t') };
	int64_t begun = clock_ms();

	loop_timer_set(loop, &timer, begun + 100000);
	ck_assert_int_eq(loop_turn(loop, 20), 0);
	ck_assert_int_ge(clock_ms(), begun + 20);
	ck_assert_int_lt(clock_ms(), begun + 50000);
	ck_assert_str_eq(trace, "");
	loop_timer_clear(loop, &timer);
	loop_timer_clear(loop, &timer);
}
END_TEST

static struct loop_timer other = { .fire = note_timer, .arg = LETTER('o') };

static void
clear_other(void *arg)
{
	note_timer(arg);
	loop_timer_clear(loop, &other);
}

START_TEST(a_timer_clears_another)
{
	struct loop_timer timer = { .fire = clear_other, .arg = LETTER('c') };

	loop_timer_set(loop, &timer, 1);
	loop_timer_set(loop, &other, 2);
	turn();
	ck_assert_str_eq(trace, "c");
	ck_assert(!other.set);
}
END_TEST

static void
again(void *arg)
{
	struct loop_timer *timer = arg;

	note('a');
	loop_timer_set(loop, timer, clock_ms() - 10);
}

START_TEST(a_timer_set_to_now_does_not_hold_the_turn)
{
	struct loop_timer timer = { .fire = again, .arg = &timer };

	loop_timer_set(loop, &timer, 0);
	turn();
	ck_assert_str_eq(trace, "a");
	turn();
	ck_assert_str_eq(trace, "aa");
}
END_TEST

enum { MANY = 500 };

static struct loop_timer heap[MANY];
static unsigned order[MANY], fired;

static void
note_order(void *arg)
{
	order[fired++] = (unsigned)((struct loop_timer *)arg - heap);
}

/* Whatever was set, moved and cleared before, each fires once, by time and then
 * in the order in which they were set. */
START_TEST(many_timers_fire_in_order)
{
	int64_t due[MANY], begun = clock_ms() - 1000;
	unsigned set[MANY], left = 0;

	srandom(1);
	for (unsigned i = 0; i < 20 * MANY; i++) {
		unsigned n = (unsigned)random() % MANY;

		heap[n].fire = note_order;
		heap[n].arg = &heap[n];
		if (random() % 4 == 0) {
			loop_timer_clear(loop, &heap[n]);
			continue;
		}
		set[n] = i;
		due[n] = begun + random() % 100;
		loop_timer_set(loop, &heap[n], due[n]);
	}
	for (unsigned n = 0; n < MANY; n++)
		left += heap[n].set;
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert_uint_eq(fired, left);
	for (unsigned i = 1; i < left; i++) {
		unsigned a = order[i - 1], b = order[i];

		ck_assert(due[a] < due[b] ||
		    (due[a] == due[b] && set[a] < set[b]));
	}
}
END_TEST

/* ---- many of them ------------------------------------------------------- */

static void
use_timers(unsigned n)
{
	static struct loop_timer timers[8 * 2000];

	for (unsigned i = 0; i < 3 * n; i++)
		loop_timer_set(loop, &timers[i % n], (int64_t)i * 7919 % n);
	for (unsigned i = 0; i < n; i++)
		loop_timer_clear(loop, &timers[i]);
}

static void
use_watches(unsigned n)
{
	for (int k = 0; k < 2; k++) {
		for (unsigned i = 3; i < n; i++)
			watch((int)i, note_fd, 'x');
		for (unsigned i = 3; i < n; i++)
			loop_unwatch(loop, (int)i);
	}
}

START_TEST(many_cost_each_the_same)
{
	ck_assert_double_lt(unit_growth(use_timers, 2000), 24);
	ck_assert_double_lt(unit_growth(use_watches, 2000), 24);
}
END_TEST

/* ---- signals ------------------------------------------------------------ */

START_TEST(the_order_is_descriptors_timers_signals)
{
	struct loop_timer timer = { .fire = note_timer, .arg = LETTER('t') };
	int fd = ready();

	take(SIGUSR1, note_signal, 's');
	watch(fd, note_fd, 'd');
	loop_timer_set(loop, &timer, 0);
	raise(SIGUSR1);
	/* Always a ready descriptor, and the signal is let in all the same. */
	turn();
	ck_assert_str_eq(trace, "dts");
}
END_TEST

static void
raise_in_fd(void *arg, int fd, short revents)
{
	note_fd(arg, fd, revents);
	loop_unwatch(loop, fd);
	raise(SIGTERM);
}

static void
raise_in_signal(void *arg, int signo)
{
	note_signal(arg, signo);
	if (strlen(trace) < 4)
		raise(signo);
}

START_TEST(a_signal_during_a_callback_is_not_lost)
{
	take(SIGTERM, raise_in_signal, 's');
	watch(ready(), raise_in_fd, 'd');
	while (strlen(trace) < 4)
		turn();
	ck_assert_str_eq(trace, "dsss");
}
END_TEST

START_TEST(a_signal_without_a_function_ends_the_wait)
{
	pid_t child;

	ck_assert_int_eq(loop_signal(loop, SIGCHLD, NULL, NULL), 0);
	if ((child = fork()) == 0)
		_exit(0);
	ck_assert_int_eq(loop_turn(loop, -1), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(a_wrong_signal_is_refused)
{
	errno = 0;
	ck_assert_int_eq(loop_signal(loop, 0, NULL, NULL), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(loop_signal(loop, SIGKILL, NULL, NULL), -1);
}
END_TEST

/* A child that leaves the loop dies of what it lets in; what was sent before
 * it did so has waited. */
START_TEST(a_child_leaves)
{
	int ready_pair[2], status;
	sigset_t mask;
	char byte;
	pid_t child;

	ck_assert_int_eq(fd_pair(ready_pair), 0);
	take(SIGUSR2, note_signal, 's');
	if ((child = fork()) == 0) {
		close(ready_pair[0]);
		loop_leave(loop);
		if (read(ready_pair[1], &byte, 1) != 1)
			_exit(1);
		sigemptyset(&mask);
		sigprocmask(SIG_SETMASK, &mask, NULL);
		_exit(2); /* not reached: SIGUSR2 waited */
	}
	ck_assert_int_eq(kill(child, SIGUSR2), 0);
	ck_assert_int_eq(write(ready_pair[0], "x", 1), 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2);
	/* and the parent still has its own */
	raise(SIGUSR2);
	turn();
	ck_assert_str_eq(trace, "s");
}
END_TEST

/* ---- a fork storm ------------------------------------------------------- */

static int alive, ended;

static void
child_ended(void *arg, int fd, short revents)
{
	(void)arg;
	(void)revents;
	loop_unwatch(loop, fd);
	close(fd);
	ended++;
}

static void
fork_one(void)
{
	int fds[2];
	pid_t child;

	ck_assert_int_eq(fd_pair(fds), 0);
	ck_assert_int_ne(child = fork(), -1);
	if (child == 0) {
		loop_leave(loop);
		_exit(0);
	}
	close(fds[1]);
	ck_assert_int_eq(loop_watch(loop, fds[0], POLLIN, child_ended, NULL),
	    0);
	alive++;
}

/* Every death is seen twice, as SIGCHLD and as end of file, and every turn
 * forks more, as a master does.  A lost one would hang the test. */
START_TEST(a_fork_storm_loses_nothing)
{
	int forked = 0, reaped = 0;

	ck_assert_int_eq(loop_signal(loop, SIGCHLD, NULL, NULL), 0);
	while (reaped < 300 || ended < 300) {
		for (; forked < 300 && alive < 20; forked++)
			fork_one();
		ck_assert_int_eq(loop_turn(loop, -1), 0);
		for (; waitpid(-1, NULL, WNOHANG) > 0; reaped++)
			alive--;
	}
	ck_assert_int_eq(reaped, 300);
	ck_assert_int_eq(ended, 300);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("loop");
	TCase *t = tcase_create("loop");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, calls_the_ready_and_only_those);
	tcase_add_test(t, a_descriptor_is_watched_once);
	tcase_add_test(t, a_callback_removes_every_watch);
	tcase_add_test(t, a_new_watch_waits_for_the_next_turn);
	tcase_add_test(t, timers_fire_in_order);
	tcase_add_test(t, a_timer_is_not_early);
	tcase_add_test(t, a_limit_ends_the_wait);
	tcase_add_test(t, a_timer_clears_another);
	tcase_add_test(t, a_timer_set_to_now_does_not_hold_the_turn);
	tcase_add_test(t, many_timers_fire_in_order);
	tcase_add_test(t, many_cost_each_the_same);
	tcase_add_test(t, the_order_is_descriptors_timers_signals);
	tcase_add_test(t, a_signal_during_a_callback_is_not_lost);
	tcase_add_test(t, a_signal_without_a_function_ends_the_wait);
	tcase_add_test(t, a_wrong_signal_is_refused);
	tcase_add_test(t, a_child_leaves);
	tcase_add_test(t, a_fork_storm_loses_nothing);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

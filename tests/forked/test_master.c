#include "forked.h"

#include <sys/mman.h>

#include "ipc/board_impl.h"

/* ---- start and stop ------------------------------------------------------ */

START_TEST(starts_and_stops)
{
	configure(POOL("a", "good", STATIC("3"), "")
	    POOL("b", "good", STATIC("1"), ""));
	start();
	ck_assert_int_gt(ask("a.sock"), 0);
	ck_assert_int_gt(ask("b.sock"), 0);
	wait_log(4, "\\] ready$");
	ck_assert_uint_eq(count_workers(), 4);
	tell(SIGTERM);
	wait_note("STOPPING=1");
	ck_assert_int_eq(exit_code(master), 0);
	assert_nothing_left();
}
END_TEST

/* QUIT is TERM, and whoever waits is served first. */
START_TEST(serves_what_waits_before_it_stops)
{
	int held, waiting[3];

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	held = client("a.sock");
	served_by(held);
	for (int i = 0; i < 3; i++)
		waiting[i] = client("a.sock");
	tell(SIGQUIT);
	wait_note("STOPPING=1");
	close(held);
	for (int i = 0; i < 3; i++) {
		served_by(waiting[i]);
		close(waiting[i]);
	}
	ck_assert_int_eq(exit_code(master), 0);
	assert_nothing_left();
}
END_TEST

START_TEST(kills_who_does_not_leave)
{
	int64_t began;

	configure(POOL("a", "deaf", STATIC("2"), QUICK));
	start();
	wait_log(2, "\\] ready$");
	began = clock_ms();
	tell(SIGTERM);
	wait_log(2, "\\] deaf$");
	ck_assert_int_eq(exit_code(master), 0);
	ck_assert_int_ge(clock_ms() - began, 300);
	wait_log(2, "a.*kill");
	assert_nothing_left();
}
END_TEST

/* Second TERM: three seconds are left of the thirty. */
START_TEST(a_second_term_hurries)
{
	int64_t began = clock_ms();

	configure(POOL("a", "deaf", STATIC("1"), ""));
	start();
	wait_log(1, "\\] ready$");
	tell(SIGTERM);
	wait_log(1, "\\] deaf$");
	tell(SIGTERM);
	ck_assert_int_eq(exit_code(master), 0);
	ck_assert_int_lt(clock_ms() - began, 15000);
	assert_nothing_left();
}
END_TEST

START_TEST(a_second_int_kills_at_once)
{
	int64_t began;

	configure(POOL("a", "deaf", STATIC("1"), ""));
	start();
	wait_log(1, "\\] ready$");
	tell(SIGINT);
	wait_log(1, "\\] deaf$");
	began = clock_ms();
	tell(SIGINT);
	ck_assert_int_eq(exit_code(master), 0);
	ck_assert_int_lt(clock_ms() - began, 2000);
	assert_nothing_left();
}
END_TEST

START_TEST(stops_while_it_starts)
{
	configure(POOL("a", "mute", STATIC("2"), QUICK));
	open_notes();
	master = launch(false);
	wait_log(2, "\\] born$");
	tell(SIGTERM);
	ck_assert_int_eq(exit_code(master), 0);
	assert_nothing_left();
}
END_TEST

/* Nobody but the master holds the other end of a worker's channel. */
START_TEST(workers_notice_the_death_of_the_master)
{
	pid_t pids[8];
	unsigned n;

	configure(POOL("a", "good", STATIC("3"), "")
	    POOL("b", "good", STATIC("2"), ""));
	start();
	wait_log(5, "\\] ready$");
	ck_assert_uint_eq(n = workers(pids, 8), 5);
	tell(SIGKILL);
	ck_assert_int_eq(exit_code(master), 1000 + SIGKILL);
	while (n-- > 0)
		wait_gone(pids[n]);
}
END_TEST

/* ---- what a worker is given ---------------------------------------------- */

/* Standard three and a copy of the pipe that two of them are, channel, the
 * pool's exchange, the door of its hub, and its one listener. */
START_TEST(a_worker_has_only_its_own_descriptors)
{
	configure(POOL("a", "curious", STATIC("3"), "")
	    POOL("b", "curious", STATIC("2"), ""));
	start();
	wait_log(5, "\\] ready$");
	ck_assert_uint_eq(count_log("no more fds"), 5);
	ck_assert_uint_eq(count_log("\\] fd "), 5 * 9);
	ck_assert_uint_eq(count_log("\\] fd 0 is /dev/null"), 5);
	ck_assert_uint_eq(count_log("\\] fd [12] is pipe"), 10);
	ck_assert_uint_eq(count_log("is pipe"), 5 * 3);
	ck_assert_uint_eq(count_log("is socket"), 5 * 5);
	ck_assert_uint_eq(count_log("is .*/pid"), 0);
	stop();
}
END_TEST

START_TEST(output_is_logged_in_the_name_of_the_worker)
{
	pid_t pid;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	pid = ask("a.sock");
	wait_log(1, "notice \\[pool a\\] \\[pid %d\\] ready$", (int)pid);
	stop();
}
END_TEST

/* One that writes without end keeps neither another pool nor the end waiting. */
START_TEST(a_flood_starves_nobody)
{
	int fd;

	configure(POOL("a", "flood", STATIC("1"), QUICK)
	    POOL("b", "good", STATIC("1"), ""));
	start();
	fd = client("a.sock");
	served_by(fd);
	wait_log(1000, "flood$");
	forget_log();
	tell(SIGHUP);
	wait_log(1, "\\[pool b\\].* restarted");
	tell(SIGTERM);
	wait_log(1, "\\[pool b\\].* leaving");
	/* Whoever reads the log must go on, or the master waits for it. */
	while (is_alive(master) && waitpid(master, NULL, WNOHANG) == 0)
		if (poll(&(struct pollfd){ log_pipe, POLLIN, 0 }, 1, 50) == 1)
			hear_from(log_pipe, &log_text);
	close(fd);
	assert_nothing_left();
}
END_TEST

/* ---- death and back-off -------------------------------------------------- */

START_TEST(who_dies_is_replaced)
{
	pid_t pid;
	int fds;

	configure(POOL("a", "good", STATIC("2"), ""));
	start();
	wait_log(2, "\\] ready$");
	fds = master_fds();
	pid = ask("a.sock");
	forget_log();
	kill(pid, SIGKILL);
	wait_log(1, "a.*%d.*signal 9", (int)pid);
	wait_log(1, "\\] ready$");
	ck_assert_uint_eq(count_workers(), 2);
	ck_assert(!is_alive(pid));
	until_fds(fds);
	stop();
}
END_TEST

START_TEST(a_crash_is_said_and_mended)
{
	pid_t pid;

	configure(POOL("a", "crash", STATIC("1"), ""));
	start();
	pid = ask("a.sock");
	wait_log(1, "a.*%d.*signal 11", (int)pid);
	wait_log(2, "\\] ready$");
	ck_assert_int_ne(ask("a.sock"), pid);
	wait_log(3, "\\] ready$");
	stop();
}
END_TEST

START_TEST(who_leaves_of_its_own_accord_is_replaced)
{
	configure(POOL("a", "leaver", STATIC("1"), ""));
	start();
	ask("a.sock");
	wait_log(2, "\\] ready$");
	ask("a.sock");
	wait_log(3, "\\] ready$");
	stop();
}
END_TEST

START_TEST(who_leaves_at_once_is_replaced_ever_more_slowly)
{
	int64_t began = clock_ms();

	configure(POOL("a", "hasty", STATIC("1"), "")
	    POOL("b", "good", STATIC("1"), ""));
	start();
	wait_log(5, "pool a.* born$");
	ck_assert_int_ge(clock_ms() - began, 1500);
	ck_assert_int_gt(ask("b.sock"), 0);
	stop();
}
END_TEST

/* The fifth comes after 100 + 200 + 400 + 800 ms; a neighbour and its
 * clients notice nothing. */
START_TEST(who_dies_young_is_replaced_ever_more_slowly)
{
	int64_t began = clock_ms();

	configure(POOL("a", "broken", STATIC("1"), "")
	    POOL("b", "good", STATIC("1"), ""));
	start();
	ck_assert_int_gt(ask("b.sock"), 0);
	wait_log(5, "pool a.* born$");
	ck_assert_int_ge(clock_ms() - began, 1500);
	ck_assert_int_gt(ask("b.sock"), 0);
	wait_log(4, "a.*exited with code 70");
	stop();
}
END_TEST

START_TEST(a_broken_pool_recovers)
{
	configure(POOL("a", "good", STATIC("2"), "")
	    POOL("b", "good", STATIC("1"), ""));
	write_file("a.broken", "");
	start();
	wait_log(2, "pool a.* broken$");
	unlink("a.broken");
	wait_log(2, "pool a.* ready$");
	ck_assert_int_gt(ask("a.sock"), 0);
	stop();
}
END_TEST

START_TEST(without_any_pool_it_gives_up)
{
	configure(POOL("a", "broken", STATIC("2"), "")
	    POOL("b", "broken", ONDEMAND("2"), ""));
	open_notes();
	master = launch(false);
	ck_assert_int_eq(exit_code(master), 70);
	ck_assert_int_gt(count_log("."), -1);
	assert_nothing_left();
}
END_TEST

START_TEST(who_is_not_ready_in_time_is_killed)
{
	configure(POOL("a", "mute", STATIC("1"),
	    "timeouts: { start = \"100ms\"; };"));
	open_notes();
	master = launch(false);
	wait_log(1, "error \\[pool a\\].*timeouts.start");
	ck_assert_int_eq(exit_code(master), 70);
	hear_the_rest();
	ck_assert_uint_eq(count_log("error .pool a"), 1);
	assert_nothing_left();
}
END_TEST

/* And so is what it has started. */
START_TEST(who_hangs_is_killed_with_its_children)
{
	configure(POOL("a", "parent", STATIC("1"),
	    "timeouts: { start = \"100ms\"; };"));
	open_notes();
	master = launch(false);
	ck_assert_int_eq(exit_code(master), 70);
	ck_assert_int_gt(waitpid(-1, NULL, 0), 0);
	assert_nothing_left();
}
END_TEST

/* One after the other asks at once; the master does not fork all the time. */
START_TEST(who_asks_for_successors_all_the_time_gets_few)
{
	int64_t began;

	configure(POOL("a", "eager", STATIC("1"), ""));
	start();
	began = clock_ms();
	wait_log(6, "\\] ready$");
	ck_assert_int_ge(clock_ms() - began, 400);
	stop();
}
END_TEST

START_TEST(who_says_that_it_is_gone_and_stays_is_killed)
{
	int fd;

	configure(POOL("a", "liar", STATIC("1"), ""));
	start();
	fd = client("a.sock");
	served_by(fd);
	wait_log(1, "does not leave in time: killed");
	wait_log(2, "\\] ready$");
	close(fd);
	stop();
}
END_TEST

START_TEST(who_hangs_in_its_restart_is_killed)
{
	configure(POOL("a", "sleeper", STATIC("2"),
	    "timeouts: { start = \"500ms\"; };"));
	start();
	wait_log(2, "\\] ready$");
	forget_log();
	tell(SIGHUP);
	wait_log(2, "restart hangs beyond timeouts.start: killed");
	wait_log(2, "\\] ready$");
	stop();
}
END_TEST

/* What a worker writes about its restart is hostile. */
START_TEST(who_restarts_for_ever_holds_up_no_reload)
{
	configure(POOL("a", "dreamer", STATIC("1"),
	    "timeouts: { start = \"300ms\"; stop = \"300ms\"; };")
	    POOL("b", "good", STATIC("1"), ""));
	start();
	reload();
	ck_assert_int_gt(ask("b.sock"), 0);
	stop();
}
END_TEST

START_TEST(who_never_says_what_a_hup_would_do_holds_up_no_reload)
{
	configure(POOL("a", "absent", STATIC("1"),
	    "timeouts: { start = \"20s\"; stop = \"300ms\"; };")
	    POOL("b", "good", STATIC("1"), ""));
	start();
	configure(POOL("a", "absent", STATIC("1"),
	    "timeouts: { start = \"300ms\"; stop = \"300ms\"; };")
	    POOL("b", "good", STATIC("1"), ""));
	reload();
	ck_assert_int_gt(ask("b.sock"), 0);
	stop();
}
END_TEST

START_TEST(who_leaves_before_it_is_ready_has_failed)
{
	configure(POOL("a", "coward", STATIC("1"), "")
	    POOL("b", "good", STATIC("1"), ""));
	start();
	wait_log(1, "pool a.*exited with code 0 before it was ready");
	wait_log(1, "pool a: 1 failure in a row");
	ck_assert_int_gt(ask("b.sock"), 0);
	stop();
}
END_TEST

/* No descriptors left: said once, and tried again until it works. */
START_TEST(a_failing_fork_is_tried_again)
{
	struct rlimit few = { 3, 0 }, before;
	pid_t pid;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	pid = ask("a.sock");
	ck_assert_int_eq(prlimit(master, RLIMIT_NOFILE, NULL, &before), 0);
	few.rlim_max = before.rlim_max;
	ck_assert_int_eq(prlimit(master, RLIMIT_NOFILE, &few, NULL), 0);
	forget_log();
	kill(pid, SIGKILL);
	wait_log(1, "a.*fork.*Too many open files");
	ck_assert_int_eq(prlimit(master, RLIMIT_NOFILE, &before, NULL), 0);
	wait_log(1, "\\] ready$");
	ck_assert_uint_eq(count_log("Too many open files"), 1);
	stop();
}
END_TEST

/* ---- reload -------------------------------------------------------------- */

START_TEST(hup_is_handed_on_to_an_unchanged_pool)
{
	pid_t before[4], after[4];

	configure(POOL("a", "good", STATIC("3"), ""));
	start();
	wait_log(3, "\\] ready$");
	workers(before, 4);
	tell(SIGHUP);
	wait_note("RELOADING=1");
	wait_note("MONOTONIC_USEC=");
	wait_note("READY=1");
	wait_log(3, "\\] restarted$");
	ck_assert_uint_eq(workers(after, 4), 3);
	ck_assert_mem_eq(before, after, 3 * sizeof(pid_t));
	stop();
}
END_TEST

#define DYNAMIC(min)                                                           \
	"mode = \"dynamic\"; max = 6; start = " min "; min_spare = " min ";" \
	" max_spare = 4;"

START_TEST(a_tunable_change_is_applied_in_place)
{
	pid_t pid;

	configure(POOL("a", "good", DYNAMIC("1"), ""));
	start();
	pid = ask("a.sock");
	configure(POOL("a", "good", DYNAMIC("3"), ""));
	reload();
	wait_log(3, "\\] ready$");
	ck_assert_uint_le(count_workers(), 4); /* one if it was busy still */
	ck_assert(is_alive(pid));
	ck_assert_uint_eq(count_log("leaving"), 0);
	stop();
}
END_TEST

/* New workers first; the old one finishes what it has in hand. */
START_TEST(another_change_brings_new_workers)
{
	int held, fds;
	pid_t old;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	held = client("a.sock");
	old = served_by(held);
	fds = master_fds();
	configure(POOL("a", "good", STATIC("2"), ""));
	reload();
	ck_assert_int_ne(ask("a.sock"), old);
	ck_assert(is_alive(old));
	close(held);
	wait_gone(old);
	wait_log(1, "pid %d\\] leaving", (int)old);
	forget_log();
	for (int i = 0; i < 5; i++) {
		if (i % 2 == 0)
			configure(POOL("a", "good", STATIC("1"), ""));
		else
			configure(POOL("a", "good", STATIC("2"), ""));
		old = ask("a.sock");
		reload();
		wait_gone(old);
	}
	until_workers(1);
	until_fds(fds);
	stop();
}
END_TEST

START_TEST(a_bad_file_changes_nothing)
{
	pid_t pid;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	pid = ask("a.sock");
	write_file("conf", "nonsense = 1;\npools: {\n  a: { app = 7; };\n};\n");
	reload();
	wait_log(1, "error .*/conf:1: .*nonsense");
	wait_log(1, "error .*/conf:3: .*app");
	ck_assert_int_eq(ask("a.sock"), pid);
	configure(POOL("a", "good", STATIC("1"), ""));
	reload();
	ck_assert_int_eq(ask("a.sock"), pid);
	stop();
}
END_TEST

/* The old ones serve on, until a reload succeeds. */
START_TEST(a_generation_that_does_not_come_up_is_given_up)
{
	pid_t pid;
	int fds;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	pid = ask("a.sock");
	fds = master_fds();
	configure(POOL("a", "broken", STATIC("2"), ""));
	reload();
	wait_log(1, "error.*pool.*a");
	ck_assert_int_eq(ask("a.sock"), pid);
	reload();
	ck_assert_int_eq(ask("a.sock"), pid);
	ck_assert_uint_eq(count_log("leaving"), 0);
	until_workers(1);
	until_fds(fds);
	configure(POOL("a", "good", STATIC("2"), ""));
	reload();
	ck_assert_int_ne(ask("a.sock"), pid);
	wait_gone(pid);
	stop();
}
END_TEST

/* Whole or not at all: who came up serves nobody before the others have. */
START_TEST(a_generation_that_comes_up_in_part_is_given_up)
{
	int held, other, gate;
	pid_t old;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	held = client("a.sock");
	old = served_by(held);
	forget_log();
	ck_assert_int_eq(mkfifo("gate", 0600), 0);
	configure(POOL("a", "half", "mode = \"dynamic\"; max = 4; start = 2;"
	    " min_spare = 2; max_spare = 2;", ""));
	tell(SIGHUP);
	wait_log(1, "\\] ready$");
	other = client("a.sock");
	ck_assert_int_ne(gate = open("gate", O_RDWR), -1);
	wait_log(1, "error.*pool a.*stay: a worker exited with code 70");
	wait_log(1, "reload refused: nothing has changed");
	wait_log(1, "leaving");
	close(held);
	ck_assert_int_eq(served_by(other), old);
	close(other);
	stop();
	close(gate);
}
END_TEST

/* All pools or none. */
START_TEST(a_pool_that_hangs_holds_the_reload)
{
	pid_t a;

	configure(POOL("a", "good", STATIC("1"), "")
	    POOL("b", "good", STATIC("1"), QUICK));
	start();
	a = ask("a.sock");
	forget_log();
	configure(POOL("b", "mute", STATIC("1"),
	    "timeouts: { start = \"500ms\"; }; ")
	    POOL("a", "good", STATIC("2"), ""));
	reload();
	wait_log(1, "error.*pool b.*stay: a worker is not ready within");
	ck_assert_uint_eq(count_log("pool a.*leave"), 0);
	ck_assert_int_eq(ask("a.sock"), a);
	ck_assert_int_gt(ask("b.sock"), 0);
	stop();
}
END_TEST

START_TEST(pools_come_and_go)
{
	int held, waiting;
	pid_t a;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	a = ask("a.sock");
	configure(POOL("a", "good", STATIC("1"), "")
	    POOL("b", "good", STATIC("1"), ""));
	reload();
	held = client("b.sock");
	served_by(held);
	waiting = client("b.sock");
	configure(POOL("a", "good", STATIC("1"), ""));
	reload();
	ck_assert_int_eq(access("b.sock", F_OK), -1);
	close(held);
	served_by(waiting);
	close(waiting);
	wait_log(1, "pool b.* leaving");
	ck_assert_int_eq(ask("a.sock"), a);
	stop();
}
END_TEST

#define TWO_LISTENERS(first, second)                                           \
	"a: { app = \"good\"; listen = ( " first ", " second " );"            \
	" workers: { mode = \"static\"; max = 1; }; };\n"

/* The address that stays is never closed; what waits there is not lost. */
START_TEST(a_changed_list_of_addresses)
{
	struct stat before, after;
	int held, waiting;

	configure(TWO_LISTENERS("\"./a.sock\"", "\"./b.sock\""));
	start();
	ck_assert_int_eq(stat("a.sock", &before), 0);
	held = client("b.sock");
	served_by(held);
	waiting = client("a.sock");
	configure(TWO_LISTENERS("\"./a.sock\"", "\"./c.sock\""));
	reload();
	ck_assert_int_eq(stat("a.sock", &after), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	served_by(waiting);
	close(waiting);
	ck_assert_int_gt(ask("c.sock"), 0);
	ck_assert_int_eq(access("b.sock", F_OK), -1);
	close(held);
	stop();
}
END_TEST

static unsigned
mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_mode & 0777;
}

/* The socket stays and takes on the new mode; a file that somebody has put in
 * its place does not. */
START_TEST(a_changed_mode_of_the_socket)
{
	configure(POOL("a", "good", STATIC("1"), "listen_mode = \"0600\";"));
	start();
	ck_assert_uint_eq(mode_of("a.sock"), 0600);
	configure(POOL("a", "good", STATIC("1"), "listen_mode = \"0666\";"));
	reload();
	ck_assert_uint_eq(mode_of("a.sock"), 0666);
	ck_assert_int_gt(ask("a.sock"), 0);
	write_file("precious", "");
	ck_assert_int_eq(chmod("precious", 0600), 0);
	ck_assert_int_eq(rename("a.sock", "away"), 0);
	ck_assert_int_eq(symlink("precious", "a.sock"), 0);
	configure(POOL("a", "good", STATIC("1"), "listen_mode = \"0660\";"));
	reload();
	ck_assert_uint_eq(mode_of("precious"), 0600);
	ck_assert_int_eq(unlink("a.sock"), 0);
	stop();
}
END_TEST

START_TEST(an_address_that_is_taken_leaves_the_pool_as_it_was)
{
	pid_t pid;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	pid = ask("a.sock");
	write_file("b.sock", "not a socket");
	configure(TWO_LISTENERS("\"./a.sock\"", "\"./b.sock\""));
	reload();
	wait_log(1, "error.*b.sock");
	ck_assert_int_eq(ask("a.sock"), pid);
	unlink("b.sock");
	reload();
	ck_assert_int_gt(ask("b.sock"), 0);
	stop();
}
END_TEST

/* HUP to workers that cannot restart: the new ones come first. */
START_TEST(workers_that_cannot_restart_have_successors)
{
	pid_t old[4];

	configure(POOL("a", "stateful", STATIC("2"), ""));
	start();
	wait_log(2, "\\] ready$");
	ck_assert_uint_eq(workers(old, 4), 2);
	forget_log();
	tell(SIGHUP);
	for (int i = 0; i < 2; i++)
		wait_gone(old[i]);
	wait_log(2, "ready$");
	wait_log(2, "leaving$");
	ck_assert_uint_eq(count_log("ready$"), 2);
	ck_assert_int_gt(ask("a.sock"), 0);
	until_workers(2);
	stop();
}
END_TEST

START_TEST(without_successors_they_stay)
{
	pid_t pid;

	configure(POOL("a", "stateful", STATIC("1"), ""));
	start();
	pid = ask("a.sock");
	write_file("a.broken", "");
	tell(SIGHUP);
	wait_log(1, "exited with code 70");
	wait_log(1, "reload refused: nothing has changed");
	ck_assert_int_eq(ask("a.sock"), pid);
	unlink("a.broken");
	tell(SIGHUP);
	wait_gone(pid);
	ck_assert_int_ne(ask("a.sock"), pid);
	stop();
}
END_TEST

/* The second HUP comes while the new generation is not ready yet. */
START_TEST(a_hup_during_a_reload_is_done_after_it)
{
	int gate;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	ck_assert_int_eq(mkfifo("gate", 0600), 0);
	configure(POOL("a", "gated", STATIC("1"), ""));
	forget_log();
	tell(SIGHUP);
	wait_note("RELOADING=1");
	wait_log(1, "born$");
	configure(POOL("a", "good", STATIC("1"), ""));
	tell(SIGHUP);
	ck_assert_int_gt(ask("a.sock"), 0);
	ck_assert_int_ne(gate = open("gate", O_WRONLY), -1);
	wait_note("RELOADING=1");
	wait_note("READY=1");
	wait_log(2, "born$");
	wait_log(2, "leaving$");
	stop();
	close(gate);
}
END_TEST

START_TEST(it_stops_during_a_reload)
{
	configure(POOL("a", "good", STATIC("1"), QUICK));
	start();
	configure(POOL("a", "mute", STATIC("2"), QUICK)
	    POOL("b", "mute", STATIC("1"), QUICK));
	forget_log();
	tell(SIGHUP);
	wait_log(3, "born$");
	tell(SIGTERM);
	ck_assert_int_eq(exit_code(master), 0);
	assert_nothing_left();
}
END_TEST

START_TEST(signals_without_a_meaning_do_no_harm)
{
	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	tell(SIGUSR1);
	tell(SIGUSR2);
	tell(SIGPIPE);
	tell(SIGCHLD);
	wait_log(1, "error .*upgrade refused: the new binary exited with code 1");
	wait_log(1, "error .*upgrade refused: nothing has changed");
	reload();
	stop();
}
END_TEST

/* ---- ondemand ------------------------------------------------------------ */

/* Stop the master, so that all come at once for it. */
static void
crowd(int *fds, int n)
{
	tell(SIGSTOP);
	for (int i = 0; i < n; i++)
		fds[i] = client("a.sock");
	tell(SIGCONT);
}

static void
rest(void)
{
	until_workers(0);
	wait_log(1, "leaving$");
	forget_log();
}

START_TEST(a_burst_is_met_at_once)
{
	int fds[5];
	pid_t pids[5];

	configure(POOL("a", "good", ONDEMAND("8"), ""));
	start();
	rest();
	crowd(fds, 5);
	for (int i = 0; i < 5; i++) {
		pids[i] = served_by(fds[i]);
		for (int j = 0; j < i; j++)
			ck_assert_int_ne(pids[i], pids[j]);
	}
	ck_assert_uint_eq(count_workers(), 5);
	wait_log(5, "born$");
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	for (int i = 0; i < 5; i++)
		wait_gone(pids[i]);
	stop();
}
END_TEST

START_TEST(a_burst_stops_at_max)
{
	int fds[6], served = 0;

	configure(POOL("a", "good", ONDEMAND("3"), ""));
	start();
	rest();
	crowd(fds, 6);
	for (; served < 3; served++)
		served_by(fds[served]);
	ck_assert_uint_eq(count_workers(), 3);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	for (; served < 6; served++) {
		served_by(fds[served]);
		close(fds[served]);
	}
	stop();
	hear_the_rest();
	ck_assert_uint_eq(count_log("born$"), 3);
}
END_TEST

START_TEST(one_after_the_other_while_all_are_busy)
{
	int fds[4];

	configure(POOL("a", "good", ONDEMAND("4"), ""));
	start();
	for (int i = 0; i < 4; i++) {
		fds[i] = client("a.sock");
		served_by(fds[i]);
	}
	ck_assert_uint_eq(count_workers(), 4);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	stop();
}
END_TEST

START_TEST(a_stop_serves_clients_without_a_worker)
{
	int fds[3];

	configure(POOL("a", "good", ONDEMAND("2"), ""));
	start();
	rest();
	tell(SIGSTOP);
	for (int i = 0; i < 3; i++)
		fds[i] = client("a.sock");
	tell(SIGTERM);
	tell(SIGCONT);
	for (int i = 0; i < 3; i++) {
		served_by(fds[i]);
		close(fds[i]);
	}
	ck_assert_int_eq(exit_code(master), 0);
	assert_nothing_left();
}
END_TEST

/* The worker that was to leave has looked at the queue for the last time. */
START_TEST(a_stop_serves_clients_that_the_last_worker_has_missed)
{
	int fd, gate;

	configure(POOL("a", "lingers", ONDEMAND("1"), ""));
	ck_assert_int_eq(mkfifo("gate", 0600), 0);
	start();
	wait_log(1, "leaving$");
	fd = client("a.sock");
	tell(SIGTERM);
	wait_note("STOPPING=1");
	ck_assert_int_ne(gate = open("gate", O_RDWR), -1);
	served_by(fd);
	close(fd);
	ck_assert_int_eq(exit_code(master), 0);
	close(gate);
	assert_nothing_left();
}
END_TEST

/* What a busy worker hands on has a worker forked for it, like a client. */
START_TEST(a_connection_handed_on_calls_a_worker)
{
	int fd;

	configure(POOL("a", "hander", ONDEMAND("2"), ""));
	start();
	fd = client("a.sock");
	served_by(fd);
	ck_assert_uint_eq(count_workers(), 2);
	close(fd);
	stop();
}
END_TEST

START_TEST(a_sleeping_pool_is_reloaded)
{
	configure(POOL("a", "good", ONDEMAND("2"), ""));
	start();
	rest();
	configure(POOL("a", "good", ONDEMAND("3"), ""));
	reload();
	ck_assert_int_gt(ask("a.sock"), 0);
	rest();
	reload();
	ck_assert_int_gt(ask("a.sock"), 0);
	stop();
}
END_TEST

/* ---- dynamic ------------------------------------------------------------- */

#define SPARE                                                                  \
	"mode = \"dynamic\"; max = 5; start = 1; min_spare = 1; max_spare = 2;"

START_TEST(spare_workers_grow_with_the_load)
{
	int fds[5];

	configure(POOL("a", "good", SPARE, ""));
	start();
	for (int i = 0; i < 5; i++) {
		fds[i] = client("a.sock");
		served_by(fds[i]);
	}
	wait_log(5, "ready$");
	ck_assert_uint_eq(count_workers(), 5);
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	wait_log(3, "leaving$");
	ck_assert_int_gt(ask("a.sock"), 0);
	stop();
}
END_TEST

/*
 * The linker gives the master this in the place of board_ask
 * (Makefile.am): an idle worker goes busy just between the master's look and
 * its asking to be told of that, once.
 */
static bool hasty;
bool __real_board_ask(struct board *board, unsigned idle);
bool __wrap_board_ask(struct board *board, unsigned idle);

static void
go_busy(const struct place *place)
{
	struct score_memory *memory = mmap(NULL, sizeof(*memory),
	    PROT_READ | PROT_WRITE, MAP_SHARED, place->fd, 0);

	atomic_store(&memory->page.state, SCORE_BUSY);
	munmap(memory, sizeof(*memory));
	hasty = false;
}

bool
__wrap_board_ask(struct board *board, unsigned idle)
{
	struct score_slot seen;

	for (unsigned i = 0; hasty && idle > 0 && i < board->nslots; i++)
		if (board_read(board, i, &seen) && seen.state == SCORE_IDLE)
			go_busy(&board->place[i]);
	return __real_board_ask(board, idle);
}

START_TEST(who_goes_busy_behind_the_masters_back_is_seen)
{
	configure(POOL("a", "good", SPARE, ""));
	hasty = true;
	start();
	wait_log(2, "ready$");
	stop();
}
END_TEST

/* ---- pid file and -D ----------------------------------------------------- */

static pid_t
pid_of_file(void)
{
	FILE *in = fopen("pid", "r");
	int pid = 0;

	ck_assert_ptr_nonnull(in);
	ck_assert_int_eq(fscanf(in, "%d", &pid), 1);
	fclose(in);
	return pid;
}

START_TEST(a_second_daemon_refuses)
{
	int code;

	configure(POOL("a", "good", STATIC("1"), ""));
	start();
	ck_assert_int_eq(pid_of_file(), master);
	forget_log();
	code = exit_code(launch(false));
	ck_assert_int_eq(code, 71);
	wait_log(1, "%d", (int)master);
	ck_assert_int_gt(ask("a.sock"), 0);
	stop();
}
END_TEST

#define NOWHERE(name)                                                          \
	name ": { app = \"good\"; listen = \"./no/such/" name ".sock\"; };\n"

START_TEST(an_address_that_cannot_be_bound)
{
	configure(POOL("a", "good", STATIC("1"), "") NOWHERE("b"));
	start();
	wait_log(1, "error.*no/such/b.sock");
	ck_assert_int_gt(ask("a.sock"), 0);
	stop();
}
END_TEST

START_TEST(no_address_that_can_be_bound)
{
	configure(NOWHERE("a") NOWHERE("b"));
	open_notes();
	master = launch(false);
	ck_assert_int_eq(exit_code(master), 71);
	wait_log(1, "error.*no/such/a.sock");
	wait_log(1, "error.*no/such/b.sock");
	wait_log(1, "error.*no pool can be opened");
	assert_nothing_left();
}
END_TEST

/* It lets go of the terminal when it logs elsewhere. */
START_TEST(it_lets_go_of_stderr)
{
	char path[64], target[64] = "";

	write_file("conf", "error_log = \"./log\"; pid_file = \"./pid\";"
	    "pools: {" POOL("a", "good", STATIC("1"), "") "};");
	ck_assert_int_eq(exit_code(launch(true)), 0);
	master = pid_of_file();
	for (int fd = 0; fd < 3; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)master, fd);
		ck_assert_int_gt(readlink(path, target, sizeof(target) - 1), 0);
		ck_assert_str_eq(target, "/dev/null");
	}
	stop();
}
END_TEST

/* The command ends when the pool is up; then the daemon is on its own. */
START_TEST(it_detaches)
{
	pid_t command;

	configure(POOL("a", "good", STATIC("1"), ""));
	command = launch(true);
	ck_assert_int_eq(exit_code(command), 0);
	master = pid_of_file();
	ck_assert_int_ne(master, command);
	ck_assert_int_ne(getsid(master), getsid(0));
	ck_assert_int_gt(ask("a.sock"), 0);
	stop();
}
END_TEST

START_TEST(it_tells_why_it_does_not_detach)
{
	configure(POOL("a", "broken", STATIC("1"), ""));
	ck_assert_int_eq(exit_code(launch(true)), 70);
	while (waitpid(-1, NULL, 0) > 0)
		;
	wait_log(1, "exited with code 70");
	assert_nothing_left();
}
END_TEST

static void
add_life(TCase *t)
{
	tcase_add_test(t, starts_and_stops);
	tcase_add_test(t, serves_what_waits_before_it_stops);
	tcase_add_test(t, kills_who_does_not_leave);
	tcase_add_test(t, a_second_term_hurries);
	tcase_add_test(t, a_second_int_kills_at_once);
	tcase_add_test(t, stops_while_it_starts);
	tcase_add_test(t, workers_notice_the_death_of_the_master);
	tcase_add_test(t, a_worker_has_only_its_own_descriptors);
	tcase_add_test(t, output_is_logged_in_the_name_of_the_worker);
	tcase_add_test(t, a_flood_starves_nobody);
	tcase_add_test(t, who_dies_is_replaced);
	tcase_add_test(t, a_crash_is_said_and_mended);
	tcase_add_test(t, who_leaves_of_its_own_accord_is_replaced);
	tcase_add_test(t, who_leaves_at_once_is_replaced_ever_more_slowly);
	tcase_add_test(t, who_dies_young_is_replaced_ever_more_slowly);
	tcase_add_test(t, a_broken_pool_recovers);
	tcase_add_test(t, without_any_pool_it_gives_up);
	tcase_add_test(t, who_is_not_ready_in_time_is_killed);
	tcase_add_test(t, who_hangs_is_killed_with_its_children);
	tcase_add_test(t, who_asks_for_successors_all_the_time_gets_few);
	tcase_add_test(t, who_says_that_it_is_gone_and_stays_is_killed);
	tcase_add_test(t, who_hangs_in_its_restart_is_killed);
	tcase_add_test(t, who_restarts_for_ever_holds_up_no_reload);
	tcase_add_test(t,
	    who_never_says_what_a_hup_would_do_holds_up_no_reload);
	tcase_add_test(t, who_leaves_before_it_is_ready_has_failed);
	tcase_add_test(t, a_failing_fork_is_tried_again);
}

static void
add_reload(TCase *t)
{
	tcase_add_test(t, hup_is_handed_on_to_an_unchanged_pool);
	tcase_add_test(t, a_tunable_change_is_applied_in_place);
	tcase_add_test(t, another_change_brings_new_workers);
	tcase_add_test(t, a_bad_file_changes_nothing);
	tcase_add_test(t, a_generation_that_does_not_come_up_is_given_up);
	tcase_add_test(t,
	    a_generation_that_comes_up_in_part_is_given_up);
	tcase_add_test(t, a_pool_that_hangs_holds_the_reload);
	tcase_add_test(t, pools_come_and_go);
	tcase_add_test(t, a_changed_list_of_addresses);
	tcase_add_test(t, a_changed_mode_of_the_socket);
	tcase_add_test(t, an_address_that_is_taken_leaves_the_pool_as_it_was);
	tcase_add_test(t, workers_that_cannot_restart_have_successors);
	tcase_add_test(t, without_successors_they_stay);
	tcase_add_test(t, a_hup_during_a_reload_is_done_after_it);
	tcase_add_test(t, it_stops_during_a_reload);
	tcase_add_test(t, signals_without_a_meaning_do_no_harm);
}

static void
add_modes(TCase *t)
{
	tcase_add_test(t, a_burst_is_met_at_once);
	tcase_add_test(t, a_burst_stops_at_max);
	tcase_add_test(t, one_after_the_other_while_all_are_busy);
	tcase_add_test(t, a_stop_serves_clients_without_a_worker);
	tcase_add_test(t, a_stop_serves_clients_that_the_last_worker_has_missed);
	tcase_add_test(t, a_connection_handed_on_calls_a_worker);
	tcase_add_test(t, a_sleeping_pool_is_reloaded);
	tcase_add_test(t, spare_workers_grow_with_the_load);
	tcase_add_test(t, who_goes_busy_behind_the_masters_back_is_seen);
	tcase_add_test(t, a_second_daemon_refuses);
	tcase_add_test(t, an_address_that_cannot_be_bound);
	tcase_add_test(t, no_address_that_can_be_bound);
	tcase_add_test(t, it_detaches);
	tcase_add_test(t, it_lets_go_of_stderr);
	tcase_add_test(t, it_tells_why_it_does_not_detach);
}

static Suite *
suite(void)
{
	static void (*const parts[])(TCase *) = { add_life, add_reload,
		add_modes };
	static const char *const names[] = { "life", "reload", "modes" };
	Suite *s = suite_create("master");
	TCase *t;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		t = tcase_create(names[i]);
		tcase_set_timeout(t, 60);
		tcase_add_checked_fixture(t, setup, teardown);
		parts[i](t);
		suite_add_tcase(s, t);
	}
	return s;
}

/* Workers are this program again. */
int
main(void)
{
	struct why why;
	int orders;

	if (image_orders(&orders))
		worker_main(worker_args_take(orders, &why));
	return unit_run(suite());
}

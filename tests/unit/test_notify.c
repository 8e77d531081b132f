#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "master/notify.h"

#include "unit.h"

static char directory[64], path[96];

static void
setup(void)
{
	strcpy(directory, "/tmp/lua-fpm-notify.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/notify", directory);
}

static void
teardown(void)
{
	unlink(path);
	rmdir(directory);
}

/* The service manager's end, of this name ("@": abstract). */
static int
listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	ck_assert_int_ne(fd, -1);
	memcpy(address.sun_path, name, n);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void
assert_heard(int fd, const char *want)
{
	char text[1000];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, want);
}

START_TEST(one_message_is_one_datagram)
{
	int fd = listen_at(path);

	notify_init();
	notify_send("READY=1\nSTATUS=%d pools", 3);
	notify_send("STOPPING=1");
	assert_heard(fd, "READY=1\nSTATUS=3 pools");
	assert_heard(fd, "STOPPING=1");
	ck_assert_int_eq(recv(fd, path, 1, MSG_DONTWAIT), -1);
}
END_TEST

START_TEST(abstract_names_too)
{
	char name[108];
	int fd;

	snprintf(name, sizeof(name), "@%s", path);
	fd = listen_at(name);
	notify_init();
	notify_send("READY=1");
	assert_heard(fd, "READY=1");
}
END_TEST

START_TEST(the_environment_loses_it)
{
	listen_at(path);
	notify_init();
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
	int fd = listen_at(path);

	unsetenv("NOTIFY_SOCKET");
	notify_init();
	notify_send("READY=1");
	ck_assert_int_eq(recv(fd, path, 1, MSG_DONTWAIT), -1);
}
END_TEST

START_TEST(a_manager_that_is_gone_harms_nobody)
{
	close(listen_at(path));
	notify_init();
	notify_send("READY=1");
	unlink(path);
	notify_send("READY=1");
}
END_TEST

START_TEST(a_name_that_is_none_is_ignored)
{
	static const char *names[] = { "", "@", "/", "relative", "vsock:2:1" };
	char long_name[300];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		notify_init();
		notify_send("READY=1");
	}
	memset(long_name, '/', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	setenv("NOTIFY_SOCKET", long_name, 1);
	notify_init();
	notify_send("READY=1");
}
END_TEST

static void
set_watchdog(const char *usec, pid_t pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%d", (int)pid);
	setenv("WATCHDOG_USEC", usec, 1);
	setenv("WATCHDOG_PID", text, 1);
}

START_TEST(signs_of_life_come_from_the_loop)
{
	int fd = listen_at(path);
	struct loop *loop = loop_new();

	set_watchdog("20000", getpid());
	notify_init();
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_ptr_null(getenv("WATCHDOG_PID"));
	notify_watchdog(loop);
	assert_heard(fd, "WATCHDOG=1");
	ck_assert_int_eq(recv(fd, path, 1, MSG_DONTWAIT), -1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(loop_turn(loop, 10000), 0);
		assert_heard(fd, "WATCHDOG=1");
	}
	loop_free(loop);
}
END_TEST

START_TEST(signs_of_life_of_another_are_not_ours)
{
	static const char *none[] = { "0", "-1", "soon", "" };
	int fd = listen_at(path);
	struct loop *loop = loop_new();

	set_watchdog("20000", getppid());
	notify_init();
	notify_watchdog(loop);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		setenv("NOTIFY_SOCKET", path, 1);
		set_watchdog(none[i], getpid());
		notify_init();
		notify_watchdog(loop);
	}
	ck_assert_int_eq(loop_turn(loop, 50), 0);
	ck_assert_int_eq(recv(fd, path, 1, MSG_DONTWAIT), -1);
	loop_free(loop);
}
END_TEST

START_TEST(an_image_that_follows_finds_it_all_again)
{
	char pid[24], name[112];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(name, sizeof(name), "@%s", path);
	listen_at(name);
	set_watchdog("30000000", getpid());
	notify_init();
	notify_hand_on();
	ck_assert_str_eq(getenv("NOTIFY_SOCKET"), name);
	ck_assert_str_eq(getenv("WATCHDOG_USEC"), "30000000");
	ck_assert_str_eq(getenv("WATCHDOG_PID"), pid);
	notify_init();
	notify_init();
	notify_hand_on();
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	ck_assert_ptr_null(getenv("WATCHDOG_USEC"));
	ck_assert_ptr_null(getenv("WATCHDOG_PID"));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("notify");
	TCase *t = tcase_create("notify");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_message_is_one_datagram);
	tcase_add_test(t, abstract_names_too);
	tcase_add_test(t, the_environment_loses_it);
	tcase_add_test(t, without_a_manager_nothing_happens);
	tcase_add_test(t, a_manager_that_is_gone_harms_nobody);
	tcase_add_test(t, a_name_that_is_none_is_ignored);
	tcase_add_test(t, signs_of_life_come_from_the_loop);
	tcase_add_test(t, signs_of_life_of_another_are_not_ours);
	tcase_add_test(t, an_image_that_follows_finds_it_all_again);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

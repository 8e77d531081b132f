#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fd_leave.h"

#include "unit.h"

START_TEST(flags_go_on_and_off)
{
	int fds[2];

	ck_assert_int_eq(fd_pipe(fds), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fd_cloexec(fds[0], false), 0);
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), 0);
	ck_assert_int_eq(fd_nonblock(fds[1], true), 0);
	ck_assert(fcntl(fds[1], F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_ACCMODE, O_WRONLY);
	ck_assert_int_eq(fd_nonblock(fds[1], false), 0);
	ck_assert(!(fcntl(fds[1], F_GETFL) & O_NONBLOCK));
	ck_assert_int_eq(fd_nonblock(-1, true), -1);
	ck_assert_int_eq(fd_cloexec(-1, true), -1);
}
END_TEST

START_TEST(close_is_told)
{
	int fds[2], copy;

	ck_assert_int_eq(fd_pipe(fds), 0);
	copy = fds[0];
	fd_close(&fds[0]);
	ck_assert_int_eq(fds[0], -1);
	ck_assert_int_eq(fcntl(copy, F_GETFD), -1);
	fd_close(&fds[0]);
}
END_TEST

/* More than a pipe holds: write(2) returns in parts. */
START_TEST(all_is_written)
{
	static char out[1 << 20], in[sizeof(out) + 1];
	size_t n = 0;
	ssize_t got;
	int fds[2];

	memset(out, 'x', sizeof(out));
	out[sizeof(out) - 1] = 'y';
	ck_assert_int_eq(fd_pipe(fds), 0);
	if (fork() == 0)
		_exit(fd_write_all(fds[1], out, sizeof(out)) == 0 ? 0 : 1);
	close(fds[1]);
	while ((got = read(fds[0], in + n, sizeof(in) - n)) > 0)
		n += (size_t)got;
	ck_assert_uint_eq(n, sizeof(out));
	ck_assert_mem_eq(in, out, n);
	ck_assert_int_gt(wait(NULL), 0);
	errno = 0;
	ck_assert_int_eq(fd_write_all(-1, out, 1), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(a_descriptor_travels)
{
	int pair[2], pipe[2], got;
	char word[4] = "", byte = 0;

	ck_assert_int_eq(fd_pair(pair), 0);
	ck_assert_int_eq(fd_pipe(pipe), 0);
	ck_assert_int_eq(fd_send(pair[0], pipe[1], "abc", 3), 3);
	close(pipe[1]);
	ck_assert_int_eq(fd_receive(pair[1], &got, word, sizeof(word)), 3);
	ck_assert_str_eq(word, "abc");
	ck_assert_int_eq(fcntl(got, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(write(got, "z", 1), 1);
	ck_assert_int_eq(read(pipe[0], &byte, 1), 1);
	ck_assert_int_eq(byte, 'z');
}
END_TEST

/* As fd_send, with two descriptors: nobody here sends such a message, but a
 * process that is not ours to trust may. */
static void
send_two(int sock, int a, int b)
{
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	char byte = '2';
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(head), (int[]){ a, b }, 2 * sizeof(int));
	ck_assert_int_eq(sendmsg(sock, &msg, 0), 1);
}

static int
lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

/* The first arrives, and no other stays open. */
START_TEST(of_two_descriptors_one_arrives)
{
	int pair[2], pipe[2], got, free, next;
	char byte;

	ck_assert_int_eq(fd_pair(pair), 0);
	ck_assert_int_eq(fd_pipe(pipe), 0);
	free = dup(STDERR_FILENO);
	next = lowest_free();
	close(free);
	for (int i = 0; i < 10; i++) {
		send_two(pair[0], pipe[1], pipe[0]);
		ck_assert_int_eq(fd_receive(pair[1], &got, &byte, 1), 1);
		ck_assert_int_eq(got, free);
		ck_assert_int_eq(fcntl(got, F_GETFL) & O_ACCMODE, O_WRONLY);
		ck_assert_int_eq(lowest_free(), next);
		close(got);
	}
}
END_TEST

/* A connection that who closes it last waits for, for ten minutes. */
static int
slow_connection(void)
{
	const struct linger slow = { 1, 600 };
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&at, &len);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, len), 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &slow, sizeof(slow));
	while (send(fd, &at, sizeof(at), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* Those that are not wanted are closed, and keep nobody. */
START_TEST(no_descriptor_keeps_who_closes_it)
{
	int pair[2], got, slow, next;
	char byte;

	ck_assert_int_eq(fd_pair(pair), 0);
	slow = slow_connection();
	next = slow_connection();
	send_two(pair[0], STDERR_FILENO, slow);
	send_two(pair[0], next, STDERR_FILENO);
	close(slow);
	close(next);
	slow = lowest_free();
	ck_assert_int_eq(fd_receive(pair[1], &got, &byte, 1), 1);
	close(got);
	ck_assert_int_eq(fd_receive_bytes(pair[1], &byte, 1), 1);
	ck_assert_int_eq(lowest_free(), slow);
	fd_discard(slow_connection());
	fd_discard(-1);
}
END_TEST

/* Nor does what lies in the queue of one that is closed. */
START_TEST(what_is_left_keeps_nobody)
{
	int pair[2], inner[2], slow = slow_connection(), got;
	char byte;

	ck_assert_int_eq(fd_pair(pair), 0);
	ck_assert_int_eq(fd_pair(inner), 0);
	ck_assert_int_eq(fd_send(inner[0], slow, "x", 1), 1);
	close(slow);
	ck_assert_int_eq(fd_send(pair[0], inner[1], "x", 1), 1);
	close(inner[0]);
	close(inner[1]);
	ck_assert_int_eq(fd_receive_leaving(pair[1], NULL, &byte, 1), 1);
	ck_assert_int_eq(fd_send(pair[0], slow_connection(), "x", 1), 1);
	fd_leave((int[]) { -1, -1 }, 2);
	ck_assert_int_eq(fd_receive_leaving(pair[1], &got, &byte, 1), 1);
	fd_leave(&got, 1);
	ck_assert_int_eq(fcntl(got, F_GETFD), -1);
	slow = slow_connection();
	ck_assert_int_eq(fd_send(pair[0], slow, "", 0), 0);
	close(slow);
	fd_leave_pair(pair);
	ck_assert_int_eq(fcntl(pair[1], F_GETFD), -1);
	while (wait(NULL) > 0)
		;
	ck_assert_int_eq(fd_pair(pair), 0);
	fd_leave_pair(pair);
	ck_assert_int_eq(wait(NULL), -1); /* no child for an empty one */
	ck_assert_int_eq(fcntl(pair[0], F_GETFD), -1);
}
END_TEST

START_TEST(a_word_travels_alone)
{
	int pair[2], got = 99;
	char word[4];

	ck_assert_int_eq(fd_pair(pair), 0);
	errno = 0;
	ck_assert_int_eq(fd_receive(pair[1], &got, word, sizeof(word)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(got, -1);
	ck_assert_int_eq(fd_send(pair[0], -1, "R", 1), 1);
	ck_assert_int_eq(fd_send(pair[0], -1, "X", 1), 1);
	got = 99;
	ck_assert_int_eq(fd_receive(pair[1], &got, word, sizeof(word)), 1);
	ck_assert_int_eq(word[0], 'R');
	ck_assert_int_eq(got, -1);
	ck_assert_int_eq(fd_receive(pair[1], &got, word, sizeof(word)), 1);
	ck_assert_int_eq(word[0], 'X');
	close(pair[0]);
	ck_assert_int_eq(fd_receive(pair[1], &got, word, sizeof(word)), 0);
}
END_TEST

START_TEST(sending_never_waits_nor_kills)
{
	int pair[2];

	ck_assert_int_eq(fd_pair(pair), 0);
	while (fd_send(pair[0], -1, "x", 1) == 1)
		;
	ck_assert_int_eq(errno, EAGAIN);
	close(pair[1]);
	ck_assert_int_eq(fd_send(pair[0], -1, "x", 1), -1);
	ck_assert(errno == EPIPE || errno == ECONNRESET);
}
END_TEST

START_TEST(last_words_outlive_unread_ones)
{
	int pair[2], got;
	char word = 0;

	ck_assert_int_eq(fd_pair(pair), 0);
	ck_assert_int_eq(fd_send(pair[0], -1, "x", 1), 1);
	ck_assert_int_eq(fd_send(pair[1], -1, "L", 1), 1);
	close(pair[1]);
	ck_assert_int_eq(fd_receive(pair[0], &got, &word, 1), 1);
	ck_assert_int_eq(word, 'L');
	ck_assert_int_eq(fd_receive(pair[0], &got, &word, 1), 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fd");
	TCase *t = tcase_create("fd");

	tcase_add_test(t, flags_go_on_and_off);
	tcase_add_test(t, close_is_told);
	tcase_add_test(t, all_is_written);
	tcase_add_test(t, a_descriptor_travels);
	tcase_add_test(t, of_two_descriptors_one_arrives);
	tcase_add_test(t, no_descriptor_keeps_who_closes_it);
	tcase_add_test(t, what_is_left_keeps_nobody);
	tcase_add_test(t, a_word_travels_alone);
	tcase_add_test(t, sending_never_waits_nor_kills);
	tcase_add_test(t, last_words_outlive_unread_ones);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

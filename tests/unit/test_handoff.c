/* What a worker takes from another: connections as they were, and nothing
 * that is not one, whatever it says. */

#include "worker/net/handoff.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "ipc/record.h"
#include "unit.h"
#include "worker/net/poller.h"

#define NOBODY 65534

static int exchange[2];
static int peer; /* the client's end of the last connection */

static int
pack_all(const struct conn *c, struct buf *out)
{
	return buf_add(out, c->in.data, c->in.len);
}

static void
set_up(void)
{
	const struct conn_limits limits = { .max = 2000, .nkinds = 1,
		.kinds = { { .name = "fcgi", .pack = pack_all,
		    .patience = { [CONN_HEAD] = 60000, [CONN_BODY] = 60000,
			[CONN_READY] = 60000, [CONN_IDLE] = 60000,
			[CONN_FLUSH] = 60000 } } } };
	int set = poller_open();

	ck_assert_int_ne(set, -1);
	ck_assert_int_eq(conn_init(set, &limits), 0);
	ck_assert_int_eq(fd_pair(exchange), 0);
}

static int
connection(void)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	peer = pair[0];
	return pair[1];
}

static struct conn *
parked(enum conn_state state, const char *bytes)
{
	struct conn *c = conn_add(connection(), 0);

	ck_assert_int_eq(conn_put_back(c, bytes, strlen(bytes)), 0);
	ck_assert_int_eq(conn_park(c, state), 0);
	return c;
}

/* A connection went through, and a byte of its peer arrives. */
static void
check_alive(struct conn *c)
{
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(write(peer, "x", 1), 1);
	ck_assert_int_eq(conn_receive(c, SIZE_MAX), 1);
	close(peer);
	conn_close(c);
}

START_TEST(goes_on_as_it_was)
{
	struct conn *c;

	ck_assert_int_eq(handoff_give(parked(CONN_HEAD, "half"), exchange[1]),
	    0);
	ck_assert_uint_eq(conn_count(CONN_HEAD), 0);
	c = handoff_take(exchange[0]);
	ck_assert_int_eq(c->state, CONN_HEAD);
	ck_assert_uint_eq(c->in.len, 4);
	ck_assert_mem_eq(c->in.data, "half", 4);
	check_alive(c);
	ck_assert_int_eq(handoff_give(parked(CONN_IDLE, ""), exchange[1]), 0);
	c = handoff_take(exchange[0]);
	ck_assert_int_eq(c->state, CONN_IDLE);
	ck_assert_uint_eq(c->in.len, 0);
	check_alive(c);
	ck_assert_ptr_null(handoff_take(exchange[0]));
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

/* What the peer has not taken of a response goes along, with what becomes of
 * the connection afterwards; more than fits stays. */
START_TEST(output_goes_along)
{
	static char much[HANDOFF_BYTES];
	struct conn *c = conn_add(connection(), 0);

	ck_assert_int_eq(conn_put_back(c, "next", 4), 0);
	ck_assert_int_eq(buf_puts(&c->out, "rest"), 0);
	c->then = CONN_THEN_LINGER;
	ck_assert_int_eq(conn_park(c, CONN_FLUSH), 0);
	ck_assert_int_eq(handoff_give(c, exchange[1]), 0);
	c = handoff_take(exchange[0]);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->state, CONN_FLUSH);
	ck_assert_int_eq(c->then, CONN_THEN_LINGER);
	ck_assert_uint_eq(c->out.len, 4);
	ck_assert_int_eq(memcmp(c->out.data, "rest", 4), 0);
	ck_assert_int_eq(memcmp(c->in.data, "next", 4), 0);
	ck_assert_int_eq(buf_add(&c->out, much, sizeof(much)), 0);
	ck_assert_int_eq(conn_park(c, CONN_FLUSH), 0);
	handoff_give_all(exchange[1], 0);
	ck_assert_uint_eq(conn_count(CONN_FLUSH), 1);
	ck_assert_ptr_null(handoff_take(exchange[0]));
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(as_many_bytes_as_may_be)
{
	struct conn *c = conn_add(connection(), 0);
	static char bytes[HANDOFF_BYTES];

	ck_assert_int_eq(conn_put_back(c, bytes, sizeof(bytes)), 0);
	conn_park(c, CONN_HEAD);
	ck_assert_int_eq(handoff_give(c, exchange[1]), 0);
	c = handoff_take(exchange[0]);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(c->in.len, sizeof(bytes));
	ck_assert_int_eq(conn_put_back(c, "x", 1), 0);
	conn_park(c, CONN_HEAD);
	ck_assert_int_eq(handoff_give(c, exchange[1]), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_uint_eq(conn_count(CONN_HEAD), 1);
	check_alive(c);
}
END_TEST

START_TEST(only_the_fresh_ones)
{
	parked(CONN_HEAD, "old");
	parked(CONN_IDLE, "");
	handoff_give_fresh(exchange[1], 0);
	ck_assert_uint_eq(conn_count(CONN_HEAD), 1);
	handoff_give_fresh(exchange[1], 60000);
	ck_assert_uint_eq(conn_count(CONN_HEAD), 0);
	ck_assert_uint_eq(conn_count(CONN_IDLE), 1);
}
END_TEST

/* More than the exchange holds: without patience the rest stays, with some it
 * goes when others have made room. */
START_TEST(more_than_the_exchange_holds)
{
	unsigned left;
	int n = 0;

	for (int i = 0; i < 300; i++) {
		parked(i % 2 == 0 ? CONN_IDLE : CONN_HEAD,
		    i % 2 == 0 ? "" : "a part of a head, for instance");
		close(peer);
	}
	handoff_give_all(exchange[1], 0);
	left = conn_count(CONN_IDLE) + conn_count(CONN_HEAD);
	ck_assert_uint_gt(left, 0);
	if (fork() == 0) {
		while (n < 300 || errno != EAGAIN)
			if (handoff_take(exchange[0]) != NULL)
				n++;
		_exit(n == 300 ? 0 : 1);
	}
	handoff_give_all(exchange[1], 20000);
	ck_assert_uint_eq(conn_count(CONN_IDLE) + conn_count(CONN_HEAD), 0);
	ck_assert_int_gt(wait(&n), 0);
	ck_assert_int_eq(n, 0);
}
END_TEST

/* In a process of a user that may have no more than some on their way. */
_Noreturn static void
give_as_nobody(int told)
{
	const struct rlimit few = { 20, 20 };
	unsigned left;

	if (setrlimit(RLIMIT_NOFILE, &few) == -1 ||
	    setresuid(NOBODY, NOBODY, NOBODY) == -1)
		_exit(2);
	handoff_give_all(exchange[1], 0);
	left = conn_count(CONN_IDLE);
	if (write(told, "", 1) != 1 || left == 0)
		_exit(3);
	handoff_give_all(exchange[1], 20000);
	_exit(conn_count(CONN_IDLE) == 0 ? 0 : 4);
}

START_TEST(more_than_may_be_on_their_way)
{
	int told[2], status, n = 0;
	char byte;
	pid_t pid;

	if (getuid() != 0)
		return; /* it holds for whoever runs this, others too */
	ck_assert_int_eq(pipe(told), 0);
	for (int i = 0; i < 100; i++) {
		parked(CONN_IDLE, "");
		close(peer);
	}
	pid = fork();
	if (pid == 0)
		give_as_nobody(told[1]);
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	while (waitpid(pid, &status, WNOHANG) == 0)
		n += handoff_take(exchange[0]) != NULL;
	while (handoff_take(exchange[0]) != NULL)
		n++;
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(n, 100);
}
END_TEST

START_TEST(a_nudge)
{
	handoff_nudge(exchange[1]);
	ck_assert_ptr_null(handoff_take(exchange[0]));
	ck_assert_int_eq(errno, ENOMSG);
	ck_assert_ptr_null(handoff_take(exchange[0]));
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(the_end)
{
	struct conn *c = parked(CONN_IDLE, "");

	handoff_nudge(exchange[1]);
	ck_assert(!handoff_has_ended(exchange[0]));
	ck_assert_int_eq(shutdown(exchange[1], SHUT_WR), 0);
	ck_assert(handoff_has_ended(exchange[0]));
	ck_assert_int_eq(handoff_give(c, exchange[1]), -1);
	ck_assert_int_eq(errno, EPIPE);
	ck_assert_uint_eq(conn_count(CONN_IDLE), 1);
	check_alive(c);
	ck_assert_ptr_null(handoff_take(exchange[0]));
	ck_assert_int_eq(errno, ENOMSG);
	ck_assert_ptr_null(handoff_take(exchange[0]));
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

/* ---- what is refused ------------------------------------------------------ */

/* Whatever was sent before: it is refused, no descriptor stays, and what comes
 * after it is taken. */
static void
check_refused(int unused)
{
	int fd;

	errno = 0;
	ck_assert_ptr_null(handoff_take(exchange[0]));
	ck_assert_int_eq(errno, EPROTO);
	fd = dup(exchange[0]);
	ck_assert_int_eq(fd, unused);
	close(fd);
	ck_assert_int_eq(handoff_give(parked(CONN_HEAD, "x"), exchange[1]), 0);
	check_alive(handoff_take(exchange[0]));
}

static const struct {
	const char *name;
	const char *text;
} bad[] = {
	{ "junk", "\x01\x01" },
	{ "a nudge with a connection", "" },
	{ "no version", "protocol 4\nfcgi\nbytes 1\nx\n" },
	{ "the version is not first", "protocol 4\nfcgi\nhandoff 1\n1\n" },
	{ "version 2", "handoff 1\n2\nprotocol 4\nfcgi\nbytes 1\nx\n" },
	{ "no number", "handoff 1\nx\nprotocol 4\nfcgi\nbytes 1\nx\n" },
	{ "no protocol", "handoff 1\n1\nbytes 1\nx\n" },
	{ "another protocol", "handoff 1\n1\nprotocol 4\nhttp\nbytes 1\nx\n" },
	{ "part of one", "handoff 1\n1\nprotocol 3\nfcg\nbytes 1\nx\n" },
	{ "cut off", "handoff 1\n1\nprotocol 4\nfcgi\nbytes 9\nx\n" },
	{ "longer than it is",
	    "handoff 1\n1\nprotocol 4\nfcgi\nbytes 18446744073709551615\nx\n" },
	{ "more behind it", "handoff 1\n1\nprotocol 4\nfcgi\nbytes 1\nx\ny" },
};

START_TEST(malformed)
{
	int unused = connection(), fd = connection();

	close(unused);
	/* With its NUL, which ends no record: a nudge is nothing else. */
	ck_assert_int_gt(fd_send(exchange[1], fd, bad[_i].text,
	    strlen(bad[_i].text) + (bad[_i].text[0] == '\0')), 0);
	close(fd);
	check_refused(unused);
}
END_TEST

START_TEST(no_descriptor)
{
	struct buf message = { 0 };
	int unused = dup(exchange[0]);

	close(unused);
	record_put_number(&message, "handoff", HANDOFF_VERSION);
	record_put_text(&message, "protocol", "fcgi");
	ck_assert_int_gt(fd_send(exchange[1], -1, message.data, message.len),
	    0);
	check_refused(unused);
	ck_assert_int_eq(fd_send(exchange[1], -1, "\0", 2), 2);
	check_refused(unused);
	ck_assert_int_eq(fd_send(exchange[1], -1, "", 0), 0);
	check_refused(unused);
	ck_assert_int_eq(fd_send(exchange[1], exchange[0], "", 0), 0);
	check_refused(unused);
	buf_free(&message);
}
END_TEST

/* Whole records, but more than a message may have. */
START_TEST(too_long)
{
	static char junk[HANDOFF_BYTES + 1];
	struct buf message = { 0 };
	int unused = dup(exchange[0]);

	close(unused);
	record_put_number(&message, "handoff", HANDOFF_VERSION);
	record_put_text(&message, "protocol", "fcgi");
	record_put(&message, "bytes", junk, sizeof(junk));
	ck_assert_int_gt(fd_send(exchange[1], STDIN_FILENO, message.data,
	    message.len), 0);
	check_refused(unused);
	record_put(&message, "more", junk, 2000);
	ck_assert_int_gt(fd_send(exchange[1], STDIN_FILENO, message.data,
	    message.len), 0);
	check_refused(unused);
	ck_assert_int_gt(fd_send(exchange[1], STDIN_FILENO, junk,
	    sizeof(junk)), 0);
	check_refused(unused);
	buf_free(&message);
}
END_TEST

static int
listening(void)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&any,
	    sizeof(any.sun_family)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static int
no_connection(int i)
{
	int fds[2];

	switch (i) {
	case 0:
		return open("/dev/null", O_RDWR);
	case 1:
		ck_assert_int_eq(pipe(fds), 0);
		close(fds[1]);
		return fds[0];
	case 2:
		return listening();
	case 3:
		return socket(AF_UNIX, SOCK_DGRAM, 0);
	case 4:
		return socket(AF_NETLINK, SOCK_RAW, 0);
	case 5:
		return dup(exchange[0]);
	default:
		return dup(exchange[1]);
	}
}

START_TEST(not_a_connection)
{
	struct buf message = { 0 };
	int unused, fd;

	record_put_number(&message, "handoff", HANDOFF_VERSION);
	record_put_text(&message, "protocol", "fcgi");
	unused = no_connection(_i);
	ck_assert_int_ne(unused, -1);
	fd = dup(unused);
	close(unused);
	ck_assert_int_gt(fd_send(exchange[1], fd, message.data, message.len),
	    0);
	close(fd);
	check_refused(unused);
	buf_free(&message);
}
END_TEST

/* Of a later build that knows more. */
START_TEST(unknown_names)
{
	struct buf message = { 0 };
	struct conn *c;
	int fd = connection();

	record_put_number(&message, "handoff", HANDOFF_VERSION);
	record_put_text(&message, "colour", "blue");
	record_put_text(&message, "protocol", "fcgi");
	record_put(&message, "bytes", "abc", 3);
	record_put(&message, "nothing", "", 0);
	ck_assert_int_gt(fd_send(exchange[1], fd, message.data, message.len),
	    0);
	close(fd);
	c = handoff_take(exchange[0]);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(c->state, CONN_HEAD);
	ck_assert_uint_eq(c->in.len, 3);
	check_alive(c);
	buf_free(&message);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("handoff");
	TCase *t = tcase_create("handoff");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, goes_on_as_it_was);
	tcase_add_test(t, output_goes_along);
	tcase_add_test(t, as_many_bytes_as_may_be);
	tcase_add_test(t, only_the_fresh_ones);
	tcase_add_test(t, more_than_the_exchange_holds);
	tcase_add_test(t, more_than_may_be_on_their_way);
	tcase_add_test(t, a_nudge);
	tcase_add_test(t, the_end);
	tcase_add_loop_test(t, malformed, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, no_descriptor);
	tcase_add_test(t, too_long);
	tcase_add_loop_test(t, not_a_connection, 0, 7);
	tcase_add_test(t, unknown_names);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

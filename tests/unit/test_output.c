/* Output of which the peer takes only what it reads: it is kept, up to the
 * room, and leaves when the peer reads on; beyond that the peer is waited for,
 * and not for ever. */

#include "worker/net/output.h"

#include <sys/socket.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"
#include "worker/net/poller.h"

#define ROOM  (256 * 1024)
#define LARGE (16 << 20)

static struct conn *conn;
static int peer;
static char *data;
static size_t read_so_far;

static void
set_up(void)
{
	const struct conn_limits limits = { .max = 4, .nkinds = 1,
		.kinds = { { .name = "http",
		    .patience = { [CONN_FLUSH] = 60000 } } } };
	const struct output_limits output = { .room = ROOM, .timeout = 100 };
	int pair[2];

	ck_assert_int_eq(conn_init(poller_open(), &limits), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	output_init(&output);
	conn = conn_add(pair[0], 0);
	peer = pair[1];
	data = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i++)
		data[i] = (char)(i * 7 + i / 251);
	read_so_far = 0;
}

static int
send_bytes(size_t from, size_t n)
{
	struct iovec piece[3] = { { data + from, n / 3 },
		{ data + from + n / 3, 0 },
		{ data + from + n / 3, n - n / 3 } };

	return output_send(conn, piece, 3);
}

/* Read n bytes, which have come, and compare them. */
static void
read_bytes(size_t n)
{
	char chunk[65536];
	ssize_t got;

	while (n > 0) {
		got = read(peer, chunk, n < sizeof(chunk) ? n : sizeof(chunk));
		ck_assert_int_gt(got, 0);
		ck_assert_int_eq(memcmp(chunk, data + read_so_far,
		    (size_t)got), 0);
		read_so_far += (size_t)got;
		n -= (size_t)got;
	}
}

/* What the socket takes of a peer that reads nothing. */
static size_t
fill(void)
{
	size_t n = 0;

	while (conn->out.len == 0) {
		ck_assert_int_eq(send_bytes(n, 4096), 0);
		n += 4096;
	}
	return n;
}

START_TEST(what_is_taken_is_not_kept)
{
	ck_assert_int_eq(send_bytes(0, 10000), 0);
	ck_assert_uint_eq(conn->out.len, 0);
	ck_assert_int_eq(conn->pending, 0);
	read_bytes(10000);
}
END_TEST

START_TEST(the_rest_is_kept_and_leaves_later)
{
	size_t n = fill();

	ck_assert_int_eq(send_bytes(n, ROOM - 8192), 0);
	n += ROOM - 8192;
	ck_assert_uint_gt(conn->out.len, ROOM - 8192);
	ck_assert_int_eq(output_flush(conn), 0);
	while (output_flush(conn) == 0)
		read_bytes(4096);
	read_bytes(n - read_so_far);
	ck_assert_uint_eq(conn->out.len, 0);
	ck_assert_int_eq(conn->pending, 0);
}
END_TEST

static void *
read_all(void *arg)
{
	size_t *n = arg;

	read_bytes(*n);
	return NULL;
}

START_TEST(beyond_the_room_the_peer_is_waited_for)
{
	size_t n = LARGE;
	pthread_t reader;

	ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &n), 0);
	ck_assert_int_eq(send_bytes(0, LARGE), 0);
	while (output_flush(conn) == 0)
		ck_assert_int_eq(poller_writable(conn->fd,
		    clock_ms() + 10000), 1);
	ck_assert_int_eq(pthread_join(reader, NULL), 0);
	ck_assert_uint_eq(read_so_far, LARGE);
}
END_TEST

START_TEST(one_that_reads_nothing_is_late)
{
	int64_t began = clock_ms();

	ck_assert_int_eq(send_bytes(0, LARGE), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert_int_ge(clock_ms() - began, 100);
	ck_assert_uint_le(conn->out.len, ROOM);
}
END_TEST

START_TEST(one_that_has_left_is_told)
{
	fill();
	close(peer);
	ck_assert_int_eq(output_flush(conn), -1);
	ck_assert_int_eq(send_bytes(0, 10), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

/* It has been waited for since long ago, and took too little. */
START_TEST(one_that_takes_too_little_is_cut)
{
	const struct output_limits output = { .room = ROOM, .timeout = 100,
		.min_rate = 1 << 20 };

	output_init(&output);
	ck_assert_int_eq(send_bytes(fill(), ROOM - 8192), 0);
	ck_assert_int_eq(output_flush(conn), 0);
	conn->pending -= 3600 * 1000;
	read_bytes(4096);
	ck_assert_int_eq(output_flush(conn), -1);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("output");
	TCase *t = tcase_create("output");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, what_is_taken_is_not_kept);
	tcase_add_test(t, the_rest_is_kept_and_leaves_later);
	tcase_add_test(t, beyond_the_room_the_peer_is_waited_for);
	tcase_add_test(t, one_that_reads_nothing_is_late);
	tcase_add_test(t, one_that_has_left_is_told);
	tcase_add_test(t, one_that_takes_too_little_is_cut);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

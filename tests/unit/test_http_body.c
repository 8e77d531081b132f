/* A body as it is read: whole or in parts, with a length or in chunks, in what
 * came with its head and beyond; what follows belongs to the next request. */

#include "worker/proto/http/http_body.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "worker/net/poller.h"

#define HEAD "HEAD"
#define NEXT "GET / HTTP/1.1\r\n"

static struct http_body body;
static struct conn *conn;
static int peer;

static void
set_up(void)
{
	const struct conn_limits limits = { .max = 4, .nkinds = 1,
		.kinds = { { .name = "http" } } };
	static bool made;
	int pair[2];

	if (!made)
		ck_assert_int_eq(conn_init(poller_open(), &limits), 0);
	made = true;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	conn = conn_add(pair[0], 0);
	peer = pair[1];
	memset(&body, 0, sizeof(body));
	body.limits = (struct http_limits){ .head = 1000, .fields = 10 };
}

/* So many bytes come with the head. */
static void
begin(const char *bytes, size_t with_head, int64_t length, bool chunked)
{
	ck_assert_int_eq(conn_put_back(conn, HEAD, 4), 0);
	ck_assert_int_eq(conn_put_back(conn, bytes, with_head), 0);
	http_body_begin(&body, conn, 4, length, chunked, 0);
}

static void
comes(const char *bytes, size_t n)
{
	ck_assert_int_eq(write(peer, bytes, n), n);
}

/* Read all in pieces of at most n bytes. */
static void
check_content(const char *content, size_t n)
{
	char data[64];
	size_t at = 0;
	ssize_t got;

	while ((got = http_body_read(&body, data, n, 1000)) > 0) {
		ck_assert_uint_le(at + (size_t)got, strlen(content));
		ck_assert_int_eq(memcmp(data, content + at, (size_t)got), 0);
		at += (size_t)got;
	}
	ck_assert_int_eq(got, 0);
	ck_assert_uint_eq(at, strlen(content));
	ck_assert_uint_eq(body.taken, at);
	ck_assert_int_eq(http_body_read(&body, data, n, 1000), 0);
}

/* What came behind the body is at the front of the connection's buffer, or
 * still in its socket. */
static void
check_next(void)
{
	ck_assert(http_body_drain(&body));
	http_body_end(&body);
	while (conn->in.len < strlen(NEXT))
		ck_assert_int_gt(conn_receive(conn, 1000), 0);
	ck_assert_uint_eq(conn->in.len, strlen(NEXT));
	ck_assert_int_eq(memcmp(conn->in.data, NEXT, strlen(NEXT)), 0);
}

static const struct {
	const char *bytes;
	int64_t length; /* -1: in chunks */
	const char *content;
} good[] = {
	{ "hello", 5, "hello" },
	{ "", 0, "" },
	{ "", -2, "" },
	{ "5\r\nhello\r\n0\r\n\r\n", -1, "hello" },
	{ "0\r\n\r\n", -1, "" },
	{ "2\r\nhe\r\n0003;a=b\r\nllo\r\n0\r\nX: y\r\n\r\n", -1, "hello" },
};

START_TEST(is_read_however_it_comes)
{
	const char *bytes = good[_i].bytes;
	size_t n = strlen(bytes);

	for (size_t cut = 0; cut <= n; cut++)
		for (size_t piece = 1; piece < 8; piece++) {
			set_up();
			begin(bytes, cut, good[_i].length,
			    good[_i].length == -1);
			comes(bytes + cut, n - cut);
			comes(NEXT, strlen(NEXT));
			check_content(good[_i].content, piece);
			check_next();
			conn_close(conn);
			close(peer);
			buf_free(&body.more);
		}
}
END_TEST

/* Received where it is wanted, and not beyond its end. */
START_TEST(a_long_one)
{
	enum { LONG = 200000 };
	char *sent = malloc(LONG), *got = malloc(LONG);
	size_t at = 0, out = 0;
	ssize_t n;

	for (size_t i = 0; i < LONG; i++)
		sent[i] = (char)(i * 31 + i / 97);
	begin(sent, 1000, LONG, false);
	for (at = 1000; out < LONG; out += (size_t)n) {
		n = LONG - (ssize_t)at < 50000 ? LONG - (ssize_t)at : 50000;
		if (n > 0)
			comes(sent + at, (size_t)n);
		at += (size_t)n;
		n = http_body_read(&body, got + out, LONG - out, 1000);
		ck_assert_int_gt(n, 0);
	}
	comes(NEXT, strlen(NEXT));
	ck_assert_int_eq(memcmp(sent, got, LONG), 0);
	check_next();
	free(sent);
	free(got);
}
END_TEST

START_TEST(one_that_does_not_come_is_late)
{
	char data[8];

	begin("he", 2, 5, false);
	ck_assert_int_eq(http_body_take(&body, data, 8, 100, 0), 2);
	ck_assert_int_eq(http_body_take(&body, data, 8, 100, 60), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(http_body_take(&body, data, 8, 100, 60), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	ck_assert(!http_body_drain(&body));
	ck_assert_int_eq(http_body_read(&body, data, 8, 20), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
}
END_TEST

START_TEST(one_that_is_cut_is_told)
{
	char data[8];

	begin("5\r\nhe", 5, -1, true);
	close(peer);
	ck_assert_int_eq(http_body_read(&body, data, 8, 1000), 2);
	ck_assert_int_eq(http_body_read(&body, data, 8, 1000), -1);
	ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

START_TEST(a_malformed_one_is_told)
{
	char data[8];

	begin("5\r\nhelloX", 9, -1, true);
	ck_assert_int_eq(http_body_read(&body, data, 8, 1000), 5);
	ck_assert_int_eq(http_body_read(&body, data, 8, 1000), -1);
	ck_assert_int_eq(errno, EBADMSG);
	ck_assert(!http_body_drain(&body));
}
END_TEST

START_TEST(more_than_it_may_have)
{
	char data[8];

	body.most = 3;
	begin("2\r\nhe\r\n2\r\nll\r\n", 14, -1, true);
	ck_assert_int_eq(http_body_read(&body, data, 8, 1000), 2);
	ck_assert_int_eq(http_body_read(&body, data, 8, 1000), -1);
	ck_assert_int_eq(errno, EFBIG);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("http_body");
	TCase *t = tcase_create("http_body");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, is_read_however_it_comes, 0,
	    sizeof(good) / sizeof(good[0]));
	tcase_add_test(t, a_long_one);
	tcase_add_test(t, one_that_does_not_come_is_late);
	tcase_add_test(t, one_that_is_cut_is_told);
	tcase_add_test(t, a_malformed_one_is_told);
	tcase_add_test(t, more_than_it_may_have);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

/* The body of a request: whatever records it comes in, however they arrive and
 * however much is read at a time, it is what was sent, and what follows it is
 * left alone. */

#include "worker/proto/fcgi/fcgi_body.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "net/fcgi_wire.h"
#include "unit.h"
#include "worker/net/poller.h"
#include "worker/proto/fcgi/fcgi_peer.h"

#define ID     7
#define NEXT   "what comes next"
#define ROUNDS 600

static struct {
	struct buf sent;    /* all that the peer sends */
	struct buf content; /* what of it is the body */
	size_t at;	    /* received so far */
	size_t head;
	unsigned calls;
	bool late; /* the next call finds nothing */
} peer;

static struct conn *conn;
static struct scan *scan;
static uint64_t seed;

static unsigned
draw(unsigned n)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(seed >> 33) % n;
}

/* ---- in place of the socket ---------------------------------------------- */

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	size_t left = peer.sent.len - peer.at, sum = 0, n;

	(void)fd;
	ck_assert_int_ne(flags & MSG_DONTWAIT, 0);
	peer.calls++;
	peer.late = !peer.late && draw(8) == 0;
	if (peer.late) {
		errno = EAGAIN;
		return -1;
	}
	if (left > 1 && draw(2) == 0)
		left = 1 + draw((unsigned)left);
	for (size_t i = 0; i < message->msg_iovlen; i++) {
		n = message->msg_iov[i].iov_len;
		n = n < left ? n : left;
		memcpy(message->msg_iov[i].iov_base, peer.sent.data + peer.at,
		    n);
		peer.at += n;
		left -= n;
		sum += n;
	}
	return (ssize_t)sum;
}

ssize_t
recv(int fd, void *data, size_t n, int flags)
{
	struct iovec piece = { data, n };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	return recvmsg(fd, &message, flags);
}

ssize_t
send(int fd, const void *data, size_t n, int flags)
{
	(void)fd;
	(void)data;
	(void)flags;
	return (ssize_t)n;
}

int
poll(struct pollfd *p, nfds_t n, int timeout)
{
	(void)p;
	(void)n;
	(void)timeout;
	return 1;
}

/* ---- what is sent -------------------------------------------------------- */

static void
add_record(unsigned type, unsigned id, size_t n, unsigned padding, bool body)
{
	unsigned char header[FCGI_HEADER_LEN];
	static const char zeros[255];

	fcgi_put_header(header, type, id, (unsigned)n, padding);
	buf_add(&peer.sent, header, sizeof(header));
	for (size_t i = 0; i < n; i++) {
		char c = (char)draw(256);

		buf_putc(&peer.sent, c);
		if (body)
			buf_putc(&peer.content, c);
	}
	buf_add(&peer.sent, zeros, padding);
}

static void
add_stray(void)
{
	if (draw(2) == 0)
		add_record(FCGI_STDIN, ID + 1, draw(40000), draw(9), false);
	else
		add_record(FCGI_UNKNOWN_TYPE, 0, 8, 0, false);
}

static size_t
draw_length(void)
{
	static const size_t lengths[] = { 1, 8, 200, 4096, 16384, 16385, 20000,
		32768, 65528, 65535 };

	return lengths[draw(sizeof(lengths) / sizeof(lengths[0]))];
}

/* As web servers do it: all records but the last are alike.  Or as nobody
 * does. */
static void
add_body(unsigned type, bool orderly)
{
	size_t n = draw_length();
	unsigned padding = draw(3) == 0 ? draw(256) : 0, records = draw(12);

	for (unsigned i = 0; i < records; i++) {
		if (!orderly && draw(4) == 0)
			add_stray();
		if (!orderly && draw(2) == 0) {
			n = draw_length();
			padding = draw(2) == 0 ? draw(256) : 0;
		}
		add_record(type, ID, n, padding, true);
	}
	if (orderly && draw(2) == 0)
		add_record(type, ID, 1 + draw(65535), 0, true);
}

/* ---- the scene ----------------------------------------------------------- */

static void
set_up(void)
{
	const struct conn_limits limits = { .max = 4, .nkinds = 1,
		.kinds = { { .name = "fcgi", .state_size = sizeof(struct scan),
		    .patience = { [CONN_HEAD] = 60000 } } } };
	const struct scan_limits heads = { .head = 1024, .capacity = 1,
		.roles = SCAN_ROLE(FCGI_RESPONDER) | SCAN_ROLE(FCGI_FILTER) };

	ck_assert_int_eq(conn_init(poller_open(), &limits), 0);
	fcgi_peer_init(&heads, 1000);
	seed = 1;
}

/* The head has come, and perhaps some of what is behind it. */
static void
begin(struct fcgi_body *body)
{
	conn = conn_add(-1, 0);
	scan = conn->proto;
	peer.at = 0;
	while (fcgi_peer_judge(conn, &conn->in, false) != SCAN_HEAD)
		conn_receive(conn, CONN_FIRST);
	ck_assert_int_eq(fcgi_body_begin(body, conn, 0), 0);
}

static void
new_request(unsigned role)
{
	buf_clear(&peer.sent);
	buf_clear(&peer.content);
	fcgi_add_begin(&peer.sent, ID, role, FCGI_KEEP_CONN);
	fcgi_add_stream(&peer.sent, FCGI_PARAMS, ID, "\1\1ab", 4);
	fcgi_add_stream(&peer.sent, FCGI_PARAMS, ID, NULL, 0);
}

/* Read all that can be read, as much at a time as `most` says or as comes into
 * the mind (0).  Returns what the last read returned. */
static ssize_t
read_all(struct fcgi_body *body, size_t most, struct buf *out)
{
	static char data[300000];
	ssize_t got;
	size_t n;

	do {
		n = most > 0 ? most : draw(8) == 0 ? 1 + draw(100) :
						      1 + draw(sizeof(data));
		got = fcgi_body_read(body, data, n, 1000);
		ck_assert_int_le(got, (ssize_t)n);
		if (got > 0)
			buf_add(out, data, (size_t)got);
	} while (got > 0);
	return got;
}

static void
check_whole(struct fcgi_body *body, size_t most)
{
	struct buf got = { 0 };

	ck_assert_int_eq(read_all(body, most, &got), 0);
	ck_assert_uint_eq(got.len, peer.content.len);
	ck_assert(got.len == 0 ||
	    memcmp(got.data, peer.content.data, got.len) == 0);
	ck_assert_uint_eq(body->taken, got.len);
	buf_free(&got);
}

/* What is behind the body comes as it was sent. */
static void
check_next(struct fcgi_body *body)
{
	while (!fcgi_body_drain(body))
		conn_receive(conn, CONN_FIRST);
	fcgi_body_end(body);
	while (conn->in.len < strlen(NEXT))
		conn_receive(conn, SIZE_MAX);
	ck_assert_uint_eq(conn->in.len, strlen(NEXT));
	ck_assert_mem_eq(conn->in.data, NEXT, strlen(NEXT));
	conn_close(conn);
}

/* ---- tests --------------------------------------------------------------- */

START_TEST(is_what_was_sent)
{
	struct fcgi_body body;

	for (int i = 0; i < ROUNDS; i++) {
		new_request(FCGI_RESPONDER);
		add_body(FCGI_STDIN, i % 2 == 0);
		add_record(FCGI_STDIN, ID, 0, draw(3) == 0 ? 8 : 0, false);
		buf_puts(&peer.sent, NEXT);
		begin(&body);
		check_whole(&body, i % 3 == 0 ? 65536 : 0);
		check_next(&body);
	}
}
END_TEST

/* Each fault is seen, and before it nothing but what was sent. */
START_TEST(breaks_off_as_it_should)
{
	static const int errors[] = { ECONNRESET, ECONNRESET, EPROTO };
	struct fcgi_body body;

	for (int i = 0; i < ROUNDS; i++) {
		struct buf got = { 0 };

		new_request(FCGI_RESPONDER);
		add_body(FCGI_STDIN, i % 2 == 0);
		if (i % 3 == 1)
			add_record(FCGI_ABORT_REQUEST, ID, 0, 0, false);
		else if (i % 3 == 2)
			add_record(FCGI_PARAMS, ID, 100, 0, false);
		if (i % 3 != 0)
			add_record(FCGI_STDIN, ID, 20000, 0, false);
		begin(&body);
		ck_assert_int_eq(read_all(&body, 0, &got), -1);
		ck_assert_int_eq(errno, errors[i % 3]);
		ck_assert_uint_eq(got.len, peer.content.len);
		ck_assert(got.len == 0 ||
		    memcmp(got.data, peer.content.data, got.len) == 0);
		ck_assert_int_eq(read_all(&body, 0, &got), -1);
		buf_free(&got);
		conn_close(conn);
	}
}
END_TEST

/* A long body in records of one length costs a call for each 64 KB. */
START_TEST(takes_few_calls)
{
	static const size_t lengths[] = { 16384, 32768, 65528, 65535 };
	struct fcgi_body body;

	for (size_t i = 0; i < 4; i++) {
		new_request(FCGI_RESPONDER);
		while (peer.content.len < 4 << 20)
			add_record(FCGI_STDIN, ID, lengths[i], 0, true);
		add_record(FCGI_STDIN, ID, 0, 0, false);
		begin(&body);
		seed = 0; /* draws no delay */
		peer.calls = 0;
		check_whole(&body, 65536);
		ck_assert_uint_le(peer.calls, (4 << 20) / 65536 * 3 / 2);
	}
}
END_TEST

/* A filter's second body, after the first has been read in part or not at all,
 * or without it. */
START_TEST(the_second)
{
	struct fcgi_body body;
	char some[100];
	size_t first;

	for (int i = 0; i < ROUNDS; i++) {
		struct buf got = { 0 };

		new_request(FCGI_FILTER);
		add_body(FCGI_STDIN, i % 2 == 0);
		add_record(FCGI_STDIN, ID, 0, draw(3) == 0 ? 8 : 0, false);
		first = peer.content.len;
		buf_clear(&peer.content);
		add_body(FCGI_DATA, i % 2 == 0);
		add_record(FCGI_DATA, ID, 0, draw(3) == 0 ? 8 : 0, false);
		buf_puts(&peer.sent, NEXT);
		begin(&body);
		if (i % 3 > 0)
			fcgi_body_read(&body, some, 1 + draw(100), 1000);
		if (i % 3 == 2) {
			ck_assert_int_eq(fcgi_body_turn(&body, 1000), 0);
			ck_assert_uint_eq(body.taken, first);
			ck_assert_int_eq(read_all(&body, 0, &got), 0);
			ck_assert_uint_eq(got.len, peer.content.len);
			ck_assert(got.len == 0 || memcmp(got.data,
			    peer.content.data, got.len) == 0);
		}
		check_next(&body);
		buf_free(&got);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fcgi_body");
	TCase *t = tcase_create("fcgi_body");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, is_what_was_sent);
	tcase_add_test(t, breaks_off_as_it_should);
	tcase_add_test(t, takes_few_calls);
	tcase_add_test(t, the_second);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

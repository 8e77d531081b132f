/* The records of a response: what the peer gets of them, however little of it
 * the socket takes at a time, and how many calls that needs. */

#include "worker/proto/fcgi/fcgi_out.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "net/fcgi_wire.h"
#include "unit.h"
#include "worker/proto/fcgi/fcgi_peer.h"

#define ID 259

static struct fcgi_out out;
static struct conn conn = { .fd = -1 };

/* In place of the socket. */
static struct {
	struct buf sent;
	unsigned calls;
	size_t most; /* bytes that it takes with one call, 0: all */
	int error;   /* of every call from now on, 0: none */
	const char *source; /* of a long response, */
	size_t length;
	size_t borrowed; /* and how much was sent straight from there */
	void (*meanwhile)(void);
} wire;

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	size_t left = wire.most > 0 ? wire.most : SIZE_MAX, n, all = left;

	ck_assert_int_eq(fd, -1);
	ck_assert_int_ne(flags & MSG_NOSIGNAL, 0);
	ck_assert_uint_gt(message->msg_iovlen, 0);
	wire.calls++;
	if (wire.meanwhile != NULL)
		wire.meanwhile();
	errno = wire.error;
	if (wire.error != 0)
		return -1;
	for (size_t i = 0; i < message->msg_iovlen && left > 0; i++) {
		const struct iovec *p = &message->msg_iov[i];
		const char *from = p->iov_base;

		ck_assert_uint_gt(p->iov_len, 0);
		n = p->iov_len < left ? p->iov_len : left;
		buf_add(&wire.sent, from, n);
		left -= n;
		if (wire.source != NULL && from >= wire.source &&
		    from < wire.source + wire.length)
			wire.borrowed += n;
	}
	return (ssize_t)(all - left);
}

ssize_t
send(int fd, const void *data, size_t n, int flags)
{
	struct iovec piece = { (void *)data, n };
	const struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };

	return sendmsg(fd, &message, flags);
}

static void
set_up(void)
{
	const struct scan_limits limits = { 0 };

	fcgi_peer_init(&limits, 1000);
	fcgi_out_begin(&out, &conn, ID);
}

/* What has come of a response: the streams without their framing. */
static struct {
	struct buf stream[2];
	bool ended[2];
	uint32_t app_status;
	bool complete, aborted;
} got;

static int
which(unsigned type)
{
	ck_assert(type == FCGI_STDOUT || type == FCGI_STDERR);
	return type == FCGI_STDERR;
}

static void
take_record(const struct fcgi_record *r, const unsigned char *content)
{
	ck_assert_uint_eq(r->version, FCGI_VERSION_1);
	ck_assert_uint_eq(r->id, ID);
	ck_assert(!got.complete && !got.aborted);
	if (r->type == FCGI_ABORT_REQUEST) {
		ck_assert_uint_eq(r->content, 0);
		got.aborted = true;
		return;
	}
	if (r->type == FCGI_END_REQUEST) {
		ck_assert_uint_eq(r->content, 8);
		ck_assert_uint_eq(content[4], FCGI_REQUEST_COMPLETE);
		got.app_status = (uint32_t)content[0] << 24 |
		    (uint32_t)content[1] << 16 | (uint32_t)content[2] << 8 |
		    content[3];
		got.complete = true;
		return;
	}
	ck_assert(!got.ended[which(r->type)]);
	buf_add(&got.stream[which(r->type)], content, r->content);
	got.ended[which(r->type)] = r->content == 0;
}

static void
parse(void)
{
	const unsigned char *p = (const unsigned char *)wire.sent.data;
	const unsigned char *end = p + wire.sent.len;
	struct fcgi_record r;

	for (; p < end; p += r.content + r.padding) {
		ck_assert_int_ge(end - p, FCGI_HEADER_LEN);
		fcgi_get_header(p, &r);
		p += FCGI_HEADER_LEN;
		ck_assert_int_ge(end - p, r.content + r.padding);
		take_record(&r, p);
	}
}

static void
check_stream(unsigned type, const void *data, size_t n)
{
	const struct buf *b = &got.stream[which(type)];

	ck_assert_uint_eq(b->len, n);
	ck_assert(n == 0 || memcmp(b->data, data, n) == 0);
}

static void
add_bytes(unsigned type, const char *data, size_t n)
{
	const struct iovec piece = { (void *)data, n };

	ck_assert_int_eq(fcgi_out_write(&out, type, &piece, 1), 0);
}

static void
add(unsigned type, const char *text)
{
	add_bytes(type, text, strlen(text));
}

START_TEST(short_one_leaves_at_once)
{
	add(FCGI_STDOUT, "head\r\n\r\n");
	add(FCGI_STDOUT, "body");
	ck_assert_uint_eq(wire.calls, 0);
	ck_assert_int_eq(fcgi_out_end(&out), 0);
	ck_assert_uint_eq(wire.calls, 1);
	/* one record, the end of its stream, END_REQUEST */
	ck_assert_uint_eq(wire.sent.len, 8 + 12 + 8 + 16);
	parse();
	check_stream(FCGI_STDOUT, "head\r\n\r\nbody", 12);
	ck_assert(got.ended[0] && !got.ended[1] && got.complete);
}
END_TEST

START_TEST(errors_are_ended)
{
	add(FCGI_STDOUT, "head");
	add(FCGI_STDERR, "some");
	add(FCGI_STDERR, "thing");
	add(FCGI_STDOUT, "body");
	ck_assert_int_eq(fcgi_out_end(&out), 0);
	ck_assert_uint_eq(wire.calls, 1);
	parse();
	check_stream(FCGI_STDOUT, "headbody", 8);
	check_stream(FCGI_STDERR, "something", 9);
	ck_assert(got.ended[0] && got.ended[1] && got.complete);
	ck_assert_uint_eq(got.app_status, 0);
}
END_TEST

/* An empty record of STDERR comes behind the end of the response. */
START_TEST(nginx_is_to_close)
{
	static const unsigned char extra[] = { FCGI_VERSION_1, FCGI_STDERR,
		ID >> 8, ID & 0xff, 0, 0, 0, 0 };

	add(FCGI_STDERR, "complaint");
	out.parts = true;
	if (_i == 0)
		ck_assert_int_eq(fcgi_out_end(&out), 0);
	else
		ck_assert(fcgi_out_replace(&out, "instead", 7));
	ck_assert_uint_eq(wire.calls, 1);
	wire.sent.len -= sizeof(extra);
	ck_assert_mem_eq(wire.sent.data + wire.sent.len, extra, sizeof(extra));
	parse();
	check_stream(FCGI_STDERR, "complaint", _i == 0 ? 9 : 0);
	ck_assert(got.ended[0] && got.ended[1] == (_i == 0) && got.complete);
}
END_TEST

/* What was written goes out; of the streams only STDERR is ended. */
START_TEST(cut)
{
	add(FCGI_STDOUT, "head");
	if (_i == 1)
		add(FCGI_STDERR, "complaint");
	add(FCGI_STDOUT, "body");
	ck_assert_int_eq(fcgi_out_cut(&out), 0);
	ck_assert_uint_eq(wire.calls, 1);
	ck_assert_int_eq(fcgi_out_end(&out), 0);
	ck_assert_uint_eq(wire.calls, 1);
	parse();
	check_stream(FCGI_STDOUT, "headbody", 8);
	check_stream(FCGI_STDERR, "complaint", _i == 1 ? 9 : 0);
	ck_assert(!got.ended[0] && got.ended[1] == (_i == 1) && got.aborted);
}
END_TEST

START_TEST(nothing_at_all)
{
	ck_assert_int_eq(fcgi_out_send(&out), 0);
	ck_assert_uint_eq(wire.calls, 0);
	ck_assert_int_eq(fcgi_out_end(&out), 0);
	parse();
	check_stream(FCGI_STDOUT, "", 0);
	ck_assert(got.ended[0] && got.complete);
}
END_TEST

/* Neither is it copied, nor does each record have a call of its own. */
START_TEST(long_one_is_not_copied)
{
	wire.length = 10 << 20;
	wire.source = malloc(wire.length);
	memset((char *)wire.source, 'x', wire.length);
	add(FCGI_STDOUT, "head");
	add_bytes(FCGI_STDOUT, wire.source, wire.length);
	ck_assert_uint_le(wire.calls, 3);
	ck_assert_uint_eq(wire.borrowed, wire.length);
	ck_assert_int_eq(fcgi_out_end(&out), 0);
	parse();
	ck_assert_uint_eq(got.stream[0].len, 4 + wire.length);
}
END_TEST

/* What is long and last takes the end along. */
START_TEST(last_one_is_one_call)
{
	static char bytes[100000];
	const struct iovec piece = { bytes, sizeof(bytes) };

	add(FCGI_STDOUT, "head");
	ck_assert_int_eq(fcgi_out_finish(&out, FCGI_STDOUT, &piece, 1), 0);
	ck_assert_uint_eq(wire.calls, 1);
	ck_assert_int_eq(fcgi_out_end(&out), 0);
	ck_assert_int_eq(fcgi_out_cut(&out), 0);
	ck_assert(!fcgi_out_replace(&out, "x", 1));
	ck_assert_uint_eq(wire.calls, 1);
	parse();
	ck_assert(got.ended[0] && !got.ended[1] && got.complete);
	ck_assert_uint_eq(got.stream[0].len, 4 + sizeof(bytes));
}
END_TEST

/* An array of strings, long and short. */
START_TEST(pieces_share_a_call)
{
	static char bytes[60000];
	struct iovec piece[32];

	wire.source = bytes;
	wire.length = sizeof(bytes);
	for (int i = 0; i < 32; i++)
		piece[i] = (struct iovec){ bytes, i % 2 ? sizeof(bytes) : 10 };
	ck_assert_int_eq(fcgi_out_write(&out, FCGI_STDOUT, piece, 32), 0);
	ck_assert_uint_eq(wire.calls, 1);
	ck_assert_uint_eq(wire.borrowed, 16 * sizeof(bytes));
	ck_assert_int_eq(fcgi_out_end(&out), 0);
	parse();
	ck_assert_uint_eq(got.stream[0].len, 16 * (10 + sizeof(bytes)));
}
END_TEST

/* Whatever is said in whatever pieces, and however little of it goes. */
START_TEST(any_pieces)
{
	static char bytes[300000], changing[300000];
	static const size_t sizes[] = { 1, 100, 513, 9000, 16350, 16384,
		65528, 65529, 140000, 300000 };
	struct buf model[2] = { { 0 }, { 0 } };

	srand((unsigned)_i);
	wire.most = _i % 4 == 0 ? 0 : (size_t)(1 + rand() % 40000);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)rand();
	for (int i = 0; i < 200; i++) {
		unsigned type = rand() % 4 == 0 ? FCGI_STDERR : FCGI_STDOUT;
		size_t most = sizes[rand() % 10];
		size_t n = 1 + (size_t)rand() % most;

		n = rand() % 2 ? most : n;
		n = i % 10 == 0 ? n : n % 700;
		buf_add(&model[which(type)], bytes, n);
		memcpy(changing, bytes, n);
		add_bytes(type, changing, n);
		memset(changing, 0, n);
		if (rand() % 20 == 0)
			ck_assert_int_eq(fcgi_out_send(&out), 0);
	}
	ck_assert_int_eq(fcgi_out_end(&out), 0);
	parse();
	check_stream(FCGI_STDOUT, model[0].data, model[0].len);
	check_stream(FCGI_STDERR, model[1].data, model[1].len);
	ck_assert(got.ended[0] && got.complete);
	buf_free(&model[0]);
	buf_free(&model[1]);
}
END_TEST

START_TEST(peer_takes_no_more)
{
	static const int errors[][2] = { { EAGAIN, ETIMEDOUT },
		{ EPIPE, EPIPE }, { ECONNRESET, EPIPE }, { EINTR, EPIPE } };

	add(FCGI_STDOUT, "head");
	wire.error = errors[_i][0];
	ck_assert_int_eq(fcgi_out_send(&out), -1);
	ck_assert_int_eq(errno, errors[_i][1]);
}
END_TEST

/* ---- from the guard's thread --------------------------------------------- */

static void
replace(void)
{
	fcgi_out_replace(&out, "instead", 7);
}

START_TEST(replaced_before_anything_is_sent)
{
	add(FCGI_STDERR, "complaint");
	add(FCGI_STDOUT, "head");
	ck_assert(fcgi_out_replace(&out, "instead", 7));
	parse();
	check_stream(FCGI_STDOUT, "instead", 7);
	check_stream(FCGI_STDERR, "", 0);
	ck_assert(got.ended[0] && got.complete);
	ck_assert_uint_eq(got.app_status, 1);
}
END_TEST

START_TEST(replaced_after_errors)
{
	add(FCGI_STDERR, "complaint");
	ck_assert_int_eq(fcgi_out_send(&out), 0);
	ck_assert(fcgi_out_replace(&out, "instead", 7));
	parse();
	check_stream(FCGI_STDOUT, "instead", 7);
	check_stream(FCGI_STDERR, "complaint", 9);
	ck_assert(got.ended[0] && got.ended[1] && got.complete);
}
END_TEST

START_TEST(left_cut)
{
	add(FCGI_STDOUT, "head");
	add(FCGI_STDERR, "complaint");
	ck_assert_int_eq(fcgi_out_send(&out), 0);
	add(FCGI_STDOUT, "body");
	ck_assert(!fcgi_out_replace(&out, "instead", 7));
	parse();
	check_stream(FCGI_STDOUT, "head", 4);
	ck_assert(!got.ended[0] && got.ended[1] && got.aborted);
}
END_TEST

START_TEST(cut_within_a_record)
{
	add(FCGI_STDERR, "complaint");
	wire.meanwhile = replace;
	wire.most = 3;
	ck_assert_int_eq(fcgi_out_send(&out), 0);
	ck_assert_uint_eq(wire.sent.len, 8 + 9);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fcgi_out");
	TCase *t = tcase_create("fcgi_out");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, short_one_leaves_at_once);
	tcase_add_test(t, errors_are_ended);
	tcase_add_loop_test(t, nginx_is_to_close, 0, 2);
	tcase_add_loop_test(t, cut, 0, 2);
	tcase_add_test(t, nothing_at_all);
	tcase_add_test(t, long_one_is_not_copied);
	tcase_add_test(t, last_one_is_one_call);
	tcase_add_test(t, pieces_share_a_call);
	tcase_add_loop_test(t, any_pieces, 0, 20);
	tcase_add_loop_test(t, peer_takes_no_more, 0, 4);
	tcase_add_test(t, replaced_before_anything_is_sent);
	tcase_add_test(t, replaced_after_errors);
	tcase_add_test(t, left_cut);
	tcase_add_test(t, cut_within_a_record);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

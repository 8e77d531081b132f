#include <stdio.h>
#include <string.h>

#include "net/fcgi_reply.h"
#include "unit.h"

static struct buf wire, head, body, errors, warnings;
static struct fcgi_reply reply;
static struct why why;
static size_t used;

static void
got_head(void *arg, const char *data, size_t n)
{
	(void)arg;
	buf_add(&head, data, n);
}

static void
got_bytes(struct buf *b, const void *data, size_t n)
{
	ck_assert_uint_gt(n, 0);
	buf_add(b, data, n);
}

static void
got_body(void *arg, const void *data, size_t n)
{
	(void)arg;
	got_bytes(&body, data, n);
}

static void
got_errors(void *arg, const void *data, size_t n)
{
	(void)arg;
	got_bytes(&errors, data, n);
}

static void
got_warning(void *arg, const char *text)
{
	(void)arg;
	buf_addf(&warnings, "%s\n", text);
}

static const struct fcgi_sink sink = { got_head, got_body, got_errors,
	got_warning, NULL };

static void
empty(void)
{
	memset(&reply, 0, sizeof(reply));
	fcgi_reply_init(&reply, &sink, false);
}

static void
release(void)
{
	fcgi_reply_free(&reply);
	buf_free(&wire);
	buf_free(&head);
	buf_free(&body);
	buf_free(&errors);
	buf_free(&warnings);
}

static void
put(unsigned type, const char *text)
{
	fcgi_add_stream(&wire, type, 1, text, strlen(text));
}

static void
put_record(unsigned type, unsigned id, const void *data, unsigned n)
{
	unsigned char header[FCGI_HEADER_LEN];

	fcgi_put_header(header, type, id, n, 0);
	buf_add(&wire, header, sizeof(header));
	buf_add(&wire, data, n);
}

/* Feed everything in pieces of `piece` bytes. */
static enum fcgi_verdict
feed_by(size_t piece)
{
	enum fcgi_verdict verdict = REPLY_MORE;
	size_t at, n;

	for (at = 0; verdict == REPLY_MORE && at < wire.len; at += used) {
		n = wire.len - at < piece ? wire.len - at : piece;
		verdict = fcgi_reply_feed(&reply, wire.data + at, n, &used,
		    &why);
	}
	return verdict;
}

static enum fcgi_verdict
feed(void)
{
	return feed_by(wire.len);
}

static enum fcgi_verdict
feed_head(const char *text)
{
	put(FCGI_STDOUT, text);
	fcgi_add_end(&wire, 1, 0, FCGI_REQUEST_COMPLETE);
	return feed();
}

/* However the bytes are cut, the answer is the same. */
START_TEST(response_in_pieces_of_any_size)
{
	put(FCGI_STDOUT, "Status: 404 Not Found\r\nX: y\r\n\r\nbo");
	put(FCGI_STDERR, "oh dear\n");
	put(FCGI_STDOUT, "dy");
	put(FCGI_STDOUT, "");
	fcgi_add_end(&wire, 1, 7, FCGI_REQUEST_COMPLETE);
	ck_assert_int_eq(feed_by((size_t)_i), REPLY_DONE);
	ck_assert_str_eq(buf_string(&head),
	    "Status: 404 Not Found\r\nX: y\r\n\r\n");
	ck_assert_str_eq(buf_string(&body), "body");
	ck_assert_str_eq(buf_string(&errors), "oh dear\n");
	ck_assert_uint_eq(warnings.len, 0);
	ck_assert_uint_eq(reply.cgi.status, 404);
	ck_assert_uint_eq(reply.app_status, 7);
	ck_assert_uint_eq(reply.body, 4);
	ck_assert_uint_eq(reply.bytes, wire.len);
}
END_TEST

static const struct {
	const char *text;
	unsigned status;
} heads[] = {
	{ "Content-Type: a\r\n\r\n", 200 },
	{ "Content-Type: a\n\n", 200 },
	{ "\r\n", 200 },
	{ "\n", 200 },
	{ "Status: 201\r\n\r\n", 201 },
	{ "sTATUS:999 x\n\n", 999 },
	{ "Status: 100 \t\r\n\r\n", 100 },
	{ "Location: /x\r\n\r\n", 302 },
	{ "Location: /x\r\nStatus: 201 x\r\n\r\n", 201 },
	{ "Status: 201 x\r\nLocation: /x\r\n\r\n", 201 },
	{ "Statuses: 500\r\nXStatus: 500\r\n\r\n", 200 },
};

START_TEST(status_is_read_as_web_servers_do)
{
	ck_assert_int_eq(feed_head(heads[_i].text), REPLY_DONE);
	ck_assert_uint_eq(reply.cgi.status, heads[_i].status);
	ck_assert_uint_eq(body.len, 0);
}
END_TEST

static const char *const bad_heads[] = { "Status: 20\r\n\r\n",
	"Status: 2000\r\n\r\n", "Status: 099\r\n\r\n", "Status: OK\r\n\r\n",
	"Status: 200OK\r\n\r\n", "Status:\r\n\r\n", "no colon\r\n\r\n",
	": no name\r\n\r\n", "<html>\n\n" };

START_TEST(malformed_head_is_an_error)
{
	ck_assert_int_eq(feed_head(bad_heads[_i]), REPLY_PROTOCOL);
	ck_assert(strstr(why.text, "malformed") != NULL);
	ck_assert_uint_eq(head.len, 0);
}
END_TEST

START_TEST(end_before_or_amid_the_head_is_cut)
{
	fcgi_add_end(&wire, 1, 9, FCGI_REQUEST_COMPLETE);
	ck_assert_int_eq(feed(), REPLY_CUT);
	ck_assert(strstr(why.text, "before it began") != NULL);
	ck_assert(strstr(why.text, "9") != NULL);
	buf_clear(&wire);
	fcgi_reply_init(&reply, &sink, false);
	ck_assert_int_eq(feed_head("Status: 200 OK\r\n"), REPLY_CUT);
	ck_assert(strstr(why.text, "amid its headers") != NULL);
}
END_TEST

static const struct {
	const char *text;
	bool head;
	enum fcgi_verdict verdict;
} lengths[] = {
	{ "Content-Length: 4\r\n\r\nbody", false, REPLY_DONE },
	{ "Content-Length: 5\r\n\r\nbody", false, REPLY_CUT },
	{ "Content-Length: 3\r\n\r\nbody", false, REPLY_PROTOCOL },
	{ "Content-Length: 4\r\n\r\n", true, REPLY_DONE },
	{ "Status: 304\r\nContent-Length: 4\r\n\r\n", false, REPLY_DONE },
	{ "Content-Length: 4 4\r\n\r\nbo", false, REPLY_DONE },
	{ "Content-Length: 99999999999999999999\r\n\r\nbo", false, REPLY_DONE },
};

START_TEST(content_length_is_held_against_the_body)
{
	fcgi_reply_init(&reply, &sink, lengths[_i].head);
	ck_assert_int_eq(feed_head(lengths[_i].text), lengths[_i].verdict);
}
END_TEST

START_TEST(headers_cost_bounded_memory)
{
	char line[1000];
	int i;

	memset(line, 'x', sizeof(line));
	for (i = 0; i < 1000; i++)
		put_record(FCGI_STDOUT, 1, line, sizeof(line));
	ck_assert_int_eq(feed(), REPLY_PROTOCOL);
	ck_assert(strstr(why.text, "bytes of headers") != NULL);
	ck_assert_uint_lt(reply.head.cap, 4 * REPLY_HEAD_MAX);
}
END_TEST

START_TEST(records_that_are_not_ours_are_skipped_with_one_warning)
{
	put_record(FCGI_STDOUT, 2, "Status: 500\r\n\r\nnot ours", 23);
	put_record(FCGI_STDOUT, 3, "x", 1);
	put_record(99, 1, "strange", 7);
	put_record(FCGI_DATA, 1, "strange", 7);
	put_record(FCGI_UNKNOWN_TYPE, 0, "12345678", 8);
	fcgi_add_end(&wire, 2, 1, FCGI_REQUEST_COMPLETE);
	put(FCGI_STDOUT, "\n");
	put(FCGI_STDOUT, "ours");
	fcgi_add_end(&wire, 1, 0, FCGI_REQUEST_COMPLETE);
	ck_assert_int_eq(feed(), REPLY_DONE);
	ck_assert_str_eq(buf_string(&body), "ours");
	ck_assert_str_eq(buf_string(&warnings),
	    "ignoring a record of another request\n"
	    "ignoring a record of unexpected type\n");
}
END_TEST

START_TEST(other_protocols_are_told)
{
	buf_puts(&wire, "HTTP/1.1 200 OK\r\n\r\n");
	ck_assert_int_eq(feed(), REPLY_PROTOCOL);
	ck_assert(strstr(why.text, "no FastCGI") != NULL);
}
END_TEST

START_TEST(short_end_record_is_an_error)
{
	put(FCGI_STDOUT, "\n");
	put_record(FCGI_END_REQUEST, 1, "1234567", 7);
	ck_assert_int_eq(feed(), REPLY_PROTOCOL);
}
END_TEST

START_TEST(what_the_server_cut_is_an_error)
{
	put(FCGI_STDOUT, "A: b\n\nhalf");
	put_record(FCGI_ABORT_REQUEST, 1, "", 0);
	ck_assert_int_eq(feed(), REPLY_CUT);
	ck_assert(strstr(why.text, "cut the response off") != NULL);
}
END_TEST

static const struct {
	unsigned status;
	const char *text;
} refusals[] = { { FCGI_CANT_MPX_CONN, "one request" },
	{ FCGI_OVERLOADED, "overloaded" }, { FCGI_UNKNOWN_ROLE, "role" },
	{ 77, "protocol status 77" } };

START_TEST(refusal_is_an_error)
{
	fcgi_add_end(&wire, 1, 0, refusals[_i].status);
	ck_assert_int_eq(feed(), REPLY_PROTOCOL);
	ck_assert(strstr(why.text, refusals[_i].text) != NULL);
}
END_TEST

START_TEST(what_follows_the_response_is_left)
{
	size_t whole;

	put(FCGI_STDOUT, "\n");
	fcgi_add_end(&wire, 1, 0, FCGI_REQUEST_COMPLETE);
	whole = wire.len;
	put(FCGI_STDOUT, "next");
	ck_assert_int_eq(feed(), REPLY_DONE);
	ck_assert_uint_eq(used, whole);
}
END_TEST

START_TEST(padding_is_no_content)
{
	char padding[255];

	memset(padding, 'p', sizeof(padding));
	buf_add(&wire, "\1\6\0\1\0\5\377\0A: b\n", 13);
	buf_add(&wire, padding, sizeof(padding));
	buf_add(&wire, "\1\6\0\1\0\2\0\0\nB", 10);
	fcgi_add_end(&wire, 1, 0, FCGI_REQUEST_COMPLETE);
	ck_assert_int_eq(feed_by(3), REPLY_DONE);
	ck_assert_str_eq(buf_string(&body), "B");
}
END_TEST

/* After one response the same struct takes the next. */
START_TEST(next_response_starts_afresh)
{
	feed_head("Status: 500 Oops\r\nContent-Length: 1\r\n\r\nx");
	buf_clear(&wire);
	fcgi_reply_init(&reply, &sink, false);
	ck_assert_int_eq(feed_head("A: b\n\nlonger"), REPLY_DONE);
	ck_assert_uint_eq(reply.cgi.status, 200);
	ck_assert_uint_eq(reply.body, 6);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *
suite(void)
{
	Suite *s = suite_create("fcgi_reply");
	TCase *t = tcase_create("reply");

	tcase_add_checked_fixture(t, empty, release);
	tcase_add_loop_test(t, response_in_pieces_of_any_size, 1, 120);
	tcase_add_loop_test(t, status_is_read_as_web_servers_do, 0,
	    COUNT(heads));
	tcase_add_loop_test(t, malformed_head_is_an_error, 0,
	    COUNT(bad_heads));
	tcase_add_test(t, end_before_or_amid_the_head_is_cut);
	tcase_add_loop_test(t, content_length_is_held_against_the_body, 0,
	    COUNT(lengths));
	tcase_add_test(t, headers_cost_bounded_memory);
	tcase_add_test(t,
	    records_that_are_not_ours_are_skipped_with_one_warning);
	tcase_add_test(t, other_protocols_are_told);
	tcase_add_test(t, short_end_record_is_an_error);
	tcase_add_test(t, what_the_server_cut_is_an_error);
	tcase_add_loop_test(t, refusal_is_an_error, 0, COUNT(refusals));
	tcase_add_test(t, what_follows_the_response_is_left);
	tcase_add_test(t, padding_is_no_content);
	tcase_add_test(t, next_response_starts_afresh);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

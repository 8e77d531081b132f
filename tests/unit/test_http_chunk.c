#include "worker/proto/http/http_chunk.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "unit.h"

static const struct http_limits limits = { .head = 64, .target = 64,
	.fields = 3 };

/* A body, its content, and what is left behind it. */
static const struct {
	const char *text, *content, *rest;
} accepted[] = {
	{ "0\r\n\r\n", "", "" },
	{ "0\r\n\r\nGET", "", "GET" },
	{ "3\r\nabc\r\n0\r\n\r\n", "abc", "" },
	{ "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n\r\n", "abc0123456789",
	    "\r\n" },
	{ "0000000000000003\r\nabc\r\n0000000000000000\r\n\r\n", "abc", "" },
	{ "9\r\n\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n\r\n", "" },
	{ "3;x\r\nabc\r\n0\r\n\r\n", "abc", "" },
	{ "3;x;yy=z\r\nabc\r\n0;x=\"\"\r\n\r\n", "abc", "" },
	{ "3;x=\"a\\\"b\\\\;\t\xff\";y\r\nabc\r\n0\r\n\r\n", "abc", "" },
	{ "0\r\nA: b\r\nC:\r\nContent-Length: 5\r\n\r\nX", "", "X" },
};

static const struct {
	const char *text, *fault;
} refused[] = {
	{ "\r", "without" },
	{ ";", "without" },
	{ "x", "without" },
	{ "-", "without" },
	{ " ", "without" },
	{ "0x", "malformed size" },
	{ "5\n", "malformed size" },
	{ "5_", "malformed size" },
	{ "00000000000000000", "too large" },
	{ "4000000000000001", "too large" },
	{ "FFFFFFFFFFFFFFFF", "too large" },
	{ "5\rx", "line feed" },
	{ "5 ", "malformed size" },
	{ "5\t", "malformed size" },
	{ "5;\r", "extension" },
	{ "5;;", "extension" },
	{ "5;=", "extension" },
	{ "5;a\n", "extension" },
	{ "5;a=\r", "extension" },
	{ "5;a=;", "extension" },
	{ "5;a=b=", "extension" },
	{ "5; ", "extension" },
	{ "5;a ", "extension" },
	{ "5;a= ", "extension" },
	{ "5;a=b ", "extension" },
	{ "5;a=\"\n", "extension" },
	{ "5;a=\"\\\r", "extension" },
	{ "5;a=\"\"b", "extension" },
	{ "5;a=\"\" ", "extension" },
	{ "3\r\nabcd", "longer" },
	{ "3\r\nabc\n", "longer" },
	{ "3\r\nabc\rx", "line feed" },
	{ "3\r\nabc\r\n\r", "without" },
	{ "0\r\n ", "token" },
	{ "0\r\n:", "token" },
	{ "0\r\nA ", "token" },
	{ "0\r\n\n", "token" },
	{ "0\r\n\rx", "line feed" },
	{ "0\r\nA: b\n", "control" },
	{ "0\r\nA: b\x7f", "control" },
	{ "0\r\nA: b\rc", "line feed" },
	{ "0\r\nA: b\r\n\t", "token" },
	{ "0\r\nA:\r\nA:\r\nA:\r\nA", "too many" },
};

/* The pieces come one after another, each from memory of its size; content is
 * taken at most `most` bytes at a time. */
static enum http_chunk_verdict
read_body(struct http_chunk *k, const char *text, size_t n, size_t cut,
    size_t piece, size_t most, struct buf *content, size_t *at)
{
	enum http_chunk_verdict verdict = CHUNK_MORE;
	struct buf in = { 0 };
	size_t used, from = 0, to = cut;

	memset(k, 0, sizeof(*k));
	*at = 0;
	while (verdict == CHUNK_MORE && from <= n) {
		buf_add(&in, text + from, to - from);
		for (;;) {
			verdict = http_chunk_next(k, in.data, in.len, &limits,
			    &used);
			ck_assert_uint_le(used, in.len);
			buf_consume(&in, used);
			*at += used;
			if (verdict != CHUNK_CONTENT)
				break;
			ck_assert_uint_gt(in.len, 0);
			ck_assert_uint_gt(k->left, 0);
			used = in.len < k->left ? in.len : (size_t)k->left;
			used = used < most ? used : most;
			buf_add(content, in.data, used);
			http_chunk_take(k, used);
			buf_consume(&in, used);
			*at += used;
		}
		ck_assert(verdict != CHUNK_MORE || in.len == 0);
		from = to == n ? n + 1 : to;
		to = to + piece < n ? to + piece : n;
	}
	buf_free(&in);
	return verdict;
}

static void
check_read(const char *text, size_t n, size_t cut, size_t piece, size_t most,
    const char *content, const char *rest)
{
	struct http_chunk k;
	struct buf got = { 0 };
	size_t at;

	ck_assert_msg(read_body(&k, text, n, cut, piece, most, &got, &at) ==
	    CHUNK_END, "%s%s", text, k.fault);
	ck_assert_str_eq(buf_string(&got), content);
	ck_assert_str_eq(text + at, rest);
	buf_free(&got);
}

static void
check_measured(const char *text, size_t n, size_t piece, size_t length,
    size_t end)
{
	struct http_chunk k = { 0 };
	enum http_chunk_verdict verdict = CHUNK_MORE;
	uint64_t content = 0;
	size_t at = 0;

	for (size_t len = 0; len <= n && verdict == CHUNK_MORE;
	     len = len == n ? n + 1 : len + piece < n ? len + piece : n)
		verdict = http_chunk_measure(&k, text, len, &limits, &at,
		    &content);
	ck_assert_int_eq(verdict, CHUNK_END);
	ck_assert_uint_eq(content, length);
	ck_assert_uint_eq(at, end);
	ck_assert_int_eq(http_chunk_measure(&k, text, n, &limits, &at,
	    &content), CHUNK_END);
	ck_assert_uint_eq(at, end);
}

START_TEST(accept)
{
	const char *text = accepted[_i].text, *content = accepted[_i].content;
	const char *rest = accepted[_i].rest;
	size_t n = strlen(text), end = n - strlen(rest);

	check_read(text, n, n, n, n, content, rest);
	check_read(text, n, n, n, 1, content, rest);
	check_read(text, n, 0, 1, n, content, rest);
	for (size_t cut = 0; cut < n; cut++)
		check_read(text, n, cut, n, 2, content, rest);
	for (size_t piece = 1; piece <= n; piece++)
		check_measured(text, n, piece, strlen(content), end);
}
END_TEST

START_TEST(refuse)
{
	const char *text = refused[_i].text;
	size_t n = strlen(text), at, other_at;
	struct http_chunk k, other;
	struct buf got = { 0 };
	uint64_t content = 0;

	ck_assert_msg(read_body(&k, text, n, n, n, n, &got, &at) == CHUNK_BAD,
	    "%s", text);
	ck_assert_msg(strstr(k.fault, refused[_i].fault) != NULL, "%s: %s",
	    text, k.fault);
	for (size_t cut = 0; cut < n; cut++) {
		ck_assert_int_eq(read_body(&other, text, n, cut, n, 2, &got,
		    &other_at), CHUNK_BAD);
		ck_assert_mem_eq(&k, &other, sizeof(k));
		ck_assert_uint_eq(at, other_at);
		ck_assert_msg(read_body(&other, text, cut, cut, n, n, &got,
		    &other_at) == CHUNK_MORE, "%s at %zu", text, cut);
	}
	memset(&other, 0, sizeof(other));
	other_at = 0;
	ck_assert_int_eq(http_chunk_measure(&other, text, n, &limits, &other_at,
	    &content), CHUNK_BAD);
	ck_assert_int_eq(http_chunk_measure(&other, text, n, &limits, &other_at,
	    &content), CHUNK_BAD);
	buf_free(&got);
}
END_TEST

START_TEST(largest)
{
	struct http_chunk k = { 0 };
	size_t used;

	ck_assert_int_eq(http_chunk_next(&k, "4000000000000000\r\nx", 19,
	    &limits, &used), CHUNK_CONTENT);
	ck_assert_uint_eq(used, 18);
	ck_assert_uint_eq(k.left, HTTP_CHUNK_MAX);
	ck_assert_uint_le(sizeof(k), 48); /* thousands wait with one each */
}
END_TEST

START_TEST(limit_of_extensions)
{
	struct buf b = { 0 };
	struct http_chunk k;
	struct buf got = { 0 };
	size_t at;

	/* 64 bytes with each of 64 chunks. */
	for (int i = 0; i < 64; i++)
		buf_addf(&b, "1;x=\"%059d\"\r\na\r\n", 0);
	buf_puts(&b, "0\r\n\r\n");
	check_read(buf_string(&b), b.len, 0, 7, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "");
	b.len -= 4;
	buf_puts(&b, ";");
	ck_assert_int_eq(read_body(&k, b.data, b.len, b.len, 1, 1, &got, &at),
	    CHUNK_BAD);
	ck_assert_str_eq(k.fault, "chunk extensions too long");
	buf_free(&b);
	buf_free(&got);
}
END_TEST

START_TEST(limit_of_trailer)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "0\r\nA: %057d\r\n\r\n", 0);
	struct http_chunk k;
	struct buf got = { 0 };
	size_t at;

	check_read(text, (size_t)n, 0, 1, 1, "", "");
	n = snprintf(text, sizeof(text), "0\r\nA: %058d\r\n\r\n", 0);
	ck_assert_int_eq(read_body(&k, text, (size_t)n, 0, 1, 1, &got, &at),
	    CHUNK_BAD);
	ck_assert_str_eq(k.fault, "trailer too long");
	buf_free(&got);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("http_chunk");
	TCase *c = tcase_create("judge");

	tcase_add_loop_test(c, accept, 0,
	    (int)(sizeof(accepted) / sizeof(accepted[0])));
	tcase_add_loop_test(c, refuse, 0,
	    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(c, largest);
	tcase_add_test(c, limit_of_extensions);
	tcase_add_test(c, limit_of_trailer);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

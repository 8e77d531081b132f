#include "worker/proto/http/http_scan.h"

#include <string.h>

#include "base/buf.h"
#include "unit.h"

static const struct http_limits limits = { .head = 4096, .target = 64,
	.fields = 20 };

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: a\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST
#define END  "\r\n"

/* A head that is whole, and what the judge says of it. */
static const struct {
	const char *text;
	int minor, length;
	bool chunked, keep, expects, upgrade;
} accepted[] = {
	{ LINE HOST END, 1, -1, false, true, false, false },
	{ "GET / HTTP/1.0\r\n" END, 0, -1, false, false, false, false },
	{ "GET / HTTP/1.2\r\n" HOST END, 1, -1, false, true, false, false },
	{ "M-SEARCH * HTTP/1.1\r\n" HOST END, 1, -1, false, true, false, false },
	{ "\r\n\r\n\r\n\r\n" LINE HOST END, 1, -1, false, true, false, false },
	{ LINE "Host: [::1]:80\r\n" END, 1, -1, false, true, false, false },
	{ LINE "hOST:a%20b:\r\n" END, 1, -1, false, true, false, false },
	{ LINE HOST "Empty:\r\nBlank: \t \r\nText: \xff \t.\r\n" END, 1, -1,
	    false, true, false, false },
	{ LINE HOST "Host_: b\r\nContent_Type: c\r\n" END, 1, -1, false, true,
	    false, false },
	{ POST "Content-Length: 0\r\n" END, 1, 0, false, true, false, false },
	{ POST "content-length:\t0042 \r\n" END, 1, 42, false, true, false,
	    false },
	{ POST "Transfer-Encoding: Chunked\r\n" END, 1, -1, true, true, false,
	    false },
	{ LINE HOST "Connection: close\r\n" END, 1, -1, false, false, false,
	    false },
	{ LINE HOST "Connection: x, ,CLOSE,\r\nConnection: keep-alive\r\n" END,
	    1, -1, false, false, false, false },
	{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END, 0, -1, false,
	    true, false, false },
	{ "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END, 0, -1,
	    false, false, false, false },
	{ POST "Expect: 100-Continue\r\nContent-Length: 5\r\n" END, 1, 5, false,
	    true, true, false },
	{ POST "Expect: 100-continue\r\n" END, 1, -1, false, true, false,
	    false },
	{ "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" END,
	    0, 5, false, false, false, false },
	{ LINE HOST "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
	    END, 1, -1, false, true, false, true },
	{ LINE HOST "Connection: upgrade\r\nUpgrade: h2c, websocket\r\n"
	    "Content-Length: 0\r\n" END, 1, 0, false, true, false, true },
	{ LINE HOST "Connection: x ,, upgrade ,\r\nUpgrade: h2c,, WebSocket\r\n"
	    END, 1, -1, false, true, false, true },
	{ LINE HOST "Connection: upgrade\r\nUpgrade: websocket2\r\n" END, 1,
	    -1, false, true, false, false },
	{ POST "Upgrade: websocket\r\nContent-Length: 5\r\n" END, 1, 5, false,
	    true, false, false },
	{ POST "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n"
	    END, 1, 5, false, true, false, false },
};

/* What is refused, and behind which of its bytes: `at` from the end. */
static const struct {
	const char *text;
	int status;
	const char *fault; /* a part of it */
} refused[] = {
	/* Bytes that cannot be there. */
	{ LINE HOST "A: b\n", 400, "line feed" },
	{ "GET / HTTP/1.1\n", 400, "line feed" },
	{ "\n", 400, "line feed" },
	{ LINE HOST "\n", 400, "line feed" },
	{ "GET / HTTP/1.1\rX", 400, "return" },
	{ LINE "A: b\rc", 400, "return" },
	{ LINE HOST "\rX", 400, "return" },
	{ "\rX", 400, "return" },
	{ "\r\n\r\n\r\n\r\n\r", 400, "no method" },
	{ LINE "A: b\r\n ", 400, "folded" },
	{ LINE "\t", 400, "folded" },
	{ LINE "Host ", 400, "blank" },
	{ LINE "Host\t", 400, "blank" },
	{ LINE ":", 400, "empty name" },
	{ LINE "A(", 400, "no token" },
	{ LINE "A\r", 400, "no token" },
	{ LINE "\x80", 400, "no token" },
	{ LINE "A: \x7f", 400, "control" },
	{ LINE "A: \x0b", 400, "control" },
	/* The request line. */
	{ " ", 400, "method" },
	{ "GET\t", 400, "method" },
	{ "G@", 400, "method" },
	{ "\x02", 400, "method" },
	{ "\x16", 400, "TLS" },
	{ "\x01", 400, "FastCGI" },
	{ "GET  ", 400, "no target" },
	{ "GET /\r", 400, "no version" },
	{ "GET /#", 400, "target" },
	{ "GET /\"", 400, "target" },
	{ "GET /\x7f", 400, "target" },
	{ "GET /\xc3", 400, "target" },
	{ "GET / \r", 400, "version" },
	{ "GET / h", 400, "version" },
	{ "GET / HTTP/1.x", 400, "version" },
	{ "GET / HTTP/1.10", 400, "version" },
	{ "GET / HTTP/11", 400, "version" },
	{ "GET / HTTP/1.1 ", 400, "version" },
	{ "GET / HTTP/2", 505, "version" },
	{ "GET / HTTP/0", 505, "version" },
	{ "PRI * HTTP/2", 505, "version" },
	{ "CONNECT ", 501, "CONNECT" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 501, "long" },
	/* Host. */
	{ LINE END, 400, "no Host" },
	{ LINE HOST HOST, 400, "twice" },
	{ "GET / HTTP/1.0\r\n" HOST HOST, 400, "twice" },
	{ LINE "Host:\r\n", 400, "Host" },
	{ LINE "Host: a b\r\n", 400, "Host" },
	{ LINE "Host: u@a\r\n", 400, "Host" },
	{ LINE "Host: a/b\r\n", 400, "Host" },
	{ LINE "Host: a:b\r\n", 400, "Host" },
	{ LINE "Host: a:65536\r\n", 400, "Host" },
	{ LINE "Host: a%2\r\n", 400, "Host" },
	{ LINE "Host: [::1\r\n", 400, "Host" },
	{ LINE "Host: [::1]a\r\n", 400, "Host" },
	{ LINE "Host: [::g]\r\n", 400, "Host" },
	{ LINE "Host: :80\r\n", 400, "Host" },
	/* The length of the body. */
	{ LINE "Content-Length:\r\n", 400, "Content-Length" },
	{ LINE "Content-Length: +5\r\n", 400, "Content-Length" },
	{ LINE "Content-Length: -5\r\n", 400, "Content-Length" },
	{ LINE "Content-Length: 5x\r\n", 400, "Content-Length" },
	{ LINE "Content-Length: 5, 5\r\n", 400, "Content-Length" },
	{ LINE "Content-Length: 1000000000000000000\r\n", 400, "Length" },
	{ LINE "Content-Length: 5\r\nContent-Length: 5\r\n", 400, "twice" },
	{ LINE "Content_Length: 5", 400, "underscore" },
	{ LINE "transfer_encoding: x", 400, "underscore" },
	{ LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400,
	    "and" },
	{ LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400,
	    "and" },
	{ "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400, "1.0" },
	{ LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
	    400, "twice" },
	{ LINE "Transfer-Encoding: chunked, chunked\r\n", 400, "twice" },
	{ LINE "Transfer-Encoding: chunked, gzip\r\n", 400, "last" },
	{ LINE "Transfer-Encoding: chunked;a=b\r\n", 400, "parameter" },
	{ LINE "Transfer-Encoding:\r\n", 400, "list" },
	{ LINE "Transfer-Encoding: ,chunked\r\n", 400, "list" },
	{ LINE "Transfer-Encoding: chunked,\r\n", 400, "list" },
	{ LINE "Transfer-Encoding: \"chunked\"\r\n", 400, "list" },
	{ LINE "Transfer-Encoding: chunked\xa0\r\n", 400, "list" },
	{ LINE "Transfer-Encoding: identity\r\n", 501, "coding" },
	{ LINE "Transfer-Encoding: gzip, chunked\r\n", 501, "coding" },
	{ LINE "Transfer-Encoding: xchunked\r\n", 501, "coding" },
	/* Others. */
	{ LINE "Connection: a b\r\n", 400, "Connection" },
	{ LINE "Upgrade: a b\r\n", 400, "Upgrade" },
	{ LINE "Expect: 100-continue, x\r\n", 417, "expectation" },
	{ LINE "Expect:\r\n", 417, "expectation" },
	{ POST "Connection: upgrade\r\nUpgrade: websocket\r\n"
	    "Content-Length: 5\r\n" END, 400, "body" },
	{ POST "Connection: upgrade\r\nUpgrade: websocket\r\n"
	    "Transfer-Encoding: chunked\r\n" END, 400, "body" },
	{ "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" END,
	    400, "1.0" },
};

/* The text, from memory of exactly its size, in two pieces cut at `cut`, or
 * byte by byte; behind it comes `more`. */
static enum http_verdict
judge(struct http_scan *scan, const char *text, size_t n, size_t cut,
    size_t piece)
{
	enum http_verdict verdict = HTTP_MORE;

	memset(scan, 0, sizeof(*scan));
	for (size_t len = cut; len <= n && verdict == HTTP_MORE;
	     len = len == n ? n + 1 : len + piece < n ? len + piece : n) {
		char *exact = malloc(len + 1);

		memcpy(exact, text, len);
		exact[len] = '\n'; /* which would be seen if it were looked at */
		verdict = http_scan_next(scan, exact, len, &limits);
		ck_assert_uint_le(scan->at, len);
		free(exact);
	}
	return verdict;
}

static void
same(const struct http_scan *a, const struct http_scan *b)
{
	ck_assert_mem_eq(a, b, sizeof(*a));
}

START_TEST(accept)
{
	const char *text = accepted[_i].text;
	size_t n = strlen(text);
	struct http_scan scan, other;

	ck_assert_msg(judge(&scan, text, n, n, n) == HTTP_HEAD, "%s%s", text,
	    scan.fault);
	ck_assert_uint_eq(scan.at, n);
	ck_assert_int_eq(scan.minor, accepted[_i].minor);
	ck_assert_int_eq(scan.length, accepted[_i].length);
	ck_assert_int_eq(scan.chunked, accepted[_i].chunked);
	ck_assert_int_eq(scan.keep, accepted[_i].keep);
	ck_assert_int_eq(scan.expects, accepted[_i].expects);
	ck_assert_int_eq(scan.upgrade, accepted[_i].upgrade);
	ck_assert_int_eq(judge(&other, text, n, 0, 1), HTTP_HEAD);
	same(&scan, &other);
	for (size_t cut = 0; cut < n; cut++) {
		ck_assert_int_eq(judge(&other, text, cut, cut, n), HTTP_MORE);
		ck_assert_int_eq(judge(&other, text, n, cut, n), HTTP_HEAD);
		same(&scan, &other);
	}
	ck_assert_int_eq(http_scan_next(&scan, "", 0, &limits), HTTP_HEAD);
}
END_TEST

START_TEST(refuse)
{
	const char *text = refused[_i].text;
	size_t n = strlen(text);
	struct buf longer = { 0 };
	struct http_scan scan, other;

	ck_assert_msg(judge(&scan, text, n, n, n) == HTTP_BAD, "%s", text);
	ck_assert_msg(scan.status == refused[_i].status &&
	    strstr(scan.fault, refused[_i].fault) != NULL, "%s%d %s", text,
	    scan.status, scan.fault);
	buf_puts(&longer, text);
	buf_puts(&longer, "\r\n\r\nGET / HTTP/1.1\r\n");
	ck_assert_int_eq(judge(&other, longer.data, longer.len, longer.len, 1),
	    HTTP_BAD);
	ck_assert_uint_eq(other.status, scan.status);
	for (size_t cut = 0; cut < n; cut++) {
		ck_assert_int_eq(judge(&other, text, n, cut, n), HTTP_BAD);
		same(&scan, &other);
		if (refused[_i].fault[0] != 'u') /* underscore: at its colon */
			ck_assert_msg(judge(&other, text, cut, cut, n) ==
			    HTTP_MORE, "%s at %zu", text, cut);
	}
	ck_assert_int_eq(http_scan_next(&scan, text, n, &limits), HTTP_BAD);
	buf_free(&longer);
}
END_TEST

START_TEST(nul)
{
	static const char *const texts[] = { "", "GET", "GET /", "GET / HTTP/",
		LINE, LINE "A", LINE "A: b" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct http_scan scan;
		size_t n = strlen(texts[i]) + 1;

		ck_assert_int_eq(judge(&scan, texts[i], n, n, n), HTTP_BAD);
		ck_assert_uint_eq(scan.status, 400);
		ck_assert_str_eq(scan.fault, "NUL");
	}
}
END_TEST

/* Every byte, wherever it may be and where it may not. */
START_TEST(classes)
{
	const char *token = "!#$%&'*+-.^_`|~0123456789"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *target = "!$&'()*+,;=:/?[]@%-._~\\^`{|}0123456789"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (int c = 1; c < 256; c++) {
		char text[] = "GxT", path[] = "G /x", name[] = LINE "Ax";
		char value[] = LINE "A: 12345678x2345678";
		struct http_scan scan;

		text[1] = path[3] = name[sizeof(LINE)] = (char)c;
		value[sizeof(LINE) + 10] = (char)c;
		ck_assert_int_eq(judge(&scan, text, 3, 3, 3) == HTTP_MORE,
		    strchr(token, c) != NULL || c == ' ');
		ck_assert_int_eq(judge(&scan, path, 4, 4, 4) == HTTP_MORE,
		    strchr(target, c) != NULL || c == ' ');
		ck_assert_int_eq(judge(&scan, name, sizeof(name) - 1, 0, 1) ==
		    HTTP_MORE, strchr(token, c) != NULL || c == ':');
		ck_assert_int_eq(judge(&scan, value, sizeof(value) - 1, 0,
		    sizeof(value)) == HTTP_MORE,
		    c == '\t' || (c >= ' ' && c != 127));
	}
}
END_TEST

static void
repeat(struct buf *b, const char *text, size_t times)
{
	while (times-- > 0)
		buf_puts(b, text);
}

/* A limit that is reached, and one that is exceeded by `more`. */
static void
check_limit(const struct buf *within, const char *end, const char *more,
    int status)
{
	struct buf b = { 0 };
	struct http_scan whole, bytes;

	buf_add(&b, within->data, within->len);
	buf_puts(&b, end);
	ck_assert_int_eq(judge(&whole, b.data, b.len, b.len, b.len), HTTP_HEAD);
	ck_assert_int_eq(judge(&bytes, b.data, b.len, 0, 1), HTTP_HEAD);
	same(&whole, &bytes);
	b.len = within->len;
	buf_puts(&b, more);
	ck_assert_int_eq(judge(&whole, b.data, b.len, b.len, b.len), HTTP_BAD);
	ck_assert_uint_eq(whole.status, status);
	buf_puts(&b, "abc\r\n\r\n");
	ck_assert_int_eq(judge(&bytes, b.data, b.len, 0, 1), HTTP_BAD);
	same(&whole, &bytes);
	buf_free(&b);
}

START_TEST(limit_of_target)
{
	struct buf b = { 0 };

	buf_puts(&b, "GET ");
	repeat(&b, "/", limits.target);
	check_limit(&b, " HTTP/1.1\r\n" HOST END, "/", 414);
	buf_free(&b);
}
END_TEST

START_TEST(limit_of_fields)
{
	struct buf b = { 0 };

	buf_puts(&b, LINE HOST);
	repeat(&b, "A: b\r\n", limits.fields - 1);
	check_limit(&b, END, "A", 431);
	buf_free(&b);
}
END_TEST

START_TEST(limit_of_head)
{
	struct buf b = { 0 };

	buf_puts(&b, "\r\n\r\n"); /* which is not counted */
	buf_puts(&b, LINE HOST "A: ");
	repeat(&b, "b", limits.head + 4 - b.len - 4);
	check_limit(&b, "\r\n\r\n", "bbbbb", 431);
	buf_free(&b);
}
END_TEST

/* Where the head's limit is the smaller one, the request line is what is too
 * long. */
START_TEST(limit_of_line)
{
	const struct http_limits small = { .head = 20, .target = 64,
		.fields = 5 };
	const char *text = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct http_scan scan = { 0 };

	ck_assert_int_eq(http_scan_next(&scan, text, 20, &small), HTTP_MORE);
	ck_assert_int_eq(http_scan_next(&scan, text, 21, &small), HTTP_BAD);
	ck_assert_uint_eq(scan.status, 414);
	memset(&scan, 0, sizeof(scan));
	text = "GET / HTTP/1.1\r\nA: bcd";
	ck_assert_int_eq(http_scan_next(&scan, text, 20, &small), HTTP_MORE);
	ck_assert_int_eq(http_scan_next(&scan, text, 21, &small), HTTP_BAD);
	ck_assert_uint_eq(scan.status, 431);
}
END_TEST

static void
check_span(struct http_span span, const char *text)
{
	ck_assert_uint_eq(span.len, strlen(text));
	ck_assert_mem_eq(span.data, text, span.len);
}

START_TEST(fields)
{
	const char *text = "\r\nPUT /a?b=c HTTP/1.0\r\nOne: 1\r\n"
	    "Two:\t 2 :, 3\t\r\nNone:\r\nBlank:  \t\r\nx:y\r\n\r\nrest";
	struct http_span method, target;
	struct http_field out[6];
	struct http_scan scan;

	ck_assert_int_eq(judge(&scan, text, strlen(text), 0, 1), HTTP_HEAD);
	ck_assert_uint_eq(scan.at, strlen(text) - 4);
	ck_assert_uint_eq(scan.fields, 5);
	ck_assert_uint_eq(http_scan_fields(text, &scan, &method, &target, out,
	    6), 5);
	check_span(method, "PUT");
	check_span(target, "/a?b=c");
	check_span(out[0].name, "One");
	check_span(out[0].value, "1");
	check_span(out[1].name, "Two");
	check_span(out[1].value, "2 :, 3");
	check_span(out[2].value, "");
	check_span(out[3].name, "Blank");
	check_span(out[3].value, "");
	check_span(out[4].name, "x");
	check_span(out[4].value, "y");
	ck_assert_uint_eq(http_scan_fields(text, &scan, &method, &target, out,
	    2), 2);
}
END_TEST

START_TEST(next_request)
{
	const char *text = POST "Content-Length: 3\r\n" END "abc" LINE HOST END;
	struct http_scan scan = { 0 };

	ck_assert_int_eq(http_scan_next(&scan, text, strlen(text), &limits),
	    HTTP_HEAD);
	text += scan.at + 3;
	http_scan_reset(&scan);
	ck_assert_int_eq(http_scan_next(&scan, text, strlen(text), &limits),
	    HTTP_HEAD);
	ck_assert_int_eq(scan.length, -1);
	ck_assert_uint_eq(scan.at, sizeof(LINE HOST END) - 1);
	ck_assert_uint_le(sizeof(scan), 64); /* thousands wait with one each */
}
END_TEST

START_TEST(lists)
{
	struct http_span list = { ", a\t,b c, ,d", 12 }, element;
	static const char *const elements[] = { "", "a", "b c", "", "d" };

	for (size_t i = 0; i < 5; i++) {
		ck_assert(http_list_next(&list, &element));
		check_span(element, elements[i]);
	}
	ck_assert(!http_list_next(&list, &element));
	ck_assert(http_span_is((struct http_span) { "CloseX", 5 }, "close"));
	ck_assert(!http_span_is((struct http_span) { "Close", 5 }, "closed"));
	ck_assert(!http_span_is((struct http_span) { "Close", 5 }, "clos"));
	ck_assert(!http_span_is((struct http_span) { "A\0", 2 }, "a"));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("http_scan");
	TCase *c = tcase_create("judge");

	tcase_add_loop_test(c, accept, 0,
	    (int)(sizeof(accepted) / sizeof(accepted[0])));
	tcase_add_loop_test(c, refuse, 0,
	    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(c, nul);
	tcase_add_test(c, classes);
	tcase_add_test(c, limit_of_target);
	tcase_add_test(c, limit_of_fields);
	tcase_add_test(c, limit_of_head);
	tcase_add_test(c, limit_of_line);
	tcase_add_test(c, fields);
	tcase_add_test(c, next_request);
	tcase_add_test(c, lists);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

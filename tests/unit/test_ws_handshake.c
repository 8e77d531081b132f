/* The opening handshake of WebSocket: which requests are upgrades, which may
 * be, and what is answered. */

#include "net/ws_handshake.h"

#include <stdio.h>
#include <string.h>

#include "base/sha1.h"
#include "unit.h"

static struct http_span
text(const char *s)
{
	return (struct http_span){ s, s == NULL ? 0 : strlen(s) };
}

static struct ws_request
good(void)
{
	return (struct ws_request){ .get = true, .minor = 1,
		.host = text("example.com"),
		.key = text("dGhlIHNhbXBsZSBub25jZQ=="),
		.version = text("13") };
}

static int
judge(const struct ws_request *request)
{
	const struct ws_origins none = { NULL, 0 };
	const char *fault;
	int status = ws_handshake_judge(request, &none, &fault);

	ck_assert((status == 101) == (fault == NULL));
	return status;
}

START_TEST(sha1_is_right)
{
	static const struct {
		const char *text;
		const char *hash;
	} known[] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
		/* 55, 64 and 119 bytes */
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "c1c8bbdc22796e28c0e15163d20899b65621d65a" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaa", "0098ba824b5c16427bd7a1122a5a442a25ec644d" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "a", "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56" },
	};
	unsigned char hash[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		sha1(known[i].text, strlen(known[i].text), hash);
		for (size_t j = 0; j < SHA1_SIZE; j++)
			snprintf(hex + 2 * j, 3, "%02x", hash[j]);
		ck_assert_str_eq(hex, known[i].hash);
	}
}
END_TEST

START_TEST(the_accept_value_is_that_of_the_rfc)
{
	struct http_span key = text("dGhlIHNhbXBsZSBub25jZQ==");
	char out[WS_ACCEPT];

	ws_handshake_accept(&key, out);
	ck_assert_mem_eq(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT);
}
END_TEST

START_TEST(a_request_has_to_be_whole)
{
	struct ws_request r = good();

	ck_assert_int_eq(judge(&r), 101);
	r.get = false;
	ck_assert_int_eq(judge(&r), 400);
	r = good();
	r.minor = 0;
	ck_assert_int_eq(judge(&r), 400);
	r = good();
	r.body = true;
	ck_assert_int_eq(judge(&r), 400);
	r = good();
	r.host = text(NULL);
	ck_assert_int_eq(judge(&r), 400);
	r.host = text("");
	ck_assert_int_eq(judge(&r), 400);
}
END_TEST

START_TEST(the_version_is_13)
{
	static const char *const others[] = { NULL, "", "12", "13, 13", "8, 13",
		"+13", "13.0", "130", "1" };
	struct ws_request r = good();

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		r.version = text(others[i]);
		ck_assert_int_eq(judge(&r), 426);
	}
}
END_TEST

START_TEST(a_key_is_16_bytes)
{
	static const char *const bad[] = { NULL, "", "dGhlIHNhbXBsZSBub25jZQ",
		"dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===",
		"dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25jZ===",
		"dGhlIHNhbXBsZSBub25j Q==", "dGhlIHNhbXBsZSBub25jZ-==",
		"dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==" };
	struct ws_request r = good();

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		r.key = text(bad[i]);
		ck_assert_int_eq(judge(&r), 400);
	}
	r.key = (struct http_span){ "dGhlIHNhbXBsZSBub25j\0Q==", 24 };
	ck_assert_int_eq(judge(&r), 400);
	r.key = text("////////////////////+w==");
	ck_assert_int_eq(judge(&r), 101);
}
END_TEST

struct origin_row {
	const char *host;
	const char *origin;
	const char *items[3];
	int status;
};

static const struct origin_row rows[] = {
	/* without a list: the same host and port */
	{ "example.com", NULL, { NULL }, 101 },
	{ "example.com", "http://example.com", { NULL }, 101 },
	{ "example.com", "https://example.com", { NULL }, 101 },
	{ "EXAMPLE.com", "https://example.COM", { NULL }, 101 },
	{ "example.com:80", "http://example.com", { NULL }, 101 },
	{ "example.com:443", "https://example.com", { NULL }, 101 },
	{ "example.com", "http://example.com:80", { NULL }, 101 },
	{ "example.com:8080", "http://example.com:8080", { NULL }, 101 },
	{ "[::1]:8080", "http://[::1]:8080", { NULL }, 101 },
	{ "[::1]", "http://[::1]", { NULL }, 101 },
	{ "example.com:8080", "http://example.com", { NULL }, 403 },
	{ "example.com", "http://example.com:8080", { NULL }, 403 },
	{ "example.com:443", "http://example.com", { NULL }, 403 },
	{ "example.com", "https://evil.com", { NULL }, 403 },
	{ "example.com", "https://example.com.evil.com", { NULL }, 403 },
	{ "example.com", "https://evilexample.com", { NULL }, 403 },
	{ "example.com", "https://sub.example.com", { NULL }, 403 },
	{ "example.com", "null", { NULL }, 403 },
	{ "example.com", "", { NULL }, 403 },
	{ "example.com", "example.com", { NULL }, 403 },
	{ "example.com", "//example.com", { NULL }, 403 },
	{ "example.com", "https://", { NULL }, 403 },
	{ "example.com", "https://example.com/", { NULL }, 403 },
	{ "example.com", "https://evil.com@example.com", { NULL }, 403 },
	{ "example.com", "https://example.com, https://evil.com", { NULL },
	    403 },
	{ "example.com", "https://example.com https://evil.com", { NULL },
	    403 },
	{ "example.com", "http://example.com:80x", { NULL }, 403 },
	{ "::1", "http://::1", { NULL }, 403 },
	/* with one */
	{ "example.com", NULL, { "other.com" }, 101 },
	{ "example.com", "https://example.com", { "other.com" }, 403 },
	{ "example.com", "https://example.com", { "other.com", "same" }, 101 },
	{ "example.com", "https://evil.com", { "same", "other.com" }, 403 },
	{ "example.com", "https://other.com", { "other.com" }, 101 },
	{ "example.com", "http://other.com:81", { "other.com" }, 101 },
	{ "example.com", "http://other.com:81", { "other.com:81" }, 101 },
	{ "example.com", "http://other.com:82", { "other.com:81" }, 403 },
	{ "example.com", "https://other.com", { "other.com:443" }, 101 },
	{ "example.com", "https://other.com", { "https://other.com" }, 101 },
	{ "example.com", "HTTPS://other.com:443", { "https://other.com" },
	    101 },
	{ "example.com", "http://other.com", { "https://other.com" }, 403 },
	{ "example.com", "https://other.com:81", { "https://other.com" },
	    403 },
	{ "example.com", "https://a.other.com", { "*.other.com" }, 101 },
	{ "example.com", "https://a.b.other.com", { "https://*.other.com" },
	    101 },
	{ "example.com", "https://other.com", { "*.other.com" }, 403 },
	{ "example.com", "https://another.com", { "*.other.com" }, 403 },
	{ "example.com", "http://a.other.com", { "https://*.other.com" },
	    403 },
	{ "example.com", "https://anything.at.all", { "*" }, 101 },
	{ "example.com", "null", { "*" }, 101 },
	{ "example.com", "null", { "same" }, 403 },
};

START_TEST(an_origin_has_to_be_allowed)
{
	const struct origin_row *row = &rows[_i];
	struct ws_request r = good();
	struct ws_origins origins = { row->items, 0 };
	const char *fault;

	while (row->items[origins.n] != NULL)
		ck_assert(ws_origin_is_valid(row->items[origins.n++]));
	r.host = text(row->host);
	r.origin = text(row->origin);
	ck_assert_int_eq(ws_handshake_judge(&r, &origins, &fault),
	    row->status);
}
END_TEST

START_TEST(an_item_that_never_matches_is_not_valid)
{
	static const char *const bad[] = { "", "https://", "https://a/b",
		"a b", "a:b", "http//a", "https://a:b", "https://a@b", "::1",
		"null", "*.*.com", "a*", "*a", "a.*", "https://*", "*.",
		"https://a.*.com" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!ws_origin_is_valid(bad[i]), "%s", bad[i]);
}
END_TEST

static bool
is_token(const char *data, size_t len)
{
	return http_is_token((struct http_span) { data, len }, "");
}

START_TEST(a_subprotocol_is_one_of_a_list)
{
	struct http_span list = text("chat, super.chat,,  x ");

	ck_assert(http_list_has(list, "chat", 4));
	ck_assert(http_list_has(list, "super.chat", 10));
	ck_assert(http_list_has(list, "x", 1));
	ck_assert(!http_list_has(list, "Chat", 4));
	ck_assert(!http_list_has(list, "super", 5));
	ck_assert(!http_list_has(list, "", 0));
	ck_assert(!http_list_has(text(NULL), "chat", 4));
	ck_assert(is_token("super.chat", 10));
	ck_assert(!is_token("", 0));
	ck_assert(!is_token("a b", 3));
	ck_assert(!is_token("a\0b", 3));
	ck_assert(!is_token("a,b", 3));
	ck_assert(!is_token("\"a\"", 3));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("ws_handshake");
	TCase *t = tcase_create("handshake");

	tcase_add_test(t, sha1_is_right);
	tcase_add_test(t, the_accept_value_is_that_of_the_rfc);
	tcase_add_test(t, a_request_has_to_be_whole);
	tcase_add_test(t, the_version_is_13);
	tcase_add_test(t, a_key_is_16_bytes);
	tcase_add_loop_test(t, an_origin_has_to_be_allowed, 0,
	    sizeof(rows) / sizeof(*rows));
	tcase_add_test(t, an_item_that_never_matches_is_not_valid);
	tcase_add_test(t, a_subprotocol_is_one_of_a_list);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

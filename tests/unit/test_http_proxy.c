/* Headers of the PROXY protocol: whole, byte by byte, and what is none. */

#include "worker/proto/http/http_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

/* As the caller gets the bytes: at each length less than the header's MORE, and
 * no byte behind what has come is looked at. */
static enum http_proxy_verdict
judge(const char *data, size_t n, struct http_proxy *p)
{
	enum http_proxy_verdict verdict = HTTP_PROXY_MORE;

	for (size_t i = 0; i <= n && verdict == HTTP_PROXY_MORE; i++) {
		char *copy = malloc(i > 0 ? i : 1);

		memcpy(copy, data, i);
		verdict = http_proxy_judge(copy, i, p);
		ck_assert(verdict != HTTP_PROXY_DONE || p->len == i);
		free(copy);
	}
	return verdict;
}

/* "SOURCE PORT, DESTINATION PORT". */
static const char *
text_of(const struct http_proxy *p)
{
	static char out[160];
	char a[HTTP_ADDRESS_TEXT], b[HTTP_ADDRESS_TEXT];

	snprintf(out, sizeof(out), "%.*s %u, %.*s %u",
	    (int)http_address_print(&p->source, a), a, p->source.port,
	    (int)http_address_print(&p->destination, b), b,
	    p->destination.port);
	return out;
}

static const struct {
	const char *line, *addresses;
} lines[] = {
	{ "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
	    "192.0.2.1 56324, 198.51.100.2 443" },
	{ "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
	    "255.255.255.255 65535, 255.255.255.255 65535" },
	{ "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0 0, 0.0.0.0 0" },
	{ "PROXY TCP6 2001:db8::1 ::2 1 2\r\n", "2001:db8::1 1, ::2 2" },
	{ "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535, "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535" },
	{ "PROXY UNKNOWN\r\n", " 0,  0" },
	{ "PROXY UNKNOWN \r\n", " 0,  0" },
	{ "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    " 0,  0" },
};

START_TEST(version_1)
{
	struct http_proxy p;

	ck_assert_int_eq(judge(lines[_i].line, strlen(lines[_i].line), &p),
	    HTTP_PROXY_DONE);
	ck_assert_uint_eq(p.len, strlen(lines[_i].line));
	ck_assert_str_eq(text_of(&p), lines[_i].addresses);
}
END_TEST

static const char *const bad_lines[] = {
	"GET / HTTP/1.1\r\n",
	"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
	"PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n",
	"PROXY\r\n",
	"PROXY \r\n",
	"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
	"PROXY TCP 1.2.3.4 1.2.3.4 1 2\r\n",
	"PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
	"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
	"PROXY UNKNOWNX\r\n",
	"PROXY TCP4\r\n",
	"PROXY TCP4 \r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
	"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 1 2x\r\n",
	"PROXY TCP4 1.2.3.4:5 1.2.3.4 1 2\r\n",
	"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
	"PROXY TCP4 ::1 ::1 1 2\r\n",
	"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
	"PROXY TCP6 [::1] ::1 1 2\r\n",
	"PROXY TCP6 [::1]:5 ::1 1 2\r\n",
	"PROXY TCP6 1.2.3.4:5 ::1 1 2\r\n",
	"PROXY TCP6 ::1%lo ::1 1 2\r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
	"PROXY TCP4 1.2.3.4\r1.2.3.4 1 2\r\n",
	"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
	"PROXY UNKNOWN x\rx\r\n",
	("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 \r\n"),
	"PROXZ",
	"\n",
	" ",
	"\r\n\r\nx",
	"\r\nGET / HTTP/1.1\r\n",
};

START_TEST(no_header)
{
	struct http_proxy p;

	ck_assert_msg(judge(bad_lines[_i], strlen(bad_lines[_i]), &p) ==
	    HTTP_PROXY_BAD, "%s", bad_lines[_i]);
	ck_assert_ptr_nonnull(p.fault);
}
END_TEST

/* What is behind the header is no part of it. */
START_TEST(rest_is_left)
{
	const char text[] = "PROXY UNKNOWN\r\n\r\nPROXY";
	struct http_proxy p;

	ck_assert_int_eq(http_proxy_judge(text, sizeof(text) - 1, &p),
	    HTTP_PROXY_DONE);
	ck_assert_uint_eq(p.len, 15);
}
END_TEST

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V2_LEN 12

/* A header of version 2 whose addresses and additions are the bytes 1, 2, ... */
static size_t
header(char *out, unsigned command, unsigned family, unsigned rest)
{
	memcpy(out, V2, V2_LEN);
	out[12] = (char)command;
	out[13] = (char)family;
	out[14] = (char)(rest >> 8);
	out[15] = (char)(rest & 0xff);
	for (unsigned i = 0; i < rest; i++)
		out[16 + i] = (char)(i + 1);
	return 16 + rest;
}

#define FOUR "1.2.3.4 2314, 5.6.7.8 2828"
#define SIX "102:304:506:708:90a:b0c:d0e:f10 8482, " \
	"1112:1314:1516:1718:191a:1b1c:1d1e:1f20 8996"
#define NOWHERE " 0,  0"

static const struct {
	unsigned command, family, rest;
	const char *addresses; /* NULL: malformed */
} headers[] = {
	{ 0x21, 0x11, 12, FOUR },
	{ 0x21, 0x11, 500, FOUR },
	{ 0x21, 0x21, 36, SIX },
	{ 0x21, 0x21, 4080, SIX },
	{ 0x21, 0x31, 216, "unix: 0, unix: 0" },
	{ 0x21, 0x31, 300, "unix: 0, unix: 0" },
	{ 0x21, 0x00, 0, NOWHERE },
	{ 0x21, 0x00, 9, NOWHERE },
	{ 0x20, 0x00, 0, NOWHERE },
	{ 0x20, 0x11, 12, NOWHERE },
	{ 0x20, 0x11, 3, NOWHERE },
	{ 0x20, 0xff, 3, NOWHERE },
	{ 0x21, 0x11, 11, NULL },
	{ 0x21, 0x11, 0, NULL },
	{ 0x21, 0x21, 35, NULL },
	{ 0x21, 0x31, 215, NULL },
	{ 0x21, 0x12, 12, NULL },
	{ 0x21, 0x22, 36, NULL },
	{ 0x21, 0x32, 216, NULL },
	{ 0x21, 0x10, 12, NULL },
	{ 0x21, 0x01, 12, NULL },
	{ 0x21, 0x41, 12, NULL },
	{ 0x21, 0x11, 4081, NULL },
	{ 0x20, 0x00, 65535, NULL },
	{ 0x22, 0x11, 12, NULL },
	{ 0x2f, 0x11, 12, NULL },
	{ 0x11, 0x11, 12, NULL },
	{ 0x31, 0x11, 12, NULL },
	{ 0x01, 0x11, 12, NULL },
};

START_TEST(version_2)
{
	static char data[70000];
	struct http_proxy p;
	size_t n = header(data, headers[_i].command, headers[_i].family,
	    headers[_i].rest);

	if (headers[_i].addresses == NULL) {
		ck_assert_int_eq(judge(data, n, &p), HTTP_PROXY_BAD);
		ck_assert_ptr_nonnull(p.fault);
		return;
	}
	ck_assert_int_eq(judge(data, n, &p), HTTP_PROXY_DONE);
	ck_assert_uint_eq(p.len, n);
	ck_assert_str_eq(text_of(&p), headers[_i].addresses);
}
END_TEST

START_TEST(signature_is_whole)
{
	char data[28];
	struct http_proxy p;

	for (size_t i = 0; i < V2_LEN; i++) {
		header(data, 0x21, 0x11, 12);
		data[i] ^= 1;
		ck_assert_int_eq(judge(data, sizeof(data), &p),
		    HTTP_PROXY_BAD);
	}
}
END_TEST

static const struct {
	const char *source, *destination, *addresses;
} added[] = {
	{ "192.0.2.1:1234", "198.51.100.2:80",
	    "192.0.2.1 1234, 198.51.100.2 80" },
	{ "[2001:db8::1]:65535", "[::2]:256", "2001:db8::1 65535, ::2 256" },
	{ "192.0.2.1", "[::2]:80", "192.0.2.1 0, ::2 80" },
	{ "unix", "unix", "unix: 0, unix: 0" },
	{ "none", "none", NOWHERE },
	{ "unix", "1.2.3.4", NOWHERE },
	{ "1.2.3.4", "none", NOWHERE },
};

static struct http_address
address(const char *text)
{
	struct http_address a = { .kind = HTTP_ADDRESS_NONE };

	if (strcmp(text, "unix") == 0)
		a.kind = HTTP_ADDRESS_UNIX;
	else if (strcmp(text, "none") != 0)
		ck_assert(http_address_parse((struct http_span) { text,
		    strlen(text) }, &a));
	return a;
}

START_TEST(what_is_added_is_taken)
{
	const struct http_address source = address(added[_i].source);
	const struct http_address destination = address(added[_i].destination);
	struct buf out = { 0 };
	struct http_proxy p;

	http_proxy_add(&source, &destination, &out);
	ck_assert(!out.failed);
	ck_assert_int_eq(judge(out.data, out.len, &p), HTTP_PROXY_DONE);
	ck_assert_uint_eq(p.len, out.len);
	ck_assert_str_eq(text_of(&p), added[_i].addresses);
	buf_free(&out);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("http_proxy");
	TCase *c = tcase_create("header");

	tcase_add_loop_test(c, version_1, 0, sizeof(lines) / sizeof(lines[0]));
	tcase_add_loop_test(c, no_header, 0,
	    sizeof(bad_lines) / sizeof(bad_lines[0]));
	tcase_add_test(c, rest_is_left);
	tcase_add_loop_test(c, version_2, 0,
	    sizeof(headers) / sizeof(headers[0]));
	tcase_add_test(c, signature_is_whole);
	tcase_add_loop_test(c, what_is_added_is_taken, 0,
	    sizeof(added) / sizeof(added[0]));
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

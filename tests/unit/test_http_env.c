/* The parameters of a request: which there are, in which order, with which
 * values. */

#include "worker/proto/http/http_env.h"

#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct http_env env;

static struct http_address
at(const char *text)
{
	struct http_address a;

	ck_assert(http_address_parse((struct http_span) { text, strlen(text) },
	    &a));
	return a;
}

#define SPAN(text) { text, sizeof(text) - 1 }
#define FIELD(name, value) { SPAN(name), SPAN(value) }

/* The parameters as text, a line each. */
static const char *
make(const struct http_facts *facts)
{
	static char out[8192];
	size_t len = 0;

	ck_assert_int_eq(http_env_make(&env, facts), 0);
	for (size_t i = 0; i < env.n; i++)
		len += (size_t)snprintf(out + len, sizeof(out) - len,
		    "%.*s=%.*s\n", (int)env.params[i].name_len,
		    env.params[i].name, (int)env.params[i].value_len,
		    env.params[i].value);
	out[len] = '\0';
	return out;
}

static const struct http_target target = { SPAN("/a%20b?c"), SPAN("/a b"),
	SPAN("c"), { NULL, 0 }, NULL };

START_TEST(all_of_them)
{
	const struct http_field fields[] = {
		FIELD("Host", "www.example:8080"),
		FIELD("accept-LANGUAGE", "de"),
		FIELD("Content-Type", "text/plain"),
		FIELD("Content-Length", "5"),
		FIELD("X-A-9", ""),
		FIELD("Cookie", "a=1"),
		FIELD("Cookie", "b=2"),
		FIELD("Connection", "close"),
	};
	const struct http_address client = at("192.0.2.250:1234");
	const struct http_address server = at("[2001:db8::1]:8080");
	const struct http_facts facts = { .method = SPAN("POST"),
		.target = &target, .fields = fields,
		.nfields = sizeof(fields) / sizeof(fields[0]), .minor = 1,
		.length = 5, .client = &client, .server = &server };

	ck_assert_str_eq(make(&facts),
	    "QUERY_STRING=c\n"
	    "REQUEST_METHOD=POST\n"
	    "CONTENT_TYPE=text/plain\n"
	    "CONTENT_LENGTH=5\n"
	    "SCRIPT_NAME=/a b\n"
	    "REQUEST_URI=/a%20b?c\n"
	    "DOCUMENT_URI=/a b\n"
	    "SERVER_PROTOCOL=HTTP/1.1\n"
	    "REQUEST_SCHEME=http\n"
	    "GATEWAY_INTERFACE=CGI/1.1\n"
	    "SERVER_SOFTWARE=lua-fpm/" PACKAGE_VERSION "\n"
	    "REMOTE_ADDR=192.0.2.250\n"
	    "REMOTE_PORT=1234\n"
	    "REMOTE_USER=\n"
	    "SERVER_ADDR=2001:db8::1\n"
	    "SERVER_PORT=8080\n"
	    "SERVER_NAME=www.example\n"
	    "REDIRECT_STATUS=200\n"
	    "HTTP_HOST=www.example:8080\n"
	    "HTTP_ACCEPT_LANGUAGE=de\n"
	    "HTTP_CONTENT_TYPE=text/plain\n"
	    "HTTP_CONTENT_LENGTH=5\n"
	    "HTTP_X_A_9=\n"
	    "HTTP_COOKIE=a=1\n"
	    "HTTP_COOKIE=b=2\n"
	    "HTTP_CONNECTION=close\n");
}
END_TEST

/* As little as there can be: 1.0 without Host over a unix socket. */
START_TEST(bare)
{
	const struct http_address local = { .kind = HTTP_ADDRESS_UNIX };
	const struct http_facts facts = { .method = SPAN("GET"),
		.target = &target, .length = -1, .https = true,
		.client = &local, .server = &local, .root = "/srv/www" };

	ck_assert_str_eq(make(&facts),
	    "QUERY_STRING=c\n"
	    "REQUEST_METHOD=GET\n"
	    "CONTENT_TYPE=\n"
	    "CONTENT_LENGTH=\n"
	    "SCRIPT_NAME=/a b\n"
	    "REQUEST_URI=/a%20b?c\n"
	    "DOCUMENT_URI=/a b\n"
	    "DOCUMENT_ROOT=/srv/www\n"
	    "SERVER_PROTOCOL=HTTP/1.0\n"
	    "REQUEST_SCHEME=https\n"
	    "HTTPS=on\n"
	    "GATEWAY_INTERFACE=CGI/1.1\n"
	    "SERVER_SOFTWARE=lua-fpm/" PACKAGE_VERSION "\n"
	    "REMOTE_ADDR=unix:\n"
	    "REMOTE_PORT=\n"
	    "REMOTE_USER=\n"
	    "SERVER_ADDR=unix:\n"
	    "SERVER_PORT=\n"
	    "SERVER_NAME=localhost\n"
	    "REDIRECT_STATUS=200\n");
}
END_TEST

static const char *
value_of(const char *name)
{
	static char out[256];
	const char *found = NULL;

	for (size_t i = 0; i < env.n; i++) {
		const struct param *p = &env.params[i];

		if (p->name_len != strlen(name) ||
		    memcmp(p->name, name, p->name_len) != 0)
			continue;
		ck_assert_ptr_null(found);
		snprintf(out, sizeof(out), "%.*s", (int)p->value_len, p->value);
		found = out;
	}
	return found;
}

static const struct {
	struct http_field field;
	const char *name, *value;
} odd[] = {
	{ FIELD("X_A", "1"), "HTTP_X_A", NULL },
	{ FIELD("X.A", "1"), "HTTP_X_A", NULL },
	{ FIELD("!#$%&'*+.^`|~", "1"), "HTTP_", NULL },
	{ FIELD("Proxy", "http://evil.example"), "HTTP_PROXY", NULL },
	{ FIELD("PROXY", "http://evil.example"), "HTTP_PROXY", NULL },
	{ FIELD("Proxy-Authorization", "x"), "HTTP_PROXY_AUTHORIZATION", "x" },
	{ FIELD("-", "x"), "HTTP__", "x" },
	{ FIELD("Authorization", "Basic YTpi"), "REMOTE_USER", "" },
	{ FIELD("https", "on"), "HTTPS", NULL },
	{ FIELD("https", "on"), "HTTP_HTTPS", "on" },
	{ FIELD("Content-Length", "3"), "CONTENT_LENGTH", "" },
	{ FIELD("Host", ""), "HTTP_HOST", "" },
	{ FIELD("Host", ""), "SERVER_NAME", "198.51.100.1" },
	{ FIELD("Host", "a.example"), "SERVER_NAME", "a.example" },
	{ FIELD("Host", "a.example:"), "SERVER_NAME", "a.example" },
	{ FIELD("Host", "A.example:80"), "SERVER_NAME", "A.example" },
	{ FIELD("Host", "[::1]"), "SERVER_NAME", "[::1]" },
	{ FIELD("Host", "[::1]:80"), "SERVER_NAME", "[::1]" },
	{ FIELD("Hos", "a"), "HTTP_HOST", NULL },
};

START_TEST(odd_fields)
{
	const struct http_address client = at("127.0.0.1");
	const struct http_address server = at("198.51.100.1:80");
	const struct http_facts facts = { .method = SPAN("GET"),
		.target = &target, .fields = &odd[_i].field, .nfields = 1,
		.minor = 1, .length = -1, .client = &client,
		.server = &server };
	const char *value;

	make(&facts);
	value = value_of(odd[_i].name);
	ck_assert_pstr_eq(value, odd[_i].value);
}
END_TEST

START_TEST(authority_of_the_target_wins)
{
	const struct http_field fields[] = { FIELD("Host", "other.example"),
		FIELD("X-A", "1") };
	const struct http_target absolute = { SPAN("/"), SPAN("/"), SPAN(""),
		SPAN("www.example:81"), NULL };
	const struct http_address any = at("127.0.0.1");
	const struct http_facts facts = { .method = SPAN("GET"),
		.target = &absolute, .fields = fields, .nfields = 2,
		.minor = 1, .length = -1, .client = &any, .server = &any };

	make(&facts);
	ck_assert_str_eq(value_of("HTTP_HOST"), "www.example:81");
	ck_assert_str_eq(value_of("SERVER_NAME"), "www.example");
	ck_assert_str_eq(value_of("HTTP_X_A"), "1");
}
END_TEST

START_TEST(first_content_type_counts)
{
	const struct http_field fields[] = { FIELD("Content-Type", "a/b"),
		FIELD("content-type", "c/d") };
	const struct http_address any = at("127.0.0.1");
	const struct http_facts facts = { .method = SPAN("GET"),
		.target = &target, .fields = fields, .nfields = 2,
		.minor = 1, .length = 0, .client = &any, .server = &any };

	make(&facts);
	ck_assert_str_eq(value_of("CONTENT_TYPE"), "a/b");
	ck_assert_str_eq(value_of("CONTENT_LENGTH"), "0");
}
END_TEST

/* The longest of everything fits, and large memory is given back. */
START_TEST(largest)
{
	static char name[5000];
	struct http_field fields[100];
	const struct http_address long_one =
	    at("[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
	const struct http_facts facts = { .method = SPAN("GET"),
		.target = &target, .fields = fields, .nfields = 100,
		.minor = 1, .length = INT64_MAX, .https = true,
		.client = &long_one, .server = &long_one, .root = "/" };
	char *text;

	memset(name, 'x', sizeof(name));
	for (size_t i = 0; i < 100; i++)
		fields[i] = (struct http_field) { { name, sizeof(name) },
			SPAN("v") };
	ck_assert_int_eq(http_env_make(&env, &facts), 0);
	ck_assert_uint_eq(env.n, 120);
	ck_assert_uint_le(env.text.len, env.text.cap);
	text = env.text.data;
	ck_assert_ptr_eq(env.params[119].name + 5 + sizeof(name),
	    text + env.text.len - 41);
	ck_assert_str_eq(value_of("SERVER_NAME"),
	    "[1111:2222:3333:4444:5555:6666:7777:8888]");
	ck_assert_str_eq(value_of("CONTENT_LENGTH"), "9223372036854775807");
	http_env_shrink(&env, 64, 4096);
	ck_assert_uint_eq(env.text.cap, 0);
	ck_assert_uint_eq(env.cap, 0);
	make(&(struct http_facts) { .method = SPAN("GET"), .target = &target,
	    .client = &long_one, .server = &long_one });
}
END_TEST

/* ---- addresses ------------------------------------------------------------ */

static const struct {
	const char *text, *printed;
	unsigned port;
} addresses[] = {
	{ "0.0.0.0", "0.0.0.0", 0 },
	{ "192.0.2.1", "192.0.2.1", 0 },
	{ "255.10.109.9:65535", "255.10.109.9", 65535 },
	{ "[::1]", "::1", 0 },
	{ "[2001:DB8::a]:80", "2001:db8::a", 80 },
	{ "2001:db8::1:80", "2001:db8::1:80", 0 },
	{ "::ffff:192.0.2.1", "192.0.2.1", 0 },
	{ "[::ffff:c000:201]:1", "192.0.2.1", 1 },
	{ "::", "::", 0 },
	{ "1::", "1::", 0 },
	{ "0:1::1:0", "0:1::1:0", 0 },
	{ "1:0:0:2:0:0:0:3", "1:0:0:2::3", 0 },
	{ "1:0:0:2:3:0:0:4", "1::2:3:0:0:4", 0 },
	{ "1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7", 0 },
};

START_TEST(address_texts)
{
	char out[HTTP_ADDRESS_TEXT];
	struct http_address a = at(addresses[_i].text);
	size_t len = http_address_print(&a, out);

	ck_assert_uint_eq(len, strlen(addresses[_i].printed));
	ck_assert_mem_eq(out, addresses[_i].printed, len);
	ck_assert_uint_eq(a.port, addresses[_i].port);
}
END_TEST

/* As inet_ntop(3), which differs for IPv4 in the last 32 bits alone. */
START_TEST(printed_addresses)
{
	struct http_address a = { .kind = HTTP_ADDRESS_IP };
	char out[HTTP_ADDRESS_TEXT], wanted[INET6_ADDRSTRLEN];

	srand(1);
	for (int i = 0; i < 20000; i++) {
		unsigned zeros = (unsigned)rand();
		size_t len;

		for (int j = 0; j < 16; j++)
			a.ip[j] = zeros & 1u << j / 2 ? 0 :
			    (unsigned char)(rand() >> rand() % 12);
		a.ip[0] |= 1;
		inet_ntop(AF_INET6, a.ip, wanted, sizeof(wanted));
		len = http_address_print(&a, out);
		ck_assert_uint_eq(len, strlen(wanted));
		ck_assert_mem_eq(out, wanted, len);
	}
}
END_TEST

static const char *const none[] = { "", "a", "1", "1.2.3", "1.2.3.4.5",
	"1.2.3.256", "01.2.3.4", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:080",
	"1.2.3.4:65536", "1.2.3.4:999999", "1.2.3.4:8x", "1.2.3.4:+8",
	" 1.2.3.4", "1.2.3.4 ", "[1.2.3.4]", "[::1", "[::1]80", "[::1]:",
	"[::1]:0", "[]", "[", "]", ":", ":80", "::1%lo", "[::1]:80:80",
	"1:2:3:4:5:6:7:8:9", "unknown", "_hidden",
	"1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222" };

START_TEST(no_addresses)
{
	struct http_address a;

	ck_assert_msg(!http_address_parse((struct http_span) { none[_i],
	    strlen(none[_i]) }, &a), "%s", none[_i]);
}
END_TEST

START_TEST(addresses_of_sockets)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(80), .sin_addr = { htonl(0xc0000201) } };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(81) };
	const struct sockaddr local = { .sa_family = AF_UNIX };
	const struct sockaddr other = { .sa_family = AF_PACKET };
	struct http_address a, b = at("192.0.2.1:80"), c = at("[::9]:81");

	inet_pton(AF_INET6, "::9", &in6.sin6_addr);
	a = http_address_from((struct sockaddr *)&in);
	ck_assert_mem_eq(a.ip, b.ip, 16);
	ck_assert_uint_eq(a.port, 80);
	a = http_address_from((struct sockaddr *)&in6);
	ck_assert_mem_eq(a.ip, c.ip, 16);
	ck_assert_uint_eq(a.port, 81);
	ck_assert_uint_eq(http_address_from(&local).kind, HTTP_ADDRESS_UNIX);
	ck_assert_uint_eq(http_address_from(&other).kind, HTTP_ADDRESS_NONE);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("http_env");
	TCase *c = tcase_create("env");

	tcase_add_test(c, all_of_them);
	tcase_add_test(c, bare);
	tcase_add_loop_test(c, odd_fields, 0, sizeof(odd) / sizeof(odd[0]));
	tcase_add_test(c, authority_of_the_target_wins);
	tcase_add_test(c, first_content_type_counts);
	tcase_add_test(c, largest);
	suite_add_tcase(s, c);
	c = tcase_create("address");
	tcase_add_loop_test(c, address_texts, 0,
	    sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_test(c, printed_addresses);
	tcase_add_loop_test(c, no_addresses, 0,
	    sizeof(none) / sizeof(none[0]));
	tcase_add_test(c, addresses_of_sockets);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

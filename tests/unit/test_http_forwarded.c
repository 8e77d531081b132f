/* Who the client is: what trusted proxies say, and what nobody may make us
 * believe. */

#include "worker/proto/http/http_forwarded.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static char ten[] = "10.0.0.0/8", six[] = "2001:db8::/32", local[] = "unix";
static char *entries[] = { ten, six, local };
static const struct conf_list proxies = { entries, 2 };

static struct http_span
span(const char *text)
{
	return (struct http_span) { text, strlen(text) };
}

/* The client of a request with these lines, "NAME: VALUE\n" each, from a peer
 * ("unix": over a socket); "ADDRESS PORT" or "ADDRESS PORT https". */
static const char *
client_of(const char *peer_text, const char *lines)
{
	static char out[128], copy[1024];
	struct http_address peer = { .kind = HTTP_ADDRESS_UNIX };
	struct http_field fields[16];
	struct http_client client;
	char address[HTTP_ADDRESS_TEXT], *line, *rest = copy, *colon;
	size_t n = 0;

	ck_assert(strcmp(peer_text, "unix") == 0 ||
	    http_address_parse(span(peer_text), &peer));
	strcpy(copy, lines);
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		colon = strchr(line, ':');
		fields[n++] = (struct http_field) {
			{ line, (size_t)(colon - line) }, span(colon + 2) };
	}
	http_forwarded_client(fields, n, &peer, &client);
	snprintf(out, sizeof(out), "%.*s %u%s",
	    (int)http_address_print(&client.address, address), address,
	    client.address.port, client.https ? " https" : "");
	return out;
}

#define P "10.0.0.1:99" /* a proxy */
#define FOR "X-Forwarded-For: "
#define PROTO "X-Forwarded-Proto: "

static const struct {
	const char *peer, *lines, *client;
} x_for[] = {
	/* nothing said, or nobody to believe */
	{ P, "", "10.0.0.1 99" },
	{ "192.0.2.9:7", FOR "1.2.3.4\n" PROTO "https\n", "192.0.2.9 7" },
	{ "unix", FOR "1.2.3.4\n" PROTO "https\n", "unix: 0" },
	{ "[::1]:5", FOR "1.2.3.4\n", "::1 5" },
	/* one proxy */
	{ P, FOR "1.2.3.4\n", "1.2.3.4 0" },
	{ P, "x-FORWARDED-for: 1.2.3.4\n", "1.2.3.4 0" },
	{ P, FOR "1.2.3.4:567\n", "1.2.3.4 567" },
	{ P, FOR "[::1]:80\n", "::1 80" },
	{ P, FOR "::1\n", "::1 0" },
	{ "[2001:db8::7]:1", FOR "1.2.3.4\n", "1.2.3.4 0" },
	{ "[::ffff:10.0.0.1]:1", FOR "1.2.3.4\n", "1.2.3.4 0" },
	{ P, FOR "1.2.3.4\n" PROTO "https\n", "1.2.3.4 0 https" },
	{ P, FOR "1.2.3.4\n" PROTO "HTTPS\n", "1.2.3.4 0 https" },
	{ P, FOR "1.2.3.4\n" PROTO "wss\n", "1.2.3.4 0 https" },
	{ P, FOR "1.2.3.4\n" PROTO "http\n", "1.2.3.4 0" },
	{ P, FOR "1.2.3.4\n" PROTO "httpsx\n", "1.2.3.4 0" },
	{ P, FOR "1.2.3.4\n" PROTO "\n", "1.2.3.4 0" },
	{ P, PROTO "https\n", "10.0.0.1 99 https" },
	/* what a client puts in front is not believed */
	{ P, FOR "9.9.9.9, 1.2.3.4\n", "1.2.3.4 0" },
	{ P, FOR "9.9.9.9\n" FOR "1.2.3.4\n", "1.2.3.4 0" },
	{ P, FOR "10.0.0.8, 1.2.3.4\n", "1.2.3.4 0" },
	{ P, FOR "evil\", 1.2.3.4\n", "1.2.3.4 0" },
	{ P, FOR "9.9.9.9, 1.2.3.4\n" PROTO "https, http\n", "1.2.3.4 0" },
	{ P, FOR "9.9.9.9, 1.2.3.4\n" PROTO "http, https\n",
	    "1.2.3.4 0 https" },
	/* several proxies, in one field or in some */
	{ P, FOR "1.2.3.4, 10.0.0.2\n", "1.2.3.4 0" },
	{ P, FOR "1.2.3.4 ,\t10.0.0.3,10.0.0.2 \n", "1.2.3.4 0" },
	{ P, FOR "1.2.3.4\n" FOR "10.0.0.3\nX: y\n" FOR "10.0.0.2\n",
	    "1.2.3.4 0" },
	{ P, FOR "9.9.9.9, 1.2.3.4, 2001:db8::5\n", "1.2.3.4 0" },
	{ P, FOR "1.2.3.4, 10.0.0.2\n" PROTO "https\n", "1.2.3.4 0 https" },
	{ P, FOR "1.2.3.4, 10.0.0.2\n" PROTO "https, http\n",
	    "1.2.3.4 0 https" },
	{ P, FOR "1.2.3.4, 10.0.0.2\n" PROTO "https\n" PROTO "http\n",
	    "1.2.3.4 0 https" },
	{ P, FOR "1.2.3.4, 10.0.0.2\n" PROTO "https, http, http\n",
	    "1.2.3.4 0" },
	/* all of them proxies: the first */
	{ P, FOR "10.0.0.3, 10.0.0.2\n", "10.0.0.3 0" },
	/* empty elements are none */
	{ P, FOR "1.2.3.4,, ,10.0.0.2, \n" FOR "\n", "1.2.3.4 0" },
	{ P, FOR ",\n", "10.0.0.1 99" },
	/* malformed: the last good one */
	{ P, FOR "evil\n", "10.0.0.1 99" },
	{ P, FOR "1.2.3.4, unknown\n" PROTO "https\n", "10.0.0.1 99 https" },
	{ P, FOR "1.2.3.4, evil, 10.0.0.2\n", "10.0.0.2 0" },
	{ P, FOR "1.2.3.4, 10.0.0.2:99999\n", "10.0.0.1 99" },
	{ P, FOR "1.2.3.4 10.0.0.2\n", "10.0.0.1 99" },
	{ P, FOR "1.2.3.4; 10.0.0.2\n", "10.0.0.1 99" },
	/* the other kind of field, and names that are near */
	{ P, "Forwarded: for=1.2.3.4\n", "10.0.0.1 99" },
	{ P, "X-Forwarded-Fo: 1.2.3.4\nX-Real-IP: 1.2.3.4\n", "10.0.0.1 99" },
};

START_TEST(walk_for)
{
	ck_assert_int_eq(http_forwarded_init(&proxies, CONF_FORWARDED_FOR), 0);
	ck_assert_msg(strcmp(client_of(x_for[_i].peer, x_for[_i].lines),
	    x_for[_i].client) == 0, "%s gives %s", x_for[_i].lines,
	    client_of(x_for[_i].peer, x_for[_i].lines));
}
END_TEST

#define FWD "Forwarded: "

static const struct {
	const char *peer, *lines, *client;
} rfc[] = {
	{ P, "", "10.0.0.1 99" },
	{ "192.0.2.9:7", FWD "for=1.2.3.4;proto=https\n", "192.0.2.9 7" },
	{ P, FWD "for=1.2.3.4\n", "1.2.3.4 0" },
	{ P, FWD "FOR=1.2.3.4;Proto=HTTPS\n", "1.2.3.4 0 https" },
	{ P, FWD "for=\"1.2.3.4:567\"\n", "1.2.3.4 567" },
	{ P, FWD "for=\"[::1]\"\n", "::1 0" },
	{ P, FWD "for=\"[::1]:80\"; by=\"[::2]\";host=\"a;b,c\"\n", "::1 80" },
	{ P, FWD "for=\"1.2.3.4:_p\"\n", "1.2.3.4 0" },
	{ P, FWD "proto=https; for=1.2.3.4 ; x=\"a\\\"b\"\n",
	    "1.2.3.4 0 https" },
	{ P, FWD "x=\"\\\\\";for=1.2.3.4\n", "1.2.3.4 0" },
	{ P, FWD "for=1.2.3.4;;proto=https;\n", "1.2.3.4 0 https" },
	/* several */
	{ P, FWD "for=9.9.9.9, for=1.2.3.4\n", "1.2.3.4 0" },
	{ P, FWD "for=1.2.3.4;proto=https, for=10.0.0.2;proto=http\n",
	    "1.2.3.4 0 https" },
	{ P, FWD "for=1.2.3.4;proto=http\n" FWD "for=10.0.0.2;proto=https\n",
	    "1.2.3.4 0" },
	{ P, FWD "for=10.0.0.3, for=10.0.0.2\n", "10.0.0.3 0" },
	{ P, FWD "for=1.2.3.4, , for=\"[2001:db8::9]\",\n", "1.2.3.4 0" },
	/* hidden: the last that shows its address, and what is said of https */
	{ P, FWD "for=unknown\n", "10.0.0.1 99" },
	{ P, FWD "for=_hidden;proto=https\n", "10.0.0.1 99 https" },
	{ P, FWD "proto=https\n", "10.0.0.1 99 https" },
	{ P, FWD "for=1.2.3.4, for=unknown, for=10.0.0.2\n", "10.0.0.2 0" },
	{ P, FWD "for=_x;proto=https, for=10.0.0.2;proto=http\n",
	    "10.0.0.2 0 https" },
	/* quotes that a client has left open */
	{ P, FWD "for=\"9.9.9.9, for=1.2.3.4\n", "1.2.3.4 0" },
	{ P, FWD "for=9.9.9.9;x=\", for=\"1.2.3.4:5\"\n", "1.2.3.4 5" },
	{ P, FWD "x=\", for=10.0.0.9\", for=\"[2001:dead::1]\"\n",
	    "2001:dead::1 0" },
	{ P, FWD "for=\"10.0.0.2\\\", for=1.2.3.4\n", "1.2.3.4 0" },
	/* malformed: the last good one */
	{ P, FWD "for=::1\n", "10.0.0.1 99" },
	{ P, FWD "for=\"::1\"\n", "10.0.0.1 99" },
	{ P, FWD "for=1.2.3.4:567;proto=https\n", "10.0.0.1 99" },
	{ P, FWD "1.2.3.4\n", "10.0.0.1 99" },
	{ P, FWD "for\n", "10.0.0.1 99" },
	{ P, FWD "for=\n", "10.0.0.1 99" },
	{ P, FWD "=1.2.3.4\n", "10.0.0.1 99" },
	{ P, FWD "for==1.2.3.4\n", "10.0.0.1 99" },
	{ P, FWD "for =1.2.3.4\n", "10.0.0.1 99" },
	{ P, FWD "for= 1.2.3.4\n", "10.0.0.1 99" },
	{ P, FWD "x for=1.2.3.4\n", "10.0.0.1 99" },
	{ P, FWD "for=1.2.3.4;for=5.6.7.8\n", "10.0.0.1 99" },
	{ P, FWD "for=1.2.3.4;proto=https;proto=http\n", "10.0.0.1 99" },
	{ P, FWD "for=1.2.3.4, for=\"a\"b, for=10.0.0.2\n", "10.0.0.2 0" },
	{ P, FWD "\"\n", "10.0.0.1 99" },
	{ P, FWD "\"\\\"\n", "10.0.0.1 99" },
	{ P, FWD ",;,\n", "10.0.0.1 99" },
	{ P, FOR "1.2.3.4\n" PROTO "https\n", "10.0.0.1 99" },
};

START_TEST(walk_rfc)
{
	ck_assert_int_eq(http_forwarded_init(&proxies, CONF_FORWARDED_RFC), 0);
	ck_assert_msg(strcmp(client_of(rfc[_i].peer, rfc[_i].lines),
	    rfc[_i].client) == 0, "%s gives %s", rfc[_i].lines,
	    client_of(rfc[_i].peer, rfc[_i].lines));
}
END_TEST

START_TEST(peers_over_unix_sockets)
{
	const struct conf_list all = { entries, 3 };

	ck_assert_int_eq(http_forwarded_init(&all, CONF_FORWARDED_FOR), 0);
	ck_assert_str_eq(client_of("unix", FOR "1.2.3.4, 10.0.0.2\n"),
	    "1.2.3.4 0");
	ck_assert_str_eq(client_of("unix", ""), "unix: 0");
}
END_TEST

START_TEST(nobody_is_believed)
{
	const struct conf_list nobody = { NULL, 0 };

	ck_assert_int_eq(http_forwarded_init(&nobody, CONF_FORWARDED_FOR), 0);
	ck_assert_str_eq(client_of(P, FOR "1.2.3.4\n"), "10.0.0.1 99");
	ck_assert_int_eq(http_forwarded_init(&proxies, CONF_FORWARDED_NONE),
	    0);
	ck_assert_str_eq(client_of(P, FOR "1.2.3.4\n" FWD "for=1.2.3.4\n"),
	    "10.0.0.1 99");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("http_forwarded");
	TCase *c = tcase_create("client");

	tcase_add_loop_test(c, walk_for, 0, sizeof(x_for) / sizeof(x_for[0]));
	tcase_add_loop_test(c, walk_rfc, 0, sizeof(rfc) / sizeof(rfc[0]));
	tcase_add_test(c, peers_over_unix_sockets);
	tcase_add_test(c, nobody_is_believed);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

/* Ranges of addresses: what is one, and who is in it. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/cidr.h"

#include "unit.h"

/* Is the address, as a client's, in the range?  "4:" before it means that it
 * comes as IPv4, else it comes as IPv6. */
static bool
has(const char *range, const char *client)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct cidr cidr;
	struct why why;

	ck_assert_msg(cidr_parse(range, &cidr, &why) == 0, "%s", why.text);
	if (strncmp(client, "4:", 2) == 0) {
		ck_assert_int_eq(inet_pton(AF_INET, client + 2, &in.sin_addr),
		    1);
		return cidr_has(&cidr, (struct sockaddr *)&in);
	}
	ck_assert_int_eq(inet_pton(AF_INET6, client, &in6.sin6_addr), 1);
	return cidr_has(&cidr, (struct sockaddr *)&in6);
}

static const struct {
	const char *range, *in, *out;
} ranges[] = {
	{ "127.0.0.1", "4:127.0.0.1", "4:127.0.0.2" },
	{ "127.0.0.1", "::ffff:127.0.0.1", "::1" },
	{ "127.0.0.1/32", "4:127.0.0.1", "4:127.0.0.0" },
	{ "10.0.0.0/8", "4:10.255.255.255", "4:11.0.0.0" },
	{ "10.0.0.0/8", "::ffff:10.1.2.3", "::10.1.2.3" },
	{ "192.0.2.128/25", "4:192.0.2.128", "4:192.0.2.127" },
	{ "192.0.2.248/29", "4:192.0.2.255", "4:192.0.2.247" },
	{ "192.0.2.2/31", "4:192.0.2.3", "4:192.0.2.4" },
	{ "128.0.0.0/1", "4:255.0.0.1", "4:127.0.0.1" },
	{ "0.0.0.0/0", "4:203.0.113.9", "2001:db8::1" },
	{ "0.0.0.0/0", "::ffff:1.2.3.4", "::" },
	{ "::1", "::1", "::2" },
	{ "::1", "::1", "4:127.0.0.1" },
	{ "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::" },
	{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::" },
	{ "fe80::/10", "febf::1", "fec0::1" },
	{ "::/0", "2001:db8::1", "4:127.0.0.1" },
	{ "::/0", "::1", "::ffff:127.0.0.1" },
	{ "::ffff:192.0.2.0/120", "4:192.0.2.7", "4:192.0.3.7" },
	{ "::ffff:0.0.0.0/96", "::ffff:9.9.9.9", "::fffe:9.9.9.9" },
	{ "2001:db8::ff/128", "2001:db8::ff", "2001:db8::fe" },
};

START_TEST(a_range_has_its_own)
{
	ck_assert_msg(has(ranges[_i].range, ranges[_i].in), "%s has %s",
	    ranges[_i].range, ranges[_i].in);
	ck_assert_msg(!has(ranges[_i].range, ranges[_i].out), "%s has not %s",
	    ranges[_i].range, ranges[_i].out);
}
END_TEST

/* Against plain arithmetic: every length, and clients that differ from the
 * range in one bit. */
START_TEST(every_length_and_every_bit)
{
	const uint32_t base = 0xaaaaaaaa;

	for (unsigned bits = 0; bits <= 32; bits++) {
		uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
		struct in_addr from = { htonl(base & mask) };
		char text[64], address[INET_ADDRSTRLEN];
		struct cidr cidr;

		inet_ntop(AF_INET, &from, address, sizeof(address));
		snprintf(text, sizeof(text), "%s/%u", address, bits);
		ck_assert_int_eq(cidr_parse(text, &cidr, NULL), 0);
		for (int bit = 0; bit < 32; bit++) {
			uint32_t client = base ^ (UINT32_C(1) << bit);
			struct sockaddr_in in = { .sin_family = AF_INET,
				.sin_addr = { htonl(client) } };

			ck_assert_int_eq(cidr_has(&cidr,
			    (struct sockaddr *)&in),
			    (client & mask) == (base & mask));
		}
	}
}
END_TEST

static const struct {
	const char *text, *fault;
} wrong[] = {
	{ "", "\"\" is no address" },
	{ "localhost", "\"localhost\" is no address" },
	{ "*", "\"*\" is no address" },
	{ "10.0.0", "\"10.0.0\" is no address" },
	{ "10.0.0.0.0/8", "\"10.0.0.0.0/8\" is no address" },
	{ "/8", "\"/8\" is no address" },
	{ "[::1]", "\"[::1]\" is no address" },
	{ "fe80::1%lo", "\"fe80::1%lo\" is no address" },
	{ "127.0.0.1:9000", "\"127.0.0.1:9000\" is no address" },
	{ "10.0.0.0/33", "\"10.0.0.0/33\" has no length" },
	{ "10.0.0.0/", "\"10.0.0.0/\" has no length" },
	{ "10.0.0.0/-1", "\"10.0.0.0/-1\" has no length" },
	{ "10.0.0.0/+8", "\"10.0.0.0/+8\" has no length" },
	{ "10.0.0.0/8/8", "\"10.0.0.0/8/8\" has no length" },
	{ "10.0.0.0/255.0.0.0", "\"10.0.0.0/255.0.0.0\" has no length" },
	{ "::/129", "\"::/129\" has no length" },
	{ "10.0.0.1/8", "\"10.0.0.1/8\" has bits beyond its length" },
	{ "2001:db8::1/32", "\"2001:db8::1/32\" has bits beyond its length" },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb",
	    "\"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb\" is no "
	    "address" },
};

START_TEST(what_is_no_range)
{
	struct cidr cidr;
	struct why why;

	ck_assert_int_eq(cidr_parse(wrong[_i].text, &cidr, &why), -1);
	ck_assert_msg(strncmp(why.text, wrong[_i].fault,
	    strlen(wrong[_i].fault)) == 0, "%s", why.text);
}
END_TEST

START_TEST(other_families_are_in_no_range)
{
	const struct sockaddr sa = { .sa_family = AF_UNIX };
	struct cidr cidr;

	ck_assert_int_eq(cidr_parse("0.0.0.0/0", &cidr, NULL), 0);
	ck_assert(!cidr_has(&cidr, &sa));
}
END_TEST

/* A set, as `http.proxies` has it. */
START_TEST(a_set_has_what_was_added)
{
	unsigned char ten[16] = { [10] = 0xff, [11] = 0xff, 10, 9, 8, 7 };
	unsigned char six[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct cidr_set set = { 0 };
	struct why why;

	ck_assert(!cidr_set_has(&set, ten));
	ck_assert_int_eq(cidr_set_add(&set, "192.0.2.0/24", NULL), 0);
	ck_assert_int_eq(cidr_set_add(&set, "10.0.0.0/8", NULL), 0);
	ck_assert_int_eq(cidr_set_add(&set, "::1", NULL), 0);
	ck_assert(cidr_set_has(&set, ten));
	ck_assert(!cidr_set_has(&set, six));
	ck_assert(!set.local);
	ck_assert_int_eq(cidr_set_add(&set, "unix", NULL), 0);
	ck_assert(set.local);
	ck_assert_int_eq(cidr_set_add(&set, "unix:", &why), -1);
	ck_assert_str_eq(why.text, "\"unix:\" is no address");
	ck_assert_int_eq(cidr_set_add(NULL, "Unix", &why), -1);
	ck_assert_int_eq(cidr_set_add(NULL, "unix", &why), 0);
	ck_assert_int_eq(cidr_set_add(NULL, "2001:db8::/32", &why), 0);
	cidr_set_free(&set);
	ck_assert(!set.local && !cidr_set_has(&set, ten));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("cidr");
	TCase *t = tcase_create("cidr");

	tcase_add_loop_test(t, a_range_has_its_own, 0,
	    sizeof(ranges) / sizeof(ranges[0]));
	tcase_add_test(t, every_length_and_every_bit);
	tcase_add_loop_test(t, what_is_no_range, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(t, other_families_are_in_no_range);
	tcase_add_test(t, a_set_has_what_was_added);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

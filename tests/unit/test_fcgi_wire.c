#include <string.h>

#include "net/fcgi_wire.h"
#include "unit.h"

static struct buf out;

static const unsigned char *
bytes(void)
{
	return (const unsigned char *)out.data;
}

static void
empty(void)
{
	memset(&out, 0, sizeof(out));
}

static void
release(void)
{
	buf_free(&out);
}

START_TEST(header_goes_out_as_specified)
{
	static const unsigned char want[8] = { 1, 6, 0x12, 0x34, 0xab, 0xcd, 7,
		0 };
	unsigned char got[8];

	fcgi_put_header(got, FCGI_STDOUT, 0x1234, 0xabcd, 7);
	ck_assert_mem_eq(got, want, 8);
}
END_TEST

START_TEST(header_comes_back)
{
	static const unsigned char in[8] = { 2, 9, 0xff, 0xfe, 0x80, 0x01, 255,
		99 };
	struct fcgi_record r;

	fcgi_get_header(in, &r);
	ck_assert_uint_eq(r.version, 2);
	ck_assert_uint_eq(r.type, 9);
	ck_assert_uint_eq(r.id, 0xfffe);
	ck_assert_uint_eq(r.content, 0x8001);
	ck_assert_uint_eq(r.padding, 255);
}
END_TEST

START_TEST(begin_and_end_records)
{
	static const unsigned char want[32] = { 1, 1, 1, 2, 0, 8, 0, 0, 0, 1,
		1, 0, 0, 0, 0, 0, 1, 3, 1, 2, 0, 8, 0, 0, 0xde, 0xad, 0xbe,
		0xef, 3, 0, 0, 0 };

	ck_assert_int_eq(fcgi_add_begin(&out, 0x102, FCGI_RESPONDER,
	    FCGI_KEEP_CONN), 0);
	ck_assert_int_eq(fcgi_add_end(&out, 0x102, 0xdeadbeef,
	    FCGI_UNKNOWN_ROLE), 0);
	ck_assert_uint_eq(out.len, sizeof(want));
	ck_assert_mem_eq(out.data, want, sizeof(want));
}
END_TEST

/* Lengths at which the form changes: 1 byte up to 127, 4 bytes from 128. */
static const size_t lengths[] = { 0, 1, 127, 128, 255, 256, 65535, 65536,
	200000 };
#define NLENGTHS (sizeof(lengths) / sizeof(lengths[0]))

START_TEST(pair_takes_as_many_bytes_as_specified)
{
	size_t n = lengths[_i];
	char *value = calloc(1, n + 1);

	ck_assert_int_eq(fcgi_add_pair(&out, "N", 1, value, n), 0);
	ck_assert_uint_eq(out.len, 1 + (n < 128 ? 1 : 4) + 1 + n);
	ck_assert_uint_eq(bytes()[0], 1);
	if (n < 128)
		ck_assert_uint_eq(bytes()[1], n);
	else
		ck_assert_uint_eq(bytes()[1], 0x80 | n >> 24);
	free(value);
}
END_TEST

START_TEST(pair_comes_back_whole)
{
	size_t n = lengths[_i], i;
	char *text = malloc(n + 1);
	const unsigned char *p;
	struct fcgi_pair pair;

	for (i = 0; i < n; i++)
		text[i] = (char)(i * 7);
	fcgi_add_pair(&out, text, n, "v\0w", 3);
	fcgi_add_pair(&out, "name", 4, text, n);
	p = bytes();
	ck_assert_int_eq(fcgi_get_pair(&p, out.len, &pair), 1);
	ck_assert_uint_eq(pair.name_len, n);
	ck_assert(memcmp(pair.name, text, n) == 0);
	ck_assert_uint_eq(pair.value_len, 3);
	ck_assert_mem_eq(pair.value, "v\0w", 3);
	ck_assert_int_eq(fcgi_get_pair(&p, bytes() + out.len - p, &pair), 1);
	ck_assert_uint_eq(pair.name_len, 4);
	ck_assert_uint_eq(pair.value_len, n);
	ck_assert(memcmp(pair.value, text, n) == 0);
	ck_assert_ptr_eq(p, bytes() + out.len);
	ck_assert_int_eq(fcgi_get_pair(&p, 0, &pair), 0);
	free(text);
}
END_TEST

/* Cut anywhere, a pair is "not here yet" and the place in the bytes stays. */
START_TEST(pair_cut_short_is_no_pair)
{
	char value[200] = "value";
	unsigned char *copy;
	const unsigned char *p;
	struct fcgi_pair pair;
	size_t cut;

	fcgi_add_pair(&out, "A_NAME", 6, value, sizeof(value));
	for (cut = 0; cut < out.len; cut++) {
		/* A block of its own: memory checkers see a byte too far. */
		copy = malloc(cut + 1);
		memcpy(copy, out.data, cut);
		p = copy;
		ck_assert_int_eq(fcgi_get_pair(&p, cut, &pair), 0);
		ck_assert_ptr_eq(p, copy);
		free(copy);
	}
}
END_TEST

START_TEST(pair_with_absurd_lengths_is_no_pair)
{
	static const unsigned char absurd[][10] = {
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a', 'b' },
		{ 0xff, 0xff, 0xff, 0xff, 1, 'a', 'b', 'c', 'd', 'e' },
		{ 1, 0xff, 0xff, 0xff, 0xff, 'a', 'b', 'c', 'd', 'e' },
		{ 0x80, 0, 0, 2, 0x80, 0, 0, 1, 'a', 'b' },
		{ 127, 127, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h' },
	};
	const unsigned char *p;
	struct fcgi_pair pair;
	size_t i;

	for (i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
		p = absurd[i];
		ck_assert_int_eq(fcgi_get_pair(&p, 10, &pair), 0);
		ck_assert_ptr_eq(p, absurd[i]);
	}
}
END_TEST

START_TEST(pair_with_a_long_form_of_a_short_length_is_read)
{
	static const unsigned char in[] = { 0x80, 0, 0, 1, 0x80, 0, 0, 2, 'n',
		'v', 'w' };
	const unsigned char *p = in;
	struct fcgi_pair pair;

	ck_assert_int_eq(fcgi_get_pair(&p, sizeof(in), &pair), 1);
	ck_assert_uint_eq(pair.name_len, 1);
	ck_assert_uint_eq(pair.value_len, 2);
	ck_assert_mem_eq(pair.value, "vw", 2);
}
END_TEST

START_TEST(pair_too_long_for_the_format_is_refused)
{
	ck_assert_int_eq(fcgi_add_pair(&out, "n", 1, "", (size_t)1 << 31), -1);
	ck_assert(out.failed);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

START_TEST(end_of_stream_is_an_empty_record)
{
	static const unsigned char want[8] = { 1, 5, 0, 1, 0, 0, 0, 0 };

	ck_assert_int_eq(fcgi_add_stream(&out, FCGI_STDIN, 1, NULL, 0), 0);
	ck_assert_uint_eq(out.len, 8);
	ck_assert_mem_eq(out.data, want, 8);
}
END_TEST

static const size_t sizes[] = { 1, 7, 8, 9, 65527, 65528, 65529, 65535,
	65536, 131056, 131057, 300001 };
#define NSIZES (sizeof(sizes) / sizeof(sizes[0]))

/* Every record aligned, none empty, none too long, the bytes unchanged. */
START_TEST(stream_is_cut_into_aligned_records)
{
	size_t n = sizes[_i], i, at = 0, seen = 0;
	unsigned char *data = malloc(n);
	struct fcgi_record r;

	for (i = 0; i < n; i++)
		data[i] = (unsigned char)(i * 31 >> 3);
	ck_assert_int_eq(fcgi_add_stream(&out, FCGI_STDOUT, 9, data, n), 0);
	while (at < out.len) {
		fcgi_get_header(bytes() + at, &r);
		ck_assert_uint_eq(r.version, 1);
		ck_assert_uint_eq(r.type, FCGI_STDOUT);
		ck_assert_uint_eq(r.id, 9);
		ck_assert_uint_gt(r.content, 0);
		ck_assert_uint_le(r.content, 65528);
		ck_assert_uint_lt(r.padding, 8);
		ck_assert_uint_eq((r.content + r.padding) % 8, 0);
		ck_assert(seen + r.content <= n);
		ck_assert_mem_eq(bytes() + at + 8, data + seen, r.content);
		seen += r.content;
		at += FCGI_HEADER_LEN + r.content + r.padding;
	}
	ck_assert_uint_eq(at, out.len);
	ck_assert_uint_eq(seen, n);
	free(data);
}
END_TEST

START_TEST(a_failed_buffer_says_so)
{
	out.failed = true;
	ck_assert_int_eq(fcgi_add_begin(&out, 1, FCGI_RESPONDER, 0), -1);
	ck_assert_int_eq(fcgi_add_stream(&out, FCGI_STDIN, 1, "x", 1), -1);
	ck_assert_int_eq(fcgi_add_pair(&out, "x", 1, "y", 1), -1);
	ck_assert_uint_eq(out.len, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fcgi_wire");
	TCase *records = tcase_create("records");
	TCase *pairs = tcase_create("pairs");

	tcase_add_checked_fixture(records, empty, release);
	tcase_add_test(records, header_goes_out_as_specified);
	tcase_add_test(records, header_comes_back);
	tcase_add_test(records, begin_and_end_records);
	tcase_add_test(records, end_of_stream_is_an_empty_record);
	tcase_add_loop_test(records, stream_is_cut_into_aligned_records, 0,
	    NSIZES);
	tcase_add_test(records, a_failed_buffer_says_so);
	suite_add_tcase(s, records);
	tcase_add_checked_fixture(pairs, empty, release);
	tcase_add_loop_test(pairs, pair_takes_as_many_bytes_as_specified, 0,
	    NLENGTHS);
	tcase_add_loop_test(pairs, pair_comes_back_whole, 0, NLENGTHS);
	tcase_add_test(pairs, pair_cut_short_is_no_pair);
	tcase_add_test(pairs, pair_with_absurd_lengths_is_no_pair);
	tcase_add_test(pairs,
	    pair_with_a_long_form_of_a_short_length_is_read);
	tcase_add_test(pairs, pair_too_long_for_the_format_is_refused);
	suite_add_tcase(s, pairs);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

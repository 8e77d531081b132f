/* The judge of a peer's bytes: what is let through, what is answered, what
 * ends the connection, and that no sequence of bytes leads it astray. */

#include "worker/proto/fcgi/fcgi_scan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/fcgi_wire.h"
#include "unit.h"

static const struct scan_limits limits = { .head = 4096, .capacity = 7,
	.roles = SCAN_ROLE(FCGI_RESPONDER) };

static void
raw(struct buf *b, unsigned version, unsigned type, unsigned id, size_t n,
    unsigned padding)
{
	unsigned char header[FCGI_HEADER_LEN];

	fcgi_put_header(header, type, id, (unsigned)n, padding);
	header[0] = (unsigned char)version;
	buf_add(b, header, sizeof(header));
	for (size_t i = 0; i < n + padding; i++)
		buf_putc(b, i < n ? 'x' : 0);
}

static void
head(struct buf *b, unsigned id, unsigned flags)
{
	struct buf pairs = { 0 };

	fcgi_add_begin(b, id, FCGI_RESPONDER, flags);
	fcgi_add_pair(&pairs, "A", 1, "b", 1);
	fcgi_add_pair(&pairs, "NUL", 3, "1\0002", 3);
	fcgi_add_stream(b, FCGI_PARAMS, id, pairs.data, pairs.len);
	fcgi_add_stream(b, FCGI_PARAMS, id, NULL, 0);
	buf_free(&pairs);
}

static void
check_params(const struct scan *scan, const struct buf *in)
{
	const unsigned char *p = (const unsigned char *)in->data + scan->params;
	const unsigned char *end = p + scan->params_len;
	struct fcgi_pair pair;

	ck_assert_int_eq(fcgi_get_pair(&p, (size_t)(end - p), &pair), 1);
	ck_assert_mem_eq(pair.value, "b", 1);
	ck_assert_int_eq(fcgi_get_pair(&p, (size_t)(end - p), &pair), 1);
	ck_assert_uint_eq(pair.value_len, 3);
	ck_assert_mem_eq(pair.value, "1\0002", 3);
	ck_assert_ptr_eq(p, end);
}

START_TEST(whole_request)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	head(&in, 300, FCGI_KEEP_CONN);
	fcgi_add_stream(&in, FCGI_STDIN, 300, "hello", 5);
	fcgi_add_stream(&in, FCGI_STDIN, 300, NULL, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_HEAD);
	ck_assert_uint_eq(scan.id, 300);
	ck_assert(scan.keep);
	check_params(&scan, &in);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_CONTENT);
	ck_assert_uint_eq(scan.content, 5);
	ck_assert_mem_eq(in.data + scan.at, "hello", 5);
	scan.at += 5;
	scan.content -= 5;
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_END);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_MORE);
	ck_assert_uint_eq(scan.at, in.len);
	ck_assert_uint_eq(reply.len, 0);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

START_TEST(byte_by_byte)
{
	struct buf all = { 0 }, in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };
	enum scan_verdict verdict = SCAN_MORE;
	size_t i;

	head(&all, 1, 0);
	for (i = 0; i < all.len; i++) {
		ck_assert_int_eq(verdict, SCAN_MORE);
		buf_putc(&in, all.data[i]);
		verdict = scan_next(&scan, &in, &limits, &reply);
	}
	ck_assert_int_eq(verdict, SCAN_HEAD);
	check_params(&scan, &in);
	buf_free(&all);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

/* Every byte of the parameters in a record of its own, each with padding and
 * strays between them: joined, and in memory bounded by the limit. */
START_TEST(split_params)
{
	struct buf pairs = { 0 }, in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };
	enum scan_verdict verdict = SCAN_MORE;
	size_t i, most = 0;

	fcgi_add_pair(&pairs, "A", 1, "b", 1);
	fcgi_add_pair(&pairs, "NUL", 3, "1\0002", 3);
	fcgi_add_begin(&in, 1, FCGI_RESPONDER, 0);
	for (i = 0; i < pairs.len; i++) {
		unsigned char header[FCGI_HEADER_LEN];

		for (int stray = 0; stray < 20; stray++)
			raw(&in, 1, FCGI_STDIN, 9, 1000, 200);
		fcgi_put_header(header, FCGI_PARAMS, 1, 1, 255);
		buf_add(&in, header, sizeof(header));
		buf_putc(&in, pairs.data[i]);
		for (int pad = 0; pad < 255; pad++)
			buf_putc(&in, 0xee);
		verdict = scan_next(&scan, &in, &limits, &reply);
		ck_assert_int_eq(verdict, SCAN_MORE);
		if (in.len > most)
			most = in.len;
	}
	fcgi_add_stream(&in, FCGI_PARAMS, 1, NULL, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_HEAD);
	check_params(&scan, &in);
	ck_assert_uint_lt(most, 40 * 1024);
	buf_free(&pairs);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

/* A head in pieces, with padding, strays and what is answered at once. */
static void
odd_head(struct buf *out)
{
	struct buf pairs = { 0 };

	fcgi_add_pair(&pairs, "A", 1, "b", 1);
	fcgi_add_pair(&pairs, "NUL", 3, "1\0002", 3);
	raw(out, 1, FCGI_STDIN, 2, 20, 7);
	fcgi_add_begin(out, 1, FCGI_RESPONDER, FCGI_KEEP_CONN);
	fcgi_add_stream(out, FCGI_GET_VALUES, 0, "\016\0FCGI_MAX_CONNS", 16);
	for (size_t i = 0; i < pairs.len; i++) {
		raw(out, 1, FCGI_STDIN, 2, 30, 2);
		fcgi_add_stream(out, FCGI_PARAMS, 1, pairs.data + i, 1);
	}
	fcgi_add_stream(out, FCGI_PARAMS, 1, NULL, 0);
	buf_free(&pairs);
}

/* Whatever is here of a head: what it leads to goes on at another judge, and
 * what has been answered is not answered again. */
START_TEST(packed_anywhere)
{
	struct buf all = { 0 }, reply = { 0 };

	odd_head(&all);
	for (size_t i = 0; i < all.len; i++) {
		struct buf in = { 0 }, packed = { 0 };
		struct scan scan = { 0 }, other = { 0 };

		buf_clear(&reply);
		buf_add(&in, all.data, i);
		ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply),
		    SCAN_MORE);
		ck_assert_int_eq(scan_pack(&scan, &in, &packed), 0);
		ck_assert_uint_le(packed.len, i + FCGI_HEADER_LEN);
		ck_assert_int_eq(scan_next(&other, &packed, &limits, &reply),
		    SCAN_MORE);
		buf_add(&packed, all.data + i, all.len - i);
		ck_assert_int_eq(scan_next(&other, &packed, &limits, &reply),
		    SCAN_HEAD);
		ck_assert_uint_eq(other.id, 1);
		ck_assert(other.keep);
		check_params(&other, &packed);
		ck_assert_uint_eq(other.at, packed.len);
		ck_assert_uint_eq(reply.len, 32);
		buf_free(&in);
		buf_free(&packed);
	}
	buf_free(&all);
	buf_free(&reply);
}
END_TEST

START_TEST(not_packed_in_a_body)
{
	struct buf in = { 0 }, packed = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	head(&in, 1, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_HEAD);
	ck_assert_int_eq(scan_pack(&scan, &in, &packed), -1);
	buf_free(&in);
	buf_free(&packed);
	buf_free(&reply);
}
END_TEST

START_TEST(limit_of_head)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	fcgi_add_begin(&in, 1, FCGI_RESPONDER, 0);
	raw(&in, 1, FCGI_PARAMS, 1, 4096, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_MORE);
	raw(&in, 1, FCGI_PARAMS, 1, 1, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_LARGE);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

/* The verdict falls with the header: no waiting for what will not be used. */
START_TEST(limit_at_once)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	fcgi_add_begin(&in, 1, FCGI_RESPONDER, 0);
	raw(&in, 1, FCGI_PARAMS, 1, 65535, 0);
	in.len = 16 + FCGI_HEADER_LEN;
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_LARGE);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

static const struct {
	const char *name;
	unsigned version, type, id, n;
} malformed[] = {
	{ "version 0", 0, FCGI_BEGIN_REQUEST, 1, 8 },
	{ "version 2", 2, FCGI_BEGIN_REQUEST, 1, 8 },
	{ "an HTTP request", 'G', 'E', 0x5420, 8 },
	{ "BEGIN with id 0", 1, FCGI_BEGIN_REQUEST, 0, 8 },
	{ "BEGIN too short", 1, FCGI_BEGIN_REQUEST, 1, 7 },
	{ "BEGIN too long", 1, FCGI_BEGIN_REQUEST, 1, 9 },
	{ "long management record", 1, FCGI_GET_VALUES, 0, 2000 },
	{ "type of nobody", 1, 77, 1, 8 },
};

START_TEST(malformed_first)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	raw(&in, malformed[_i].version, malformed[_i].type, malformed[_i].id,
	    malformed[_i].n, 0);
	ck_assert_msg(scan_next(&scan, &in, &limits, &reply) == SCAN_BAD,
	    "%s", malformed[_i].name);
	ck_assert_ptr_nonnull(scan.fault);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

static const struct {
	const char *name;
	unsigned type;
	bool body; /* in the body, else in the head */
} misplaced[] = {
	{ "STDIN before the parameters end", FCGI_STDIN, false },
	{ "STDOUT in a head", FCGI_STDOUT, false },
	{ "BEGIN again in a head", FCGI_BEGIN_REQUEST, false },
	{ "DATA in a body", FCGI_DATA, true },
	{ "PARAMS in a body", FCGI_PARAMS, true },
	{ "BEGIN again in a body", FCGI_BEGIN_REQUEST, true },
	{ "unknown type in a body", 99, true },
};

START_TEST(misplaced_record)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	if (misplaced[_i].body) {
		head(&in, 1, 0);
		ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply),
		    SCAN_HEAD);
	} else {
		fcgi_add_begin(&in, 1, FCGI_RESPONDER, 0);
	}
	raw(&in, 1, misplaced[_i].type, 1, 8, 0);
	ck_assert_msg(scan_next(&scan, &in, &limits, &reply) == SCAN_BAD,
	    "%s", misplaced[_i].name);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

START_TEST(unknown_role)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	fcgi_add_begin(&in, 5, 42, FCGI_KEEP_CONN);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_REFUSE);
	ck_assert_uint_eq(reply.len, 16);
	ck_assert_int_eq(reply.data[1], FCGI_END_REQUEST);
	ck_assert_int_eq(reply.data[3], 5);
	ck_assert_int_eq(reply.data[12], FCGI_UNKNOWN_ROLE);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

static const struct scan_limits roles = { .head = 4096, .capacity = 7,
	.roles = SCAN_ROLE(FCGI_RESPONDER) | SCAN_ROLE(FCGI_AUTHORIZER) |
	    SCAN_ROLE(FCGI_FILTER) };

/* A head without parameters. */
static void
bare(struct buf *b, unsigned id, unsigned role)
{
	fcgi_add_begin(b, id, role, FCGI_KEEP_CONN);
	fcgi_add_stream(b, FCGI_PARAMS, id, NULL, 0);
}

static void
take(struct scan *scan, struct buf *in, const char *content)
{
	struct buf reply = { 0 };

	ck_assert_int_eq(scan_next(scan, in, &roles, &reply), SCAN_CONTENT);
	ck_assert_uint_eq(scan->content, strlen(content));
	ck_assert_mem_eq(in->data + scan->at, content, strlen(content));
	scan->at += scan->content;
	scan->content = 0;
	buf_free(&reply);
}

START_TEST(filter)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	bare(&in, 3, FCGI_FILTER);
	fcgi_add_stream(&in, FCGI_STDIN, 3, "in", 2);
	fcgi_add_stream(&in, FCGI_STDIN, 3, NULL, 0);
	fcgi_add_stream(&in, FCGI_DATA, 3, "data", 4);
	fcgi_add_stream(&in, FCGI_DATA, 3, NULL, 0);
	fcgi_add_begin(&in, 3, FCGI_RESPONDER, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply), SCAN_HEAD);
	ck_assert_uint_eq(scan.role, FCGI_FILTER);
	take(&scan, &in, "in");
	ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply), SCAN_END);
	ck_assert_int_eq(scan.state, SCAN_DATA);
	take(&scan, &in, "data");
	ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply), SCAN_END);
	ck_assert_int_eq(scan.state, SCAN_DONE);
	ck_assert(scan_settle(&scan, &in));
	ck_assert_uint_eq(in.len - scan.at, 16);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

/* What comes in a filter's request behind the end of which stream. */
static const struct {
	unsigned before, type;
} disorder[] = {
	{ 0, FCGI_DATA },	   /* before the body */
	{ FCGI_STDIN, FCGI_STDIN }, /* behind it, the body again */
	{ FCGI_DATA, FCGI_DATA },  /* behind the second */
	{ FCGI_DATA, FCGI_STDIN },
};

START_TEST(filter_in_disorder)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };
	enum scan_verdict verdict;

	bare(&in, 3, FCGI_FILTER);
	if (disorder[_i].before >= FCGI_STDIN)
		fcgi_add_stream(&in, FCGI_STDIN, 3, NULL, 0);
	if (disorder[_i].before >= FCGI_DATA)
		fcgi_add_stream(&in, FCGI_DATA, 3, NULL, 0);
	raw(&in, 1, disorder[_i].type, 3, 8, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply), SCAN_HEAD);
	do
		verdict = scan_next(&scan, &in, &roles, &reply);
	while (verdict == SCAN_END);
	ck_assert_int_eq(verdict, SCAN_BAD);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

/* It has no body, and what is sent as one is nothing, in whatever pieces. */
START_TEST(authorizer)
{
	struct buf all = { 0 }, reply = { 0 };
	size_t i, whole;

	bare(&all, 1, FCGI_AUTHORIZER);
	raw(&all, 1, FCGI_STDIN, 1, 30, 3);
	fcgi_add_stream(&all, FCGI_STDIN, 1, NULL, 0);
	whole = all.len;
	bare(&all, 1, FCGI_RESPONDER);
	for (i = 0; i <= whole; i++) {
		struct buf in = { 0 };
		struct scan scan = { 0 };

		buf_add(&in, all.data, 24 + i < whole ? 24 + i : whole);
		ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply),
		    SCAN_HEAD);
		ck_assert_int_eq(scan.state, SCAN_DONE);
		if (i % 2 == 0)
			scan_settle(&scan, &in);
		buf_add(&in, all.data + in.len, all.len - in.len);
		ck_assert(scan_settle(&scan, &in));
		ck_assert_uint_eq(scan.at, whole);
		scan_reset(&scan);
		ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply),
		    SCAN_HEAD);
		ck_assert_uint_eq(scan.role, FCGI_RESPONDER);
		buf_free(&in);
	}
	ck_assert_uint_eq(reply.len, 0);
	buf_free(&all);
	buf_free(&reply);
}
END_TEST

START_TEST(data_for_an_authorizer)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	bare(&in, 1, FCGI_AUTHORIZER);
	raw(&in, 1, FCGI_DATA, 1, 8, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply), SCAN_HEAD);
	ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply), SCAN_BAD);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

/* The role goes along; a judge that does not serve it says so. */
START_TEST(role_is_packed)
{
	struct buf in = { 0 }, packed = { 0 }, reply = { 0 };
	struct scan scan = { 0 }, other = { 0 }, third = { 0 };

	fcgi_add_begin(&in, 9, FCGI_FILTER, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &roles, &reply), SCAN_MORE);
	ck_assert_int_eq(scan_pack(&scan, &in, &packed), 0);
	ck_assert_int_eq(scan_next(&other, &packed, &roles, &reply), SCAN_MORE);
	ck_assert_uint_eq(other.role, FCGI_FILTER);
	ck_assert_uint_eq(reply.len, 0);
	ck_assert_int_eq(scan_next(&third, &packed, &limits, &reply),
	    SCAN_REFUSE);
	ck_assert_int_eq(reply.data[12], FCGI_UNKNOWN_ROLE);
	buf_free(&in);
	buf_free(&packed);
	buf_free(&reply);
}
END_TEST

START_TEST(management)
{
	struct buf in = { 0 }, reply = { 0 }, pairs = { 0 };
	struct scan scan = { 0 };

	fcgi_add_pair(&pairs, "FCGI_MAX_CONNS", 14, "", 0);
	fcgi_add_pair(&pairs, "FCGI_MAX_REQS", 13, "", 0);
	fcgi_add_pair(&pairs, "FCGI_MPXS_CONNS", 15, "", 0);
	fcgi_add_pair(&pairs, "NOBODY_KNOWS", 12, "", 0);
	for (int i = 0; i < 10; i++)
		fcgi_add_pair(&pairs, "FCGI_MAX_REQS", 13, "", 0);
	fcgi_add_stream(&in, FCGI_GET_VALUES, 0, pairs.data, pairs.len);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_MORE);
	ck_assert_int_eq(reply.data[1], FCGI_GET_VALUES_RESULT);
	ck_assert_int_eq(reply.data[5], 3 * 3 + 14 + 13 + 15);
	ck_assert_ptr_nonnull(memmem(reply.data, reply.len,
	    "\016\001FCGI_MAX_CONNS7\015\001FCGI_MAX_REQS7"
	    "\017\001FCGI_MPXS_CONNS0", 51));
	buf_clear(&reply);
	raw(&in, 1, 200, 0, 8, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_MORE);
	ck_assert_uint_eq(reply.len, 16);
	ck_assert_int_eq(reply.data[1], FCGI_UNKNOWN_TYPE);
	ck_assert_int_eq((unsigned char)reply.data[8], 200);
	buf_free(&in);
	buf_free(&reply);
	buf_free(&pairs);
}
END_TEST

START_TEST(second_request)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	head(&in, 1, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_HEAD);
	fcgi_add_begin(&in, 2, FCGI_RESPONDER, 0);
	raw(&in, 1, FCGI_PARAMS, 2, 100, 4);
	fcgi_add_stream(&in, FCGI_STDIN, 1, NULL, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_END);
	ck_assert_uint_eq(reply.len, 16);
	ck_assert_int_eq(reply.data[3], 2);
	ck_assert_int_eq(reply.data[12], FCGI_CANT_MPX_CONN);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

START_TEST(abort_request)
{
	struct buf in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };

	head(&in, 1, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_HEAD);
	raw(&in, 1, FCGI_ABORT_REQUEST, 7, 0, 0); /* of somebody else: no matter */
	raw(&in, 1, FCGI_ABORT_REQUEST, 1, 0, 0);
	ck_assert_int_eq(scan_next(&scan, &in, &limits, &reply), SCAN_ABORT);
	buf_free(&in);
	buf_free(&reply);
}
END_TEST

static bool
final(enum scan_verdict verdict)
{
	return verdict == SCAN_REFUSE || verdict == SCAN_LARGE ||
	    verdict == SCAN_BAD || verdict == SCAN_ABORT;
}

/* A whole conversation with arbitrary damage, fed in arbitrary pieces: the
 * judge keeps its invariants and its memory. */
static void
damaged(unsigned seed)
{
	struct buf all = { 0 }, in = { 0 }, reply = { 0 };
	struct scan scan = { 0 };
	enum scan_verdict verdict = SCAN_MORE;
	size_t from = 0;

	srand(seed);
	for (int i = 0; i < 4; i++) {
		head(&all, 1 + (unsigned)rand() % 2, FCGI_KEEP_CONN);
		raw(&all, 1, FCGI_STDIN, 1, (unsigned)rand() % 300, 5);
		fcgi_add_stream(&all, FCGI_STDIN, 1, NULL, 0);
	}
	for (int i = rand() % 6; i > 0; i--)
		all.data[(size_t)rand() % all.len] = (char)rand();
	while (!final(verdict)) {
		verdict = scan_next(&scan, &in, &limits, &reply);
		ck_assert_uint_le(scan.at, in.len);
		ck_assert_uint_le(scan.params_len, limits.head);
		if (scan.state >= SCAN_PARAMS)
			ck_assert_uint_le(scan.params + scan.params_len,
			    in.len);
		if (verdict == SCAN_CONTENT) {
			size_t n = in.len - scan.at;

			n = n < scan.content ? n : scan.content;
			ck_assert_uint_gt(n, 0);
			scan.at += n;
			scan.content -= n;
		} else if (verdict == SCAN_END) {
			scan_reset(&scan);
		} else if (verdict == SCAN_MORE) {
			if (from == all.len)
				break;
			size_t n = 1 + (size_t)rand() % 64;

			if (n > all.len - from)
				n = all.len - from;
			buf_add(&in, all.data + from, n);
			from += n;
		}
	}
	buf_free(&all);
	buf_free(&in);
	buf_free(&reply);
}

START_TEST(damage)
{
	for (unsigned seed = 0; seed < 20000; seed++)
		damaged(seed);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("fcgi_scan");
	TCase *c = tcase_create("judge");

	tcase_add_test(c, whole_request);
	tcase_add_test(c, byte_by_byte);
	tcase_add_test(c, split_params);
	tcase_add_test(c, packed_anywhere);
	tcase_add_test(c, not_packed_in_a_body);
	tcase_add_test(c, limit_of_head);
	tcase_add_test(c, limit_at_once);
	tcase_add_loop_test(c, malformed_first, 0,
	    (int)(sizeof(malformed) / sizeof(malformed[0])));
	tcase_add_loop_test(c, misplaced_record, 0,
	    (int)(sizeof(misplaced) / sizeof(misplaced[0])));
	tcase_add_test(c, unknown_role);
	tcase_add_test(c, filter);
	tcase_add_loop_test(c, filter_in_disorder, 0,
	    (int)(sizeof(disorder) / sizeof(disorder[0])));
	tcase_add_test(c, authorizer);
	tcase_add_test(c, data_for_an_authorizer);
	tcase_add_test(c, role_is_packed);
	tcase_add_test(c, management);
	tcase_add_test(c, second_request);
	tcase_add_test(c, abort_request);
	tcase_add_test(c, damage);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

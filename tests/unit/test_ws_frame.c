/* WebSocket frames: what is taken, in one piece and byte by byte; what is
 * refused, with which code and how soon; what is written. */

#include "net/ws_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "unit.h"
#include "ws_unit.h"

static const struct ws_limits limits = { .message = 70000, .fragments = 5,
	.masked = true };
static const unsigned char mask[4] = { 0x12, 0x9a, 0, 0xff };

static void
text(struct buf *b, unsigned first, const char *payload)
{
	ws_unit_add(b, first, payload, strlen(payload));
}

/* What is made of the bytes, as a text: t(...) is a text message, b(...) a
 * binary one, ! its end; P, O and C are control frames. */
static void
tell(struct buf *story, enum ws_event event, const struct ws_piece *piece)
{
	switch (event) {
	case WS_CONTROL_FRAME:
		buf_puts(story, piece->kind == WS_PING ? "P(" :
		    piece->kind == WS_PONG ? "O(" : "C(");
		if (piece->kind == WS_CLOSE)
			buf_addf(story, "%u ", piece->code);
		buf_add(story, piece->data, piece->len);
		buf_puts(story, ")");
		break;
	case WS_BAD:
		buf_addf(story, "bad %u", piece->code);
		break;
	default:
		buf_add(story, piece->data, piece->len);
		if (event == WS_MESSAGE)
			buf_puts(story, piece->kind == WS_TEXT ? "|t" : "|b");
	}
}

/* Judge the bytes, `step` of them at a time; *judged: how many it took. */
static struct buf
judge(const struct buf *in, size_t step, size_t *judged)
{
	struct buf story = { 0 }, have = { 0 };
	struct ws_reader reader = { 0 };
	struct ws_piece piece;
	enum ws_event event = WS_MORE;
	size_t at, n;

	for (*judged = 0; *judged < in->len && event != WS_BAD; *judged += n) {
		n = in->len - *judged < step ? in->len - *judged : step;
		buf_add(&have, in->data + *judged, n);
		at = 0;
		while ((event = ws_next(&reader, &limits,
			    (unsigned char *)have.data, have.len, &at,
			    &piece)) != WS_MORE) {
			tell(&story, event, &piece);
			if (event == WS_BAD)
				break;
		}
		ck_assert_uint_le(at, have.len);
		buf_consume(&have, at);
		if (event == WS_MORE)
			ck_assert_uint_lt(have.len, WS_HEADER + WS_CONTROL);
	}
	ck_assert_ptr_nonnull(buf_string(&story));
	buf_free(&have);
	return story;
}

static void
expect(struct buf *in, const char *wanted)
{
	static const size_t steps[] = { 1, 2, 7, 4096, SIZE_MAX };
	struct buf story;
	size_t judged;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		story = judge(in, steps[i], &judged);
		ck_assert_str_eq(story.data, wanted);
		buf_free(&story);
	}
	buf_free(in);
}

START_TEST(messages_are_taken)
{
	struct buf in = { 0 };

	text(&in, 0x81, "hello");
	text(&in, 0x82, "");
	text(&in, 0x81, "");
	ws_unit_add(&in, 0x82, "\xff\x00", 2);
	in.data[in.len - 1] ^= '!'; /* a NUL ends the story */
	expect(&in, "hello|t|b|t\xff!|b");
}
END_TEST

START_TEST(fragments_are_one_message)
{
	struct buf in = { 0 };

	text(&in, 0x01, "a");
	text(&in, 0x89, "ping");
	text(&in, 0x00, "b");
	text(&in, 0x00, "");
	text(&in, 0x8a, "");
	text(&in, 0x80, "");
	text(&in, 0x02, "");
	text(&in, 0x80, "z");
	expect(&in, "aP(ping)bO()|tz|b");
}
END_TEST

START_TEST(a_close_frame_has_code_and_reason)
{
	struct buf in = { 0 };

	ws_unit_add(&in, 0x88, "", 0);
	ws_unit_add(&in, 0x88, "\x03\xe8", 2);
	ws_unit_add(&in, 0x88, "\x0f\xa0why", 5);
	expect(&in, "C(1005 )C(1000 )C(4000 why)");
}
END_TEST

/* A frame with such lengths, whose last byte has come. */
START_TEST(lengths_are_read_in_every_form)
{
	static const size_t lens[] = { 125, 126, 127, 65535, 65536, 70000 };
	struct buf in = { 0 }, story;
	char *payload = malloc(70000);
	size_t judged;

	memset(payload, 'x', 70000);
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		ws_unit_add(&in, 0x82, payload, lens[i]);
		story = judge(&in, 1000, &judged);
		ck_assert_uint_eq(story.len, lens[i] + 2);
		ck_assert_str_eq(story.data + lens[i], "|b");
		for (size_t j = 0; j < lens[i]; j++)
			ck_assert_int_eq(story.data[j], 'x');
		buf_free(&story);
		buf_clear(&in);
	}
	free(payload);
	buf_free(&in);
}
END_TEST

struct refusal {
	const char *bytes;
	size_t n;
	const char *story;
	size_t soon; /* the refusal comes with so many bytes */
};

#define ROW(BYTES, STORY, SOON) { BYTES, sizeof(BYTES) - 1, STORY, SOON }

static const struct refusal refusals[] = {
	ROW("\xc1\x80xxxx", "bad 1002", 1),	/* RSV1 */
	ROW("\xa1\x80xxxx", "bad 1002", 1),	/* RSV2 */
	ROW("\x91\x80xxxx", "bad 1002", 1),	/* RSV3 */
	ROW("\xf1\x80xxxx", "bad 1002", 1),
	ROW("\xc9\x80xxxx", "bad 1002", 1),	/* on a ping */
	ROW("\x83\x80xxxx", "bad 1002", 1),	/* opcodes that mean nothing */
	ROW("\x84\x80xxxx", "bad 1002", 1),
	ROW("\x85\x80xxxx", "bad 1002", 1),
	ROW("\x86\x80xxxx", "bad 1002", 1),
	ROW("\x87\x80xxxx", "bad 1002", 1),
	ROW("\x8b\x80xxxx", "bad 1002", 1),
	ROW("\x8c\x80xxxx", "bad 1002", 1),
	ROW("\x8d\x80xxxx", "bad 1002", 1),
	ROW("\x8e\x80xxxx", "bad 1002", 1),
	ROW("\x8f\x80xxxx", "bad 1002", 1),
	ROW("\x09\x80xxxx", "bad 1002", 1),	/* fragmented control */
	ROW("\x08\x80xxxx", "bad 1002", 1),
	ROW("\x89\xfe\x00\x7e", "bad 1002", 2), /* long control */
	ROW("\x88\xff", "bad 1002", 2),
	ROW("\x81\x05hello", "bad 1002", 2),	/* no mask */
	ROW("\x89\x00", "bad 1002", 2),
	ROW("\x80\x80xxxx", "bad 1002", 1),	/* continues nothing */
	ROW("\x00\x80xxxx", "bad 1002", 1),
	ROW("\x01\x80xxxx\x81\x80xxxx", "bad 1002", 7), /* within another */
	ROW("\x01\x80xxxx\x02\x80xxxx", "bad 1002", 7),
	ROW("\x82\xfe\x00\x7dxxxx", "bad 1002", 4),	/* not the shortest */
	ROW("\x82\xff\0\0\0\0\0\0\xff\xffxxxx", "bad 1002", 10),
	ROW("\x82\xff\x80\0\0\0\0\0\0\0xxxx", "bad 1002", 10), /* 2^63 */
	ROW("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffxxxx", "bad 1009", 14),
	ROW("\x82\xff\0\0\0\0\0\1\x11\x71xxxx", "bad 1009", 14), /* 70001 */
	ROW("\x02\xff\0\0\0\0\0\1\x11\x71xxxx", "bad 1009", 14),
	ROW("\x88\x81\0\0\0\0\x03", "bad 1002", 7),	/* half a code */
	ROW("\x88\x82\0\0\0\0\x03\xed", "bad 1002", 8), /* 1005 */
	ROW("\x88\x82\0\0\0\0\x03\xee", "bad 1002", 8), /* 1006 */
	ROW("\x88\x82\0\0\0\0\x03\xec", "bad 1002", 8), /* 1004 */
	ROW("\x88\x82\0\0\0\0\x03\xf7", "bad 1002", 8), /* 1015 */
	ROW("\x88\x82\0\0\0\0\x00\x00", "bad 1002", 8),
	ROW("\x88\x82\0\0\0\0\x03\xe7", "bad 1002", 8), /* 999 */
	ROW("\x88\x82\0\0\0\0\x0b\xb7", "bad 1002", 8), /* 2999 */
	ROW("\x88\x82\0\0\0\0\x13\x88", "bad 1002", 8), /* 5000 */
	ROW("\x88\x83\0\0\0\0\x03\xe8\xff", "bad 1007", 9),
	ROW("\x88\x83\0\0\0\0\x03\xe8\xc3", "bad 1007", 9), /* half of one */
	ROW("\x81\x81\0\0\0\0\x80", "bad 1007", 7),
	ROW("\x81\x82\0\0\0\0\xc0\xaf", "bad 1007", 7),	/* overlong */
	ROW("\x81\x83\0\0\0\0\xe0\x9f\xbf", "\xe0" "bad 1007", 8),
	ROW("\x81\x83\0\0\0\0\xed\xa0\x80", "\xed" "bad 1007", 8), /* surrogate */
	ROW("\x81\x84\0\0\0\0\xf4\x90\x80\x80", "\xf4" "bad 1007", 8), /* too large */
	ROW("\x81\x84\0\0\0\0\xf8\x88\x80\x80", "bad 1007", 7),
	ROW("\x81\x82\0\0\0\0\xe2\x82", "\xe2" "bad 1007", 8), /* cut */
	ROW("\x01\x81\0\0\0\0\xc3\x80\x80xxxx", "\xc3" "bad 1007", 13),
};

static void
refuse(const struct refusal *r)
{
	struct buf in = { 0 }, story;
	size_t judged;

	buf_add(&in, r->bytes, r->n);
	story = judge(&in, 1, &judged);
	ck_assert_str_eq(story.data, r->story);
	ck_assert_uint_eq(judged, r->soon);
	buf_free(&story);
	story = judge(&in, SIZE_MAX, &judged);
	ck_assert_ptr_nonnull(strstr(story.data, strstr(r->story, "bad")));
	buf_free(&story);
	buf_free(&in);
}

START_TEST(faults_are_refused_at_once)
{
	refuse(&refusals[_i]);
}
END_TEST

START_TEST(a_message_has_so_many_fragments)
{
	struct buf in = { 0 };

	text(&in, 0x02, "1");
	text(&in, 0x00, "2");
	text(&in, 0x00, "3");
	text(&in, 0x00, "4");
	text(&in, 0x80, "5");
	text(&in, 0x02, "1");
	for (int i = 0; i < 4; i++)
		text(&in, 0x00, "");
	text(&in, 0x80, "6");
	expect(&in, "12345|b1bad 1008");
}
END_TEST

/* The frames that have come count, whether or not their bytes have. */
START_TEST(fragments_count_to_the_size_of_a_message)
{
	struct buf in = { 0 };
	char *payload = calloc(1, 69999);
	struct buf story;
	size_t judged;

	memset(payload, 'a', 69999);
	ws_unit_add(&in, 0x01, payload, 69999);
	text(&in, 0x00, "b");
	text(&in, 0x00, "c");
	story = judge(&in, 5000, &judged);
	ck_assert_str_eq(story.data + 69998, "abbad 1009");
	buf_free(&story);
	buf_free(&in);
	free(payload);
}
END_TEST

START_TEST(text_may_be_cut_anywhere)
{
	static const char snake[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d ende";
	struct buf in = { 0 };

	for (size_t i = 1; i < sizeof(snake) - 1; i++) {
		ws_unit_add(&in, 0x01, snake, i);
		text(&in, 0x89, "");
		ws_unit_add(&in, 0x80, snake + i, sizeof(snake) - 1 - i);
	}
	for (size_t i = 1; i < sizeof(snake) - 1; i++) {
		struct buf story, wanted = { 0 };
		size_t judged;

		buf_addf(&wanted, "%.*sP()%s|t", (int)i, snake, snake + i);
		story = judge(&in, 3, &judged);
		ck_assert_ptr_nonnull(strstr(story.data,
		    buf_string(&wanted)));
		buf_free(&story);
		buf_free(&wanted);
	}
	buf_free(&in);
}
END_TEST

/* Against a plain decoder: every text of up to three bytes, and of four those
 * that begin so. */
static bool
is_utf8(const unsigned char *s, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len;
	uint32_t c;

	for (; n > 0; s += len, n -= len) {
		len = *s < 0x80 ? 1 : *s < 0xc0 ? 0 : *s < 0xe0 ? 2 :
		    *s < 0xf0 ? 3 : *s < 0xf8 ? 4 : 0;
		if (len == 0 || len > n)
			return false;
		c = len == 1 ? *s : *s & (0x7fu >> len);
		for (size_t i = 1; i < len; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return false;
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < least[len] || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return false;
	}
	return true;
}

START_TEST(utf8_is_what_a_plain_decoder_says)
{
	uint32_t step = unit_is_slow() ? 997 : 31;

	for (uint64_t x = 0; x <= UINT32_MAX; x += step) {
		const unsigned char s[4] = { (unsigned char)(x >> 24),
			(unsigned char)(x >> 16), (unsigned char)(x >> 8),
			(unsigned char)x };
		size_t n = 1 + x % 4;
		struct ws_utf8 state = { 0 };
		bool good = ws_utf8_check(&state, s, n) && state.need == 0;

		if (good != is_utf8(s, n))
			ck_abort_msg("%08llx", (unsigned long long)x);
		if (s[0] < 0x80)
			x |= 0xffffff; /* nothing new but in the first byte */
	}
}
END_TEST

START_TEST(masks_work_at_any_phase)
{
	unsigned char data[64], wanted[64];

	for (size_t phase = 0; phase < 9; phase++)
		for (size_t n = 0; n < sizeof(data); n++) {
			for (size_t i = 0; i < sizeof(data); i++) {
				data[i] = (unsigned char)(i * 7);
				wanted[i] = i < n ? data[i] ^
				    mask[(phase + i) % 4] : data[i];
			}
			ws_mask(data, n, mask, phase);
			ck_assert_mem_eq(data, wanted, sizeof(data));
		}
}
END_TEST

START_TEST(headers_are_written_in_the_shortest_form)
{
	unsigned char out[WS_HEADER];

	ck_assert_uint_eq(ws_put_header(out, WS_TEXT, true, 5, NULL), 2);
	ck_assert_mem_eq(out, "\x81\x05", 2);
	ck_assert_uint_eq(ws_put_header(out, WS_CONTINUATION, false, 125,
	    NULL), 2);
	ck_assert_mem_eq(out, "\x00\x7d", 2);
	ck_assert_uint_eq(ws_put_header(out, WS_BINARY, true, 126, NULL), 4);
	ck_assert_mem_eq(out, "\x82\x7e\x00\x7e", 4);
	ck_assert_uint_eq(ws_put_header(out, WS_BINARY, true, 65535, mask),
	    8);
	ck_assert_mem_eq(out, "\x82\xfe\xff\xff\x12\x9a\x00\xff", 8);
	ck_assert_uint_eq(ws_put_header(out, WS_BINARY, true, 65536, NULL),
	    10);
	ck_assert_mem_eq(out, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
	ck_assert_uint_eq(ws_put_header(out, WS_BINARY, true, 65536, mask),
	    WS_HEADER);
}
END_TEST

START_TEST(a_close_frame_is_written_with_what_fits)
{
	unsigned char out[WS_CONTROL];
	char reason[200];

	ck_assert_uint_eq(ws_put_close(out, WS_CODE_NONE, "no", 2), 0);
	ck_assert_uint_eq(ws_put_close(out, 1000, NULL, 0), 2);
	ck_assert_mem_eq(out, "\x03\xe8", 2);
	ck_assert_uint_eq(ws_put_close(out, 4999, "why", 3), 5);
	ck_assert_mem_eq(out, "\x13\x87why", 5);
	memset(reason, 'x', sizeof(reason));
	ck_assert_uint_eq(ws_put_close(out, 1000, reason, 124), WS_CONTROL);
	memcpy(reason + 121, "\xe2\x82\xac", 3);
	ck_assert_uint_eq(ws_put_close(out, 1000, reason, 124), 2 + 121);
	ck_assert_uint_eq(ws_put_close(out, 1000, reason + 1, 123),
	    WS_CONTROL);
}
END_TEST

START_TEST(a_client_gets_frames_without_masks)
{
	const struct ws_limits server = { .message = 100, .fragments = 1 };
	struct ws_reader reader = { 0 };
	struct ws_piece piece;
	unsigned char plain[] = "\x81\x02hi", masked[] = "\x81\x82xxxxhi";
	size_t at = 0;

	ck_assert_int_eq(ws_next(&reader, &server, plain, 4, &at, &piece),
	    WS_MESSAGE);
	ck_assert_mem_eq(piece.data, "hi", 2);
	ck_assert_uint_eq(at, 4);
	at = 0;
	ck_assert_int_eq(ws_next(&reader, &server, masked, 8, &at, &piece),
	    WS_BAD);
	ck_assert_uint_eq(piece.code, WS_CODE_PROTOCOL);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("ws_frame");
	TCase *t = tcase_create("frames");

	tcase_add_test(t, messages_are_taken);
	tcase_add_test(t, fragments_are_one_message);
	tcase_add_test(t, a_close_frame_has_code_and_reason);
	tcase_add_test(t, lengths_are_read_in_every_form);
	tcase_add_loop_test(t, faults_are_refused_at_once, 0,
	    sizeof(refusals) / sizeof(*refusals));
	tcase_add_test(t, a_message_has_so_many_fragments);
	tcase_add_test(t, fragments_count_to_the_size_of_a_message);
	tcase_add_test(t, text_may_be_cut_anywhere);
	tcase_add_test(t, utf8_is_what_a_plain_decoder_says);
	tcase_add_test(t, masks_work_at_any_phase);
	tcase_add_test(t, headers_are_written_in_the_shortest_form);
	tcase_add_test(t, a_close_frame_is_written_with_what_fits);
	tcase_add_test(t, a_client_gets_frames_without_masks);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

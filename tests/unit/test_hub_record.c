/* Records between worker and hub: what is written is read, in pieces too; what
 * is cut or too long is refused. */

#include "ipc/hub_record.h"

#include <string.h>

#include "unit.h"

static void
put_open(struct buf *out)
{
	size_t begun = hub_begin(out, HUB_OPEN, HUB_WANTS_CLOSE, 0, 7);

	hub_part(out, "101", 3);
	hub_part(out, NULL, 0);
	hub_part(out, "\0s", 2);
	hub_end(out, begun);
}

START_TEST(what_is_written_is_read)
{
	struct buf b = { 0 };
	struct hub_record r;
	struct hub_part part;
	size_t need;

	put_open(&b);
	hub_end(&b, hub_begin(&b, HUB_DONE, 0, 1011, UINT64_MAX));
	ck_assert_int_eq(hub_take(b.data, b.len, &r, &need), (long)need);
	ck_assert_int_eq(r.type, HUB_OPEN);
	ck_assert_uint_eq(r.kind, HUB_WANTS_CLOSE);
	ck_assert_uint_eq(r.id, 7);
	ck_assert(hub_take_part(&r, &part));
	ck_assert_uint_eq(part.len, 3);
	ck_assert_mem_eq(part.data, "101", 3);
	ck_assert(hub_take_part(&r, &part));
	ck_assert_uint_eq(part.len, 0);
	ck_assert(hub_take_part(&r, &part));
	ck_assert_mem_eq(part.data, "\0s", 2);
	ck_assert(!hub_take_part(&r, &part));
	buf_consume(&b, need);
	ck_assert_int_eq(hub_take(b.data, b.len, &r, &need), HUB_HEAD);
	ck_assert_int_eq(r.type, HUB_DONE);
	ck_assert_uint_eq(r.code, 1011);
	ck_assert_uint_eq(r.id, UINT64_MAX);
	ck_assert(!hub_take_part(&r, &part));
	buf_free(&b);
}
END_TEST

START_TEST(a_record_may_be_cut_anywhere)
{
	struct buf b = { 0 };
	struct hub_record r;
	size_t need;

	put_open(&b);
	for (size_t n = 0; n < b.len; n++) {
		ck_assert_int_eq(hub_take(b.data, n, &r, &need), 0);
		ck_assert_uint_gt(need, n);
		ck_assert_uint_le(need, b.len);
	}
	buf_free(&b);
}
END_TEST

START_TEST(nonsense_is_no_record)
{
	struct buf b = { 0 };
	struct hub_record r;
	size_t need;

	put_open(&b);
	b.data[4] = 'Z';
	ck_assert_int_eq(hub_take(b.data, b.len, &r, &need), -1);
	b.data[4] = '\0';
	ck_assert_int_eq(hub_take(b.data, b.len, &r, &need), -1);
	b.data[4] = HUB_OPEN;
	hub_put_length((unsigned char *)b.data, HUB_BODY + 1);
	ck_assert_int_eq(hub_take(b.data, b.len, &r, &need), -1);
	hub_put_length((unsigned char *)b.data, HUB_BODY);
	ck_assert_int_eq(hub_take(b.data, b.len, &r, &need), 0);
	ck_assert_uint_eq(need, HUB_HEAD + HUB_BODY);
	buf_free(&b);
}
END_TEST

START_TEST(a_part_does_not_lead_outside)
{
	struct buf b = { 0 };
	struct hub_record r;
	struct hub_part part;
	size_t need, begun = hub_begin(&b, HUB_SEND, 1, 0, 1);

	hub_part(&b, "data", 4);
	hub_end(&b, begun);
	hub_put_length((unsigned char *)b.data + HUB_HEAD, 5);
	ck_assert_int_gt(hub_take(b.data, b.len, &r, &need), 0);
	ck_assert(!hub_take_part(&r, &part));
	hub_put_length((unsigned char *)b.data + HUB_HEAD, UINT32_MAX);
	ck_assert_int_gt(hub_take(b.data, b.len, &r, &need), 0);
	ck_assert(!hub_take_part(&r, &part));
	hub_put_length((unsigned char *)b.data, 3);
	ck_assert_int_gt(hub_take(b.data, b.len, &r, &need), 0);
	ck_assert(!hub_take_part(&r, &part));
	buf_free(&b);
}
END_TEST

START_TEST(an_id_is_16_digits)
{
	static const char *const bad[] = { "", "0", "00000000000000000",
		"000000000000000g", "0x00000000000000", "000000000000000A",
		" 00000000000000" };
	char text[HUB_ID + 1];
	uint64_t id;

	hub_id_text(UINT64_C(0x0123456789abcdef), text);
	ck_assert_str_eq(text, "0123456789abcdef");
	ck_assert(hub_id_read(text, HUB_ID, &id));
	ck_assert_uint_eq(id, UINT64_C(0x0123456789abcdef));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert(!hub_id_read(bad[i], strlen(bad[i]), &id));
	ck_assert(!hub_id_read("000000000000000\0", HUB_ID, &id));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("hub_record");
	TCase *t = tcase_create("hub_record");

	tcase_add_test(t, what_is_written_is_read);
	tcase_add_test(t, a_record_may_be_cut_anywhere);
	tcase_add_test(t, nonsense_is_no_record);
	tcase_add_test(t, a_part_does_not_lead_outside);
	tcase_add_test(t, an_id_is_16_digits);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

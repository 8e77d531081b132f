#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

#include "unit.h"

START_TEST(starts_from_zero)
{
	struct buf b = { 0 };

	ck_assert_str_eq(buf_string(&b), "");
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
	buf_consume(&b, 0);
	ck_assert_int_eq(buf_add(&b, NULL, 0), 0);
	buf_free(&b);
}
END_TEST

START_TEST(keeps_every_byte)
{
	struct buf b = { 0 };
	size_t i;

	for (i = 0; i < 100000; i++)
		ck_assert_int_eq(buf_putc(&b, (int)(i & 0xff)), 0);
	ck_assert_uint_eq(b.len, 100000);
	for (i = 0; i < b.len; i++)
		ck_assert_uint_eq((unsigned char)b.data[i], i & 0xff);
	buf_free(&b);
}
END_TEST

START_TEST(formats_short_and_long)
{
	struct buf b = { 0 };
	char text[5000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(buf_addf(&b, "%s=%d;", "a", 7), 0);
	ck_assert_int_eq(buf_addf(&b, "%s", text), 0);
	ck_assert_int_eq(buf_puts(&b, ";"), 0);
	ck_assert_uint_eq(b.len, 4 + sizeof(text) - 1 + 1);
	ck_assert_mem_eq(buf_string(&b), "a=7;xxx", 7);
	ck_assert_str_eq(b.data + b.len - 2, "x;");
	buf_free(&b);
}
END_TEST

START_TEST(consumes_from_the_front)
{
	struct buf b = { 0 };
	size_t cap;

	buf_puts(&b, "headbody");
	cap = b.cap;
	buf_consume(&b, 4);
	ck_assert_str_eq(buf_string(&b), "body");
	buf_consume(&b, 4);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(b.cap, cap);
	buf_free(&b);
}
END_TEST

START_TEST(reserves_without_adding)
{
	struct buf b = { 0 };
	char *room;

	buf_puts(&b, "ab");
	ck_assert_ptr_nonnull(room = buf_reserve(&b, 1000));
	ck_assert_uint_eq(b.len, 2);
	memset(room, 'c', 1000);
	b.len += 1000;
	ck_assert_mem_eq(b.data, "abcc", 4);
	buf_free(&b);
}
END_TEST

START_TEST(failure_sticks)
{
	struct buf b = { 0 };

	buf_puts(&b, "kept");
	errno = 0;
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert(b.failed);
	ck_assert_int_eq(buf_puts(&b, "x"), -1);
	ck_assert_int_eq(buf_addf(&b, "%d", 1), -1);
	ck_assert_ptr_null(buf_string(&b));
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "kept", 4);
	buf_clear(&b);
	ck_assert_int_eq(buf_puts(&b, "again"), 0);
	ck_assert_str_eq(buf_string(&b), "again");
	buf_free(&b);
}
END_TEST

START_TEST(tells_what_can_be_had)
{
	ck_assert(buf_possible(1 << 20));
	ck_assert(!buf_possible(SIZE_MAX / 2));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("buf");
	TCase *t = tcase_create("buf");

	tcase_add_test(t, starts_from_zero);
	tcase_add_test(t, keeps_every_byte);
	tcase_add_test(t, formats_short_and_long);
	tcase_add_test(t, consumes_from_the_front);
	tcase_add_test(t, reserves_without_adding);
	tcase_add_test(t, failure_sticks);
	tcase_add_test(t, tells_what_can_be_had);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

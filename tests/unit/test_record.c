#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/record.h"

#include "unit.h"

static struct record
whole(const struct buf *b)
{
	return (struct record){ .value = b->data, .len = b->len };
}

START_TEST(what_is_put_is_found)
{
	struct buf b = { 0 };
	struct record all, found;
	char *text;

	record_put_text(&b, "name", "www");
	record_put_number(&b, "least", INT64_MIN);
	record_put(&b, "bytes", "a\0\n 3\n", 6);
	record_put_text(&b, "empty", "");
	all = whole(&b);
	text = record_text(&all, "name");
	ck_assert_str_eq(text, "www");
	free(text);
	ck_assert_int_eq(record_number(&all, "least", 0), INT64_MIN);
	ck_assert(record_find(&all, "bytes", &found));
	ck_assert_uint_eq(found.len, 6);
	ck_assert_mem_eq(found.value, "a\0\n 3\n", 6);
	ck_assert(record_find(&all, "empty", &found));
	ck_assert_uint_eq(found.len, 0);
	ck_assert(record_is_whole(&all));
	all.len--;
	ck_assert(!record_is_whole(&all));
	all.len = 0;
	ck_assert(record_is_whole(&all));
	buf_free(&b);
}
END_TEST

START_TEST(what_is_not_there_has_a_default)
{
	struct buf b = { 0 };
	struct record all;

	record_put_text(&b, "name", "www");
	all = whole(&b);
	ck_assert_ptr_null(record_text(&all, "nam"));
	ck_assert_ptr_null(record_text(&all, "names"));
	ck_assert_int_eq(record_number(&all, "pid", -1), -1);
	ck_assert_int_eq(record_number(&all, "name", 7), 7);
	buf_free(&b);
}
END_TEST

START_TEST(records_nest_and_come_in_order)
{
	struct buf inner = { 0 }, outer = { 0 };
	const char *rest;
	size_t len;
	struct record r;

	record_put_number(&inner, "pid", 42);
	record_put(&outer, "slot", inner.data, inner.len);
	record_put_text(&outer, "unknown", "skipped");
	record_put(&outer, "slot", inner.data, inner.len);
	rest = outer.data;
	len = outer.len;
	ck_assert(record_next(&rest, &len, &r) && record_is(&r, "slot"));
	ck_assert_int_eq(record_number(&r, "pid", 0), 42);
	ck_assert(record_next(&rest, &len, &r) && record_is(&r, "unknown"));
	ck_assert(record_next(&rest, &len, &r) && record_is(&r, "slot"));
	ck_assert(!record_next(&rest, &len, &r));
	ck_assert_uint_eq(len, 0);
	buf_free(&inner);
	buf_free(&outer);
}
END_TEST

/* Whatever is cut off or wrong, nothing outside the bytes is looked at. */
START_TEST(nonsense_ends_a_sequence)
{
	static const char *const bad[] = { "name", "name ", "name 3", "name 3\n",
		"name 3\nww", "name 3\nwww", "name 3\nwwwx", " 3\nwww\n",
		"name x\nwww\n", "name -1\nwww\n", "name 4\nwww\n",
		"name 99999999999999999999\nwww\n", "\n", "name\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size_t n = strlen(bad[i]), len = n;
		char *copy = malloc(n);
		const char *rest = copy;
		struct record r;

		memcpy(copy, bad[i], n);
		ck_assert_msg(!record_next(&rest, &len, &r), "%s", bad[i]);
		ck_assert_uint_eq(len, n);
		free(copy);
	}
}
END_TEST

START_TEST(a_descriptor_stays_open_over_exec)
{
	struct buf b = { 0 };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct record all;

	record_put_fd(&b, "fd", fd);
	record_put_fd(&b, "none", -1);
	all = whole(&b);
	ck_assert_int_eq(record_number(&all, "fd", -1), fd);
	ck_assert_int_eq(record_number(&all, "none", 0), -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
	buf_free(&b);
}
END_TEST

/* Two names of it have one owner. */
START_TEST(a_descriptor_is_taken_once)
{
	struct buf b = { 0 };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct record all, found;

	record_put_fd(&b, "fd", fd);
	record_put_fd(&b, "again", fd);
	all = whole(&b);
	ck_assert_int_eq(record_fd(&all, "fd"), fd);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(record_fd(&all, "fd"), -1);
	ck_assert_int_eq(record_fd(&all, "again"), -1);
	record_put_fd(&b, "again", fd);
	ck_assert(record_find(&all, "again", &found));
	ck_assert_int_eq(record_take_fd(&found), fd);
	close(fd);
	buf_free(&b);
}
END_TEST

/* Not the standard ones, none that is closed, none of this image's own. */
START_TEST(no_other_descriptor_is_taken)
{
	static const char *const numbers[] = { "0", "1", "2", "-1", "1000",
		"2147483648", "4294967299", "", "x", "9x" };
	int own = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct buf b = { 0 };
	struct record all;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		buf_clear(&b);
		record_put_text(&b, "fd", numbers[i]);
		all = whole(&b);
		ck_assert_int_eq(record_fd(&all, "fd"), -1);
	}
	buf_clear(&b);
	record_put_number(&b, "fd", own);
	all = whole(&b);
	ck_assert_int_eq(record_fd(&all, "fd"), -1);
	ck_assert_int_eq(record_fd(&all, "none"), -1);
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFD), 0);
	close(own);
	buf_free(&b);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("record");
	TCase *t = tcase_create("record");

	tcase_add_test(t, what_is_put_is_found);
	tcase_add_test(t, what_is_not_there_has_a_default);
	tcase_add_test(t, records_nest_and_come_in_order);
	tcase_add_test(t, nonsense_ends_a_sequence);
	tcase_add_test(t, a_descriptor_stays_open_over_exec);
	tcase_add_test(t, a_descriptor_is_taken_once);
	tcase_add_test(t, no_other_descriptor_is_taken);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

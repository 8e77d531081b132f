#include <errno.h>
#include <inttypes.h>

#include "base/num.h"

#include "unit.h"

#define DAY INT64_C(86400000)

static const struct {
	const char *text;
	int error;
	int64_t value;
} durations[] = {
	{ "0", 0, 0 }, { "30", 0, 30000 }, { "500ms", 0, 500 },
	{ "10s", 0, 10000 }, { "5m", 0, 300000 }, { "2h", 0, 7200000 },
	{ "1d", 0, DAY }, { "36525d", 0, 36525 * DAY },
	{ "36526d", ERANGE, 0 }, { "99999999999999999999", ERANGE, 0 },
	{ "9223372036854775807d", ERANGE, 0 },
	{ "99999999999999999999x", EINVAL, 0 }, { "", EINVAL, 0 },
	{ "s", EINVAL, 0 }, { "-1s", EINVAL, 0 }, { "+1s", EINVAL, 0 },
	{ " 1s", EINVAL, 0 }, { "1 s", EINVAL, 0 }, { "1s ", EINVAL, 0 },
	{ "1.5s", EINVAL, 0 }, { "1S", EINVAL, 0 }, { "1w", EINVAL, 0 },
	{ "1m30s", EINVAL, 0 },
}, sizes[] = {
	{ "0", 0, 0 }, { "4096", 0, 4096 }, { "64K", 0, 65536 },
	{ "64k", 0, 65536 }, { "128M", 0, 134217728 },
	{ "1g", 0, 1073741824 }, { "9223372036854775807", 0, INT64_MAX },
	{ "9223372036854775808", ERANGE, 0 }, { "8589934592G", ERANGE, 0 },
	{ "8589934591G", 0, INT64_C(8589934591) << 30 },
	{ "1T", EINVAL, 0 }, { "1KB", EINVAL, 0 }, { "K", EINVAL, 0 },
	{ "-1", EINVAL, 0 }, { "0x10", EINVAL, 0 },
}, modes[] = {
	{ "0660", 0, 0660 }, { "660", 0, 0660 }, { "7777", 0, 07777 },
	{ "0", 0, 0 }, { "10000", ERANGE, 0 }, { "0888", EINVAL, 0 },
	{ "", EINVAL, 0 }, { "-1", EINVAL, 0 }, { "rw", EINVAL, 0 },
}, integers[] = {
	{ "7", 0, 7 }, { "-5", 0, -5 }, { "+5", 0, 5 }, { "010", 0, 10 },
	{ "-100", 0, -100 }, { "1000", 0, 1000 }, { "-101", ERANGE, 0 },
	{ "1001", ERANGE, 0 }, { "99999999999999999999", ERANGE, 0 },
	{ "-", EINVAL, 0 }, { "+-1", EINVAL, 0 }, { "1.0", EINVAL, 0 },
	{ "1K", EINVAL, 0 }, { "", EINVAL, 0 },
};

/* A value that no row expects must be left alone on failure. */
#define UNTOUCHED 424242

#define CHECK_ROWS(rows, type, ...)                                          \
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {          \
		const char *text = rows[i].text;                             \
		type value = UNTOUCHED;                                      \
		errno = 0;                                                   \
		int result = __VA_ARGS__;                                    \
		ck_assert_msg(result == (rows[i].error == 0 ? 0 : -1) &&     \
		    (result == 0 || errno == rows[i].error) &&               \
		    (int64_t)value == (result == 0 ? rows[i].value :         \
		    UNTOUCHED), "\"%s\": %d, errno %d, value %" PRId64,      \
		    text, result, errno, (int64_t)value);                    \
	}

START_TEST(reads_durations)
{
	CHECK_ROWS(durations, int64_t, num_duration(text, &value))
}
END_TEST

START_TEST(reads_sizes)
{
	CHECK_ROWS(sizes, int64_t, num_size(text, &value))
}
END_TEST

START_TEST(reads_modes)
{
	CHECK_ROWS(modes, mode_t, num_mode(text, &value))
}
END_TEST

START_TEST(reads_integers)
{
	CHECK_ROWS(integers, int64_t, num_integer(text, -100, 1000, &value))
}
END_TEST

START_TEST(reads_the_extremes)
{
	int64_t value = 0;

	ck_assert_int_eq(num_integer("-9223372036854775808", INT64_MIN,
	    INT64_MAX, &value), 0);
	ck_assert_int_eq(value, INT64_MIN);
	ck_assert_int_eq(num_integer("9223372036854775807", INT64_MIN,
	    INT64_MAX, &value), 0);
	ck_assert_int_eq(value, INT64_MAX);
	ck_assert_int_eq(num_integer("-9223372036854775809", INT64_MIN,
	    INT64_MAX, &value), -1);
	ck_assert_int_eq(errno, ERANGE);
}
END_TEST

START_TEST(writes_the_shortest)
{
	char out[NUM_TEXT];

	ck_assert_str_eq(num_duration_text(90000, out), "90s");
	ck_assert_str_eq(num_duration_text(120000, out), "2m");
	ck_assert_str_eq(num_duration_text(1500, out), "1500ms");
	ck_assert_str_eq(num_duration_text(2 * DAY, out), "2d");
	ck_assert_str_eq(num_duration_text(0, out), "0");
	ck_assert_str_eq(num_size_text(65536, out), "64K");
	ck_assert_str_eq(num_size_text(1 << 30, out), "1G");
	ck_assert_str_eq(num_size_text(1025, out), "1025");
	ck_assert_str_eq(num_size_text(0, out), "0");
}
END_TEST

START_TEST(reads_what_it_wrote)
{
	char out[NUM_TEXT];
	int64_t value, back;
	int i;

	for (i = 0; i < 62; i++) {
		value = (INT64_C(1) << i) + (i % 3 - 1) * 1000;
		if (value < 0)
			continue;
		ck_assert_int_eq(num_size(num_size_text(value, out), &back), 0);
		ck_assert_int_eq(back, value);
		if (value > 36525 * DAY)
			continue;
		ck_assert_int_eq(num_duration(num_duration_text(value, out),
		    &back), 0);
		ck_assert_int_eq(back, value);
	}
}
END_TEST

START_TEST(writes_digits)
{
	static const struct {
		uint64_t value;
		const char *decimal, *hex;
	} cases[] = { { 0, "0", "0" }, { 9, "9", "9" }, { 10, "10", "a" },
		{ 4095, "4095", "fff" }, { 4096, "4096", "1000" },
		{ UINT64_MAX, "18446744073709551615", "ffffffffffffffff" } };
	char out[NUM_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out[num_decimal(cases[i].value, out)] = '\0';
		ck_assert_str_eq(out, cases[i].decimal);
		out[num_hex(cases[i].value, out)] = '\0';
		ck_assert_str_eq(out, cases[i].hex);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("num");
	TCase *t = tcase_create("num");

	tcase_add_test(t, reads_durations);
	tcase_add_test(t, reads_sizes);
	tcase_add_test(t, reads_modes);
	tcase_add_test(t, reads_integers);
	tcase_add_test(t, reads_the_extremes);
	tcase_add_test(t, writes_the_shortest);
	tcase_add_test(t, reads_what_it_wrote);
	tcase_add_test(t, writes_digits);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

#include <string.h>

#include "worker/serve/request.h"

#include "unit.h"

static struct param params[2];
static struct request request = { .params = params };

/* Does a request with this parameter take it for its id? */
static bool
takes_bytes(const char *value, size_t len)
{
	params[0] = (struct param) { .name = "A", .value = "a",
		.name_len = 1, .value_len = 1 };
	params[1] = (struct param) { .name = "X_ID", .value = value,
		.name_len = 4, .value_len = len };
	request.nparams = 2;
	request_id_init("X_ID");
	request_identify(&request);
	return strlen(request.id) == len && memcmp(request.id, value, len) == 0;
}

static bool
takes(const char *value)
{
	return takes_bytes(value, strlen(value));
}

/* The id was made here, and is another than the last one. */
static void
check_own(void)
{
	static char last[REQUEST_ID];

	ck_assert_uint_gt(strcspn(request.id, "-"), 0);
	ck_assert_ptr_ne(strchr(request.id, '-'), strrchr(request.id, '-'));
	ck_assert_str_ne(request.id, last);
	strcpy(last, request.id);
}

START_TEST(a_safe_id_is_taken)
{
	static const char *good[] = { "0", "!#$%&()*+,-./:;<=>?@[]^_{|}~",
		"2f6c2e0a-7c0b-4f0e-9f1d-0a1b2c3d4e5f" };
	char longest[64] = "";

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert(takes(good[i]));
		ck_assert_str_eq(request.id, good[i]);
	}
	memset(longest, 'z', sizeof(longest) - 1);
	ck_assert(takes(longest));
	ck_assert_str_eq(request.id, longest);
}
END_TEST

START_TEST(another_is_not)
{
	static const char long_one[] =
		"0123456789012345678901234567890123456789012345678901234567890"
		"123";
	static const char *bad[] = { "", "a b", "a\"", "'a", "`a", "a\\b",
		"a\n", "\x1b[0m", "a\x7f", "\xc3\xa4", long_one };

	ck_assert_uint_eq(strlen(bad[10]), 64);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!takes(bad[i]), "takes %s", bad[i]);
		check_own();
	}
	ck_assert(!takes_bytes("a\0b", 3));
}
END_TEST

START_TEST(without_the_parameter_there_is_none)
{
	static const char *const names[] = { "X_I", "X_ID2", NULL };

	ck_assert(takes("id"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		request_id_init(names[i]);
		request_identify(&request);
		check_own();
	}
	request_id_init("X_ID");
	request.nparams = 0;
	request_identify(&request);
	check_own();
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("request");
	TCase *t = tcase_create("id");

	tcase_add_test(t, a_safe_id_is_taken);
	tcase_add_test(t, another_is_not);
	tcase_add_test(t, without_the_parameter_there_is_none);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

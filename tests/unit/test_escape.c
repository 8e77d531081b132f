/* Bytes from anywhere, fit to be shown on a terminal. */

#include "unit.h"

#include <string.h>

#include "base/escape.h"

static struct buf out;

static void
teardown(void)
{
	buf_free(&out);
}

static const char *
text_of(const char *text, size_t n)
{
	buf_clear(&out);
	escape_text(&out, text, n);
	return buf_string(&out);
}

static const char *
lines_of(const char *text)
{
	buf_clear(&out);
	escape_lines(&out, text, strlen(text));
	return buf_string(&out);
}

/* Every byte alone, and every character of two bytes: none of the controls of
 * ISO 6429 stays, in either form. */
START_TEST(no_control_is_left)
{
	for (unsigned c = 0; c < 256; c++) {
		char byte = (char)c;
		const char *shown = text_of(&byte, 1);

		ck_assert_str_eq(shown, c >= 0x20 && c < 0x7f ?
		    ((char[]){ byte, '\0' }) : c == '\n' ? "\\n" :
		    c == '\t' ? "\\t" : c == '\r' ? "\\r" : shown);
		if (c < 0x20 || c >= 0x7f)
			ck_assert_int_eq(shown[0], '\\');
	}
	for (unsigned c = 0x80; c < 0x800; c++) {
		const char two[] = { (char)(0xc0 | c >> 6),
			(char)(0x80 | (c & 0x3f)) };
		const char *shown = text_of(two, 2);

		if (c < 0xa0)
			ck_assert_int_eq(shown[0], '\\');
		else
			ck_assert_mem_eq(shown, two, 3 - 1);
	}
}
END_TEST

START_TEST(lines_keep_their_ends)
{
	ck_assert_str_eq(lines_of("one\ntwo\r\n\tthree"),
	    "one\ntwo\r\n\tthree");
	ck_assert_str_eq(lines_of("a\rb\n\r\n\r"), "a\\rb\n\r\n\\r");
	ck_assert_str_eq(lines_of("\033[2J\n\302\233\n"),
	    "\\x1b[2J\n\\xc2\\x9b\n");
	ck_assert_str_eq(lines_of(""), "");
}
END_TEST

/* Between characters, and never within what stands for one. */
START_TEST(a_cut_is_clean)
{
	static const char text[] = "a\303\244\033z\302\233";
	static const char *const want[] = { "", "a", "a", "a\303\244",
		"a\303\244", "a\303\244", "a\303\244", "a\303\244\\x1b",
		"a\303\244\\x1bz", "a\303\244\\x1bz", "a\303\244\\x1bz",
		"a\303\244\\x1bz", "a\303\244\\x1bz\\xc2" };
	char cut[16];

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		memset(cut, 'x', sizeof(cut));
		ck_assert_uint_eq(escape_cut(text, strlen(text), cut, i + 1),
		    strlen(want[i]));
		ck_assert_str_eq(cut, want[i]);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("show");
	TCase *tc = tcase_create("show");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, no_control_is_left);
	tcase_add_test(tc, lines_keep_their_ends);
	tcase_add_test(tc, a_cut_is_clean);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}

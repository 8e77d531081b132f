#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/title.h"

#include "unit.h"

static char *area; /* where argv was when the program began */
static char **arguments;
static const char *path; /* $PATH as it was */
static bool simulated; /* valgrind shows its own idea of /proc/self */

/* What ps(1) would show. */
static const char *
shown(void)
{
	static char text[4096];
	FILE *f;
	size_t n;

	if (simulated)
		return area;
	ck_assert_ptr_nonnull(f = fopen("/proc/self/cmdline", "r"));
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

START_TEST(ps_shows_the_title)
{
	title_set("lua-fpm: pool %s", "www");
	ck_assert_str_eq(shown(), "lua-fpm: pool www");
	title_set("short");
	ck_assert_str_eq(shown(), "short");
}
END_TEST

START_TEST(a_title_longer_than_the_arguments_is_shown)
{
	char text[500];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	title_set("%s", text);
	ck_assert_str_eq(shown(), text);
}
END_TEST

START_TEST(a_title_is_cut_to_its_room)
{
	size_t size = 4 << 20;
	char *text = calloc(1, size);

	memset(text, 'x', size - 1);
	title_set("%s", text);
	ck_assert_uint_lt(strlen(area), size - 1);
	ck_assert_uint_eq(strspn(area, "x"), strlen(area));
	free(text);
}
END_TEST

START_TEST(arguments_and_environment_survive)
{
	title_set("%s", "");
	ck_assert_str_eq(program_invocation_short_name, "test_title");
	ck_assert_str_eq(arguments[1], "an argument");
	ck_assert_ptr_null(arguments[2]);
	ck_assert_str_eq(getenv("TITLE_ROOM") + 590, "xxxxxxxxxx");
	ck_assert_str_eq(getenv("PATH"), path);
	ck_assert_int_eq(setenv("TITLE_ROOM", "changed", 1), 0);
	ck_assert_str_eq(getenv("TITLE_ROOM"), "changed");
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("title");
	TCase *t = tcase_create("title");

	tcase_add_test(t, ps_shows_the_title);
	tcase_add_test(t, a_title_longer_than_the_arguments_is_shown);
	tcase_add_test(t, a_title_is_cut_to_its_room);
	tcase_add_test(t, arguments_and_environment_survive);
	suite_add_tcase(s, t);
	return s;
}

/* Arguments and environment are what exec put there: run again, with known
 * ones and with room for a long title. */
static int
run_again(char *program)
{
	char room[601] = "", argument[] = "an argument";

	memset(room, 'x', sizeof(room) - 1);
	setenv("TITLE_ROOM", room, 1);
	execv(program, (char *[]){ program, argument, NULL });
	perror("exec");
	return EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	const char *preload = getenv("LD_PRELOAD");

	if (argc == 1)
		return run_again(argv[0]);
	simulated = preload != NULL && strstr(preload, "vgpreload") != NULL;
	area = argv[0];
	arguments = argv;
	path = strdup(getenv("PATH"));
	title_init(argc, argv);
	return unit_run(suite());
}

#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

/* What every unit test program shares: its one suite runs and speaks TAP. */

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

/* Under valgrind (check-valgrind), and with sanitizers unless FULL is in the
 * environment: what is repeated a great many times should be so less often. */
static inline bool
unit_is_slow(void)
{
#ifdef __SANITIZE_ADDRESS__
	if (getenv("FULL") == NULL)
		return true;
#endif
	return getenv("VALGRIND") != NULL;
}

/* The processor time of work(8 * n) over that of work(n), each the least of
 * some: near 8 if it grows with n, near 64 if with its square. */
static inline double
unit_growth(void (*work)(unsigned n), unsigned n)
{
	clock_t least[2] = { 0, 0 };

	for (int i = 0; i < 10; i++) {
		clock_t begun = clock(), took;

		work(i % 2 == 0 ? n : 8 * n);
		took = clock() - begun + 1;
		if (i < 2 || took < least[i % 2])
			least[i % 2] = took;
	}
	return (double)least[1] / (double)least[0];
}

static inline int
unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif

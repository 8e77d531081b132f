#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

/* What every unit test program shares: its one suite runs and speaks TAP. */

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

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

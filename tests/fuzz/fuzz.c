/* What libFuzzer calls: the target that FUZZ in the environment names. */

#include "fuzz.h"

#include <string.h>

struct fuzz_target *fuzz_targets;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig loses the string that a syntax error ends. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

static const struct fuzz_target *
chosen(void)
{
	const char *name = getenv("FUZZ");
	const struct fuzz_target *t = fuzz_targets;

	while (t != NULL && (name == NULL || strcmp(t->name, name) != 0))
		t = t->next;
	if (t != NULL)
		return t;
	fprintf(stderr, "FUZZ names no target:");
	for (t = fuzz_targets; t != NULL; t = t->next)
		fprintf(stderr, " %s", t->name);
	fprintf(stderr, "\n");
	exit(1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fuzz_target *target;

	if (target == NULL)
		target = chosen();
	target->run(data, size);
	return 0;
}

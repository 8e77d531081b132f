/* Every target of the fuzzer with every input of its corpus, without a
 * fuzzer.  Prints TAP; the last comment before a crash names the input. */

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf_file.h"
#include "fuzz.h"

static bool
replay(const struct fuzz_target *target, const char *path)
{
	struct buf input = { 0 };
	uint8_t *exact;

	if (conf_file_load(path, &input) == -1) {
		perror(path);
		return false;
	}
	printf("# %s\n", path);
	fflush(stdout);
	/* With nothing behind it that might be read unseen. */
	exact = malloc(input.len > 0 ? input.len : 1);
	must(exact != NULL);
	if (input.len > 0)
		memcpy(exact, input.data, input.len);
	target->run(exact, input.len);
	free(exact);
	buf_free(&input);
	return true;
}

/* How many inputs its corpus has; -1: one cannot be read. */
static int
replay_all(const struct fuzz_target *target)
{
	DIR *dir = opendir(target->name);
	struct buf path = { 0 };
	struct dirent *entry;
	int n = 0;

	while (dir != NULL && n != -1 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		buf_clear(&path);
		buf_addf(&path, "%s/%s", target->name, entry->d_name);
		n = replay(target, buf_string(&path)) ? n + 1 : -1;
	}
	if (dir != NULL)
		closedir(dir);
	buf_free(&path);
	return n;
}

int
main(void)
{
	const char *source = getenv("TOP_SRCDIR");
	int number = 0, failed = 0, n;

	if (chdir(source != NULL ? source : ".") == -1 ||
	    chdir("tests/fuzz/corpus") == -1) {
		printf("Bail out! there is no corpus\n");
		return EXIT_FAILURE;
	}
	for (struct fuzz_target *t = fuzz_targets; t != NULL; t = t->next) {
		n = replay_all(t);
		failed += n <= 0;
		printf("%sok %d - %s: %d inputs\n", n <= 0 ? "not " : "",
		    ++number, t->name, n);
	}
	printf("1..%d\n", number);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

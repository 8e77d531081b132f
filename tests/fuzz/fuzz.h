#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

/*
 * Targets for a fuzzer: whatever bytes such a function is given, it returns;
 * what may not be ends the process (must).  libFuzzer runs them for a while
 * (make check-fuzz), and each of them is run with what lies in
 * tests/fuzz/corpus/NAME by make check (replay.c).
 *
 * A new one is a file tests/fuzz/fuzz_NAME.c with FUZZ(NAME) in it, a line in
 * FUZZ_TARGETS of Makefile.am, and some inputs in tests/fuzz/corpus/NAME.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct fuzz_target {
	const char *name;
	void (*run)(const uint8_t *data, size_t size);
	struct fuzz_target *next;
};

/* Every target of the program, in any order. */
extern struct fuzz_target *fuzz_targets;

#define FUZZ(NAME)                                                   \
	static void fuzz_##NAME(const uint8_t *data, size_t size);   \
	static struct fuzz_target target_##NAME = { #NAME,           \
		fuzz_##NAME, NULL };                                 \
	__attribute__((constructor)) static void add_##NAME(void)    \
	{                                                            \
		target_##NAME.next = fuzz_targets;                   \
		fuzz_targets = &target_##NAME;                       \
	}                                                            \
	static void fuzz_##NAME(const uint8_t *data, size_t size)

#define must(condition)                                              \
	do {                                                         \
		if (!(condition)) {                                  \
			fprintf(stderr, "%s:%d: not so: %s\n",       \
			    __FILE__, __LINE__, #condition);         \
			abort();                                     \
		}                                                    \
	} while (0)

#endif

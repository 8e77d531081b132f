#ifndef WORKER_PROCESS_FORKED_H
#define WORKER_PROCESS_FORKED_H

/*
 * Tells a worker from a process that its application has forked (through a C
 * library).  Such a process belongs to the application, but if it returned
 * into our code, it would serve the worker's connections and write its logs a
 * second time.  The signals that a worker blocks or ignores are neither
 * blocked nor ignored in it, as a program expects when it begins.
 */

#include <stdbool.h>

/* Once in the life of a worker, before any Lua code runs. */
void forked_init(void);

extern const volatile bool *forked_here; /* *it: false in a forked process */

/* End a forked process with code 70 and a line on stderr; no handler of
 * atexit(3) runs. */
_Noreturn void forked_end(void);

/* Call this where Lua code returns or calls us, before anything is written: a
 * forked process ends here (forked_end).  Costs one read of memory. */
static inline void
forked_leave(void)
{
	if (!*forked_here)
		forked_end();
}

#endif

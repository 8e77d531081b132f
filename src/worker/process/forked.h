#ifndef WORKER_PROCESS_FORKED_H
#define WORKER_PROCESS_FORKED_H

/*
 * Tells a worker from a process that its application has forked (through a C
 * library).  Such a process is the application's own; but where its code
 * comes back into ours it would serve the worker's connections and write its
 * logs a second time.  And it begins as a program expects to: with no signal
 * blocked or ignored of those that a worker blocks and ignores.
 */

#include <stdbool.h>

/* Once in the life of a worker, before any Lua code runs. */
void forked_init(void);

extern const volatile bool *forked_here; /* false in a forked process */

_Noreturn void forked_end(void);

/* To be called where Lua code returns, before anything is written: a forked
 * process says so on stderr and ends.  Costs a look at memory. */
static inline void
forked_leave(void)
{
	if (!*forked_here)
		forked_end();
}

#endif

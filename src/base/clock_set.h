#ifndef BASE_CLOCK_SET_H
#define BASE_CLOCK_SET_H

/*
 * Notices that the wall clock was set, or that the machine has slept: what
 * waits for a time of the day must look again, since its wait was computed
 * before.  Runs in the master.
 */

#include "base/loop.h"

/* Call fn whenever that has happened, from the loop.  Where the kernel cannot
 * tell, fn is never called. */
void clock_set_watch(struct loop *loop, void (*fn)(void));

/* Stop. */
void clock_set_unwatch(void);

#endif

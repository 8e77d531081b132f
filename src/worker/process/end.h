#ifndef WORKER_PROCESS_END_H
#define WORKER_PROCESS_END_H

/*
 * The end of a worker's process.  Whatever ends a worker ends its process
 * group: the master sees to it, and where that is gone, the worker does.
 */

#include "ipc/worker_args.h"

/* Once, before anything else asks to be called at the end. */
void end_init(const struct worker_args *args);

/* End at once, from any thread; no handler at exit runs. */
_Noreturn void end_now(int code);

#endif

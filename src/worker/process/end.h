#ifndef WORKER_PROCESS_END_H
#define WORKER_PROCESS_END_H

/*
 * The end of a worker's process.  Its process group always ends with it: the
 * master kills the group, and when the master has gone, the worker does.
 */

#include "ipc/worker_args.h"

/* Once, before any other atexit(3), so that its handler runs last: it writes
 * what the log holds back and ends the group if the master has gone. */
void end_init(const struct worker_args *args);

/* End the process at once with that exit code, from any thread, without the
 * handlers of atexit(3); and its group, if the master has gone. */
_Noreturn void end_now(int code);

#endif

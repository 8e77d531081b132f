#ifndef WORKER_PROCESS_STDIO_H
#define WORKER_PROCESS_STDIO_H

/*
 * stdout and stderr of the C library in a worker, to which Lua writes too.
 * They are not buffered, so that nothing is lost when the process dies, and a
 * line that is written during a request is marked with the request's id
 * (ipc/output_tag.h).  Knows nothing of Lua.
 */

#include <stdbool.h>

/* Once in a worker, before anything is printed.  marked: a master reads both,
 * and lines are marked for it; else they are not, and stdout is line
 * buffered. */
void stdio_begin(bool marked);

#endif

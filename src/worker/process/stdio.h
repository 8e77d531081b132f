#ifndef WORKER_PROCESS_STDIO_H
#define WORKER_PROCESS_STDIO_H

/*
 * stdout and stderr of the C library in a worker, and so those of Lua: nothing
 * of them is kept back, so that nothing is lost when the process dies, and a
 * line that is written during a request is marked with its id
 * (ipc/output_tag.h). Knows nothing of Lua.
 */

#include <stdbool.h>

/* Once in a worker, before anything is printed.  Marks only if a master reads
 * them; else stdout is buffered by the line. */
void stdio_begin(bool marked);

#endif

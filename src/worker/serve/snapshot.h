#ifndef WORKER_SERVE_SNAPSHOT_H
#define WORKER_SERVE_SNAPSHOT_H

/*
 * Reads memory of this process as it is at one moment, while its threads go on:
 * in a copy of the process (clone(2)), where nothing changes.  If a thread was
 * in the middle of a change, only the copy crashes.  Runs in the worker, from
 * any thread.
 */

#include <sys/types.h>

#define SNAPSHOT_PATIENCE 200 /* ms */

/*
 * In a copy of the process, let `look` write a text of less than n bytes and
 * return its length; bring that text back to out, terminated.  look must
 * neither allocate nor take a lock, which another thread may have held.  The
 * length; -1 with errno: no copy could be made, it crashed (EFAULT), or it took
 * longer than SNAPSHOT_PATIENCE (ETIMEDOUT).
 */
ssize_t snapshot_look(size_t (*look)(char *out, size_t n), char *out, size_t n);

#endif

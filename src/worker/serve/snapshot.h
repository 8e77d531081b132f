#ifndef WORKER_SERVE_SNAPSHOT_H
#define WORKER_SERVE_SNAPSHOT_H

/*
 * A look at this process as it is at one moment, while its threads go on: in
 * a copy made by fork, where nothing moves.  What cannot be read there, since
 * a thread was in the middle of changing it, ends the copy and nobody else.
 * Runs in the worker, from any thread.
 */

#include <sys/types.h>

#define SNAPSHOT_PATIENCE 200 /* ms */

/*
 * Let look write a text of less than n bytes in a copy, and bring it here,
 * terminated.  It must neither allocate nor take a lock: somebody may have
 * held it.  The length; -1 with errno: there is no copy, or it died (EFAULT)
 * or took longer than SNAPSHOT_PATIENCE (ETIMEDOUT).
 */
ssize_t snapshot_look(size_t (*look)(char *out, size_t n), char *out, size_t n);

#endif

#ifndef MASTER_CATCH_H
#define MASTER_CATCH_H

/*
 * What a worker writes to stdout and stderr, line by line into the log at
 * level notice, in its name.  A line is whole up to 64 KiB and split beyond.
 * Runs in the master, allocates at catch_open only, and reads a bounded
 * amount in a turn, so that a flood keeps nobody waiting.
 */

#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"

struct catch {
	struct loop *loop;
	int fd; /* read end, -1: closed */
	struct buf line; /* what has come of the next line */
	char pool[33];
	pid_t pid;
};

/*
 * Watch fd, the read end of a pipe, which is taken over and made
 * non-blocking.  End of file closes it.  The catch must stay where it is
 * until then.  fd -1: it was closed before.  -1 with errno, and fd is
 * closed.
 */
int catch_open(struct catch *c, struct loop *loop, int fd, const char *pool,
    pid_t pid);

/*
 * Log what is there at this moment, an unfinished line too, and close.  Never
 * waits: a grandchild may keep the other end open.  Closed already: nothing
 * happens.
 */
void catch_close(struct catch *c);

#endif

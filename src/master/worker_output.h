#ifndef MASTER_WORKER_OUTPUT_H
#define MASTER_WORKER_OUTPUT_H

/*
 * What a worker writes to stdout and stderr, line by line into the log at
 * level notice, in its name, and with the id of the request that it says it
 * is about (ipc/output_tag.h).  A line is whole up to 1 MiB; a longer one is
 * split and its parts are marked.  Runs in the master, and reads a bounded
 * amount in a turn, so that a flood keeps nobody waiting; memory grows with a
 * line that is longer than usual, and is given back after it.
 */

#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"
#include "ipc/output_tag.h"

struct worker_output {
	struct loop *loop;
	int fd; /* read end, -1: closed */
	struct buf line; /* what has come of the next line, */
	size_t seen;	 /* so much of it without its end */
	char request[OUTPUT_TAG_ID]; /* whose it is; "" */
	char pool[33];
	pid_t pid;
};

/*
 * Watch fd, the read end of a pipe, which is taken over and made
 * non-blocking.  End of file closes it.  The catch must stay where it is
 * until then.  fd -1: it was closed before.  -1 with errno, and fd is
 * closed.
 */
int worker_output_open(struct worker_output *c, struct loop *loop, int fd,
    const char *pool, pid_t pid);

/*
 * Log what is there at this moment, an unfinished line too, and close.  Never
 * waits: a grandchild may keep the other end open.  Closed already: nothing
 * happens.
 */
void worker_output_close(struct worker_output *c);

/*
 * Its worker is gone.  The same, but as long as a child of that worker holds
 * the other end, what it writes is logged all the same: beside c, which is
 * free, and for no more than 64 such workers.  worker_output_finish: close
 * those too.
 */
void worker_output_leave(struct worker_output *c);
void worker_output_finish(void);

#endif

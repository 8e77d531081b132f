#ifndef MASTER_WORKER_OUTPUT_H
#define MASTER_WORKER_OUTPUT_H

/*
 * What a worker writes to stdout and stderr, line by line into the log, in its
 * name: at level notice, with the id of the request that the worker says it is
 * about (ipc/output_tag.h); or, if the worker sends it as an entry of the log
 * (base/log_wire.h), at that entry's level, at most error.  A line is whole up
 * to 1 MiB; a longer one is split and its parts are marked.  Runs in the
 * master, and reads a bounded amount in a turn, so that a flood holds up
 * nothing else; memory grows with a line that is longer than usual, and is
 * given back after it.
 */

#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"
#include "ipc/output_tag.h"

struct worker_output {
	struct loop *loop;
	int fd; /* read end, -1: closed */
	struct buf line; /* what has come of the next line */
	size_t seen;	 /* bytes of it that hold no newline */
	char request[OUTPUT_TAG_ID]; /* id of the request it is about, or "" */
	char pool[33];
	pid_t pid;
};

/*
 * Watch fd, the read end of a pipe, which is taken over and made non-blocking.
 * End of file closes it.  *c must stay where it is until then.  fd -1: the pipe
 * was closed before.  0, or -1 with errno, and fd is closed.
 */
int worker_output_open(struct worker_output *c, struct loop *loop, int fd,
    const char *pool, pid_t pid);

/*
 * Log what is in the pipe now, an unfinished line too, and close.  Never waits:
 * a child of the worker may keep the other end open.  If it is closed already,
 * nothing happens.
 */
void worker_output_close(struct worker_output *c);

/*
 * The worker is gone: as worker_output_close; but if a child of the worker
 * still holds the other end, what it writes is logged further on, for at most
 * 64 such workers.  *c is free in either case.  worker_output_finish closes the
 * pipes of those children.
 */
void worker_output_leave(struct worker_output *c);
void worker_output_finish(void);

#endif

#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

/*
 * fork(2), and the child's first steps: what makes a copy of the master into
 * a process that knows nothing of it.  Runs in the master; the child leaves
 * through a function pointer and never comes back.
 */

#include <sys/types.h>

#include "base/loop.h"
#include "share/birth.h"

struct spawn_order {
	struct birth birth; /* its channel is made here */
	struct loop *loop;
	void (*worker)(const struct birth *) __attribute__((noreturn));
};

struct spawned {
	pid_t pid;
	int channel; /* the master's end, SOCK_SEQPACKET */
	int output;  /* what the worker writes to stdout and stderr */
};

/* Fork a worker.  Its slot of the scoreboard is STARTING from before the
 * fork.  0, or -1 with errno and nothing changed. */
int spawn_worker(const struct spawn_order *order, struct spawned *out);

#endif

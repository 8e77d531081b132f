#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

/*
 * A child of a pool is born: fork(2), and the same image again by execveat(2),
 * so that nothing of the master is in its memory.  Runs in the master.
 */

#include <sys/types.h>

#include "ipc/board.h"
#include "ipc/worker_args.h"

struct spawn_order {
	struct worker_orders args; /* its channel and board_lease are made
				      here */
	struct board *board;	   /* which has the slot args.number */
};

struct spawned {
	pid_t pid;
	int channel; /* the master's end, SOCK_SEQPACKET */
	int output;  /* what the child writes to stdout and stderr */
};

/* Its slot is leased before it is born.  0, or -1 with errno and nothing has
 * changed. */
int spawn(const struct spawn_order *order, struct spawned *out);

#endif

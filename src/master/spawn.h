#ifndef MASTER_SPAWN_H
#define MASTER_SPAWN_H

/*
 * Fork a process of a pool: vfork(2), then the same image again by execveat(2),
 * so that nothing of the master is in its memory.  Runs in the master.
 */

#include <sys/types.h>

#include "ipc/board.h"
#include "ipc/worker_args.h"

struct spawn_order {
	struct worker_orders args; /* channel, head, slot and level are set by
				      spawn */
	struct board *board;	   /* the board that has the slot args.number */
};

struct spawned {
	pid_t pid;
	int channel; /* the master's end, SOCK_SEQPACKET */
	int output;  /* what the child writes to stdout and stderr */
};

/* Lease the slot (board_lease), then fork.  0, and the descriptors are the
 * caller's; or -1 with errno and nothing has changed. */
int spawn(const struct spawn_order *order, struct spawned *out);

#endif

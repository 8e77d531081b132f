#ifndef IPC_HUB_CLAIM_H
#define IPC_HUB_CLAIM_H

/*
 * Memory that a worker shares with the hub of its pool, sealed_room of this
 * size.  Before the worker begins a piece of work that the hub has given it, it
 * notes the number here; so, once the worker is gone, the hub knows what was in
 * hand, and may give the rest to others.  It costs no system call.
 */

#include <stdint.h>

struct hub_claim {
	_Atomic uint64_t work; /* 0: none */
};

#endif

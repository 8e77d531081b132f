#ifndef IPC_HUB_PAGE_H
#define IPC_HUB_PAGE_H

/*
 * What the hub of a pool counts, for its status: memory that the master makes,
 * sealed_room of this size, and reads as a stranger's: numbers, nothing else.
 */

#include <stdint.h>

enum hub_fact {
	HUB_SOCKETS,  /* open now */
	HUB_OPENED,
	HUB_REFUSED,  /* as there were too many */
	HUB_RECEIVED, /* messages */
	HUB_SENT,     /* messages, once for each socket */
	HUB_WAITING,  /* messages for a worker, now */
	HUB_NAMES,    /* channels, now */
	HUB_SLOW,     /* sockets cut as they did not read, */
	HUB_SILENT,   /* as they did not answer a ping, */
	HUB_FAULTS,   /* closed as they broke the protocol or a limit, */
	HUB_LOST,     /* closed as their worker ended in a message */
	HUB_FACTS
};

struct hub_page {
	_Atomic uint64_t fact[HUB_FACTS];
};

#endif

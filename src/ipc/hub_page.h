#ifndef IPC_HUB_PAGE_H
#define IPC_HUB_PAGE_H

/*
 * What the hub of a pool counts, for its status: memory that the master makes,
 * sealed_room of this size, and reads as a stranger's: numbers, nothing else.
 * It outlives the hub, and the next one counts on from there; so a fact keeps
 * its place for ever, and new ones come behind the others.
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
	HUB_LIMIT,    /* sockets that it may have, now */
	HUB_UNSENT,   /* bytes that wait to be sent, now */
	HUB_FACTS
};

/* Those that are told of now; the others are counters. */
#define HUB_GAUGES (1u << HUB_SOCKETS | 1u << HUB_WAITING | 1u << HUB_NAMES | \
    1u << HUB_LIMIT | 1u << HUB_UNSENT)

#define HUB_PAGE 64 /* facts that there is room for */

struct hub_page {
	_Atomic uint64_t fact[HUB_PAGE];
};

#endif

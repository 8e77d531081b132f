#ifndef WORKER_PROCESS_HUB_HEIR_H
#define WORKER_PROCESS_HUB_HEIR_H

/*
 * The way of all WebSockets from the hub of a pool to the one that takes its
 * place, over a SOCK_SEQPACKET pair that the master has given both.  The new one
 * asks; the old one sends what it has (hub_pass) and the descriptors, which it
 * keeps meanwhile; the new one says that it has taken them, and from then on
 * serves alone.  Until then nothing is lost with it: the old one goes on.
 */

#include "base/buf.h"
#include "base/why.h"
#include "hub/hub.h"

enum hub_heir {
	HUB_HEIR_KEPT,	 /* the sockets are still this hub's: why */
	HUB_HEIR_TOOK,	 /* they are not: end, and touch none */
	HUB_HEIR_ALIENS, /* still this hub's, but new workers cannot talk to it:
			    close them; why */
};

/* The old one, once its end of the pair can be read, between two turns of the
 * hub: true if it is asked.  Then give; it takes as long as the other one does,
 * at most HUB_HEIR_PATIENCE ms, and the pair is of no use any more. */
#define HUB_HEIR_PATIENCE 10000
bool hub_heir_asks(int heir);
enum hub_heir hub_heir_give(int heir, const struct hub *hub, struct why *why);

/* The new one: ask, and receive.  0, or -1 and why.  What is in text and fds has
 * to be freed in either case, or given to hub_adopt. */
int hub_heir_take(int from, struct buf *text, struct hub_fds *fds,
    struct why *why);

/* And say that all is taken, or that it is refused for that reason.  accept:
 * -1 and why if the old one has given up and goes on. */
int hub_heir_accept(int from, struct why *why);
void hub_heir_refuse(int from, const char *reason);

#endif

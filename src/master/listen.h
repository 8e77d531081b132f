#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

/*
 * The listening sockets of the daemon, one for each address, counted: two
 * generations of a pool share a socket, so that a reload never closes and
 * reopens an address.  Runs in the master.
 */

#include "base/why.h"
#include "conf/conf.h"
#include "share/sock.h"

struct listener {
	int fd;
	struct sock_address address;
	unsigned users; /* generations that hold it */
	bool acl;	/* its file has a list, which a reload may take away */
	char pool[33];	/* whose it is */
	char *text;	/* as configured */
	struct listener *next;
};

/*
 * The socket at an address of a pool: bound now, or the one that another
 * generation of the same pool holds, with this one's backlog and rights.
 * NULL and why; an address of another pool is refused.  To be given back with
 * listen_put.
 */
struct listener *listen_get(const struct conf_pool *pool, const char *text,
    struct why *why);

/* No new connections from here on (sock_refuse). */
void listen_refuse(struct listener *listener);

/* Give it back.  With its last user it refuses and closes. */
void listen_put(struct listener *listener);

#endif

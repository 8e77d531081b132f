#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

/*
 * The listening sockets of the daemon, one for each address, counted: the
 * generations of a pool share a socket, so that a reload never closes and
 * reopens an address.  Runs in the master.
 */

#include <stdint.h>

#include "base/index.h"
#include "base/why.h"
#include "conf/conf.h"
#include "ipc/record.h"
#include "net/sock.h"

struct listener {
	int fd;
	struct sock_address address;
	unsigned users; /* generations that hold it */
	unsigned takers; /* of them, those that have not called listen_leave */
	int backlog;
	bool ends;	/* refuses, and is shut down once its queue is empty */
	int64_t refused; /* clock_ms() since which it refuses; 0: it does not */
	bool dead;	/* was shut down by a worker, and cannot be mended */
	bool acl;	/* its file has an access control list, which
			   listen_adjust removes if there is to be none */
	char *place;	/* as configured, without the protocol, which may be
			   another in the next generation */
	struct {	/* as it was before listen_adjust */
		bool set;
		int backlog;
		bool acl;
		struct sock_rights rights;
	} before;
	struct listener *next, **back; /* of all of them */
	struct index_entry by_address;
};

/*
 * The socket at an address of a pool: bound now, or the one that generations of
 * any pool have there already, unchanged.  One that refuses is not used again:
 * its address gets a new one.  NULL and why.  To be given back by listen_leave,
 * then listen_put.
 * leaving: for a generation that was leaving already at an upgrade in place, a
 * socket that refuses comes before any other, and is given back by listen_put
 * alone.
 */
struct listener *listen_get(const struct conf_pool *pool, const char *text,
    bool leaving, struct why *why);

/* Who has a listening socket can shut it down for all, and it is then reported
 * as readable for ever.  If a worker has done so, have the address listen again,
 * under the same descriptor: TCP is told to, a unix socket is bound anew.  What
 * becomes of it is logged. */
void listen_mend(struct listener *listener, const struct conf_pool *pool);

/*
 * A reload comes into force: give the socket the backlog and the rights of that
 * pool.  0, or -1 and why.  When all sockets have been adjusted, or one has
 * failed, listen_settle keeps all changes (good) or undoes them all.
 */
int listen_adjust(struct listener *listener, const struct conf_pool *pool,
    struct why *why);
void listen_settle(bool good);

/* A generation stops listening.  True if it was the last one there: the socket
 * takes no new connections from here on (sock_refuse). */
bool listen_leave(struct listener *listener);

/* Give it back, after listen_leave.  Its last user closes it, but a socket that
 * was passed to the daemon at its start stays open, since a pool may ask for it
 * again. */
void listen_put(struct listener *listener);

/*
 * Over an upgrade in place: append a record "listener" for each, whose
 * descriptors then stay open over exec(3); take over what such a record says,
 * as a listener without users: 0, or -1; close those that still have none.
 */
void listen_hand_over(struct buf *out);
int listen_take_over(const struct record *record);
void listen_sweep(void);

#endif

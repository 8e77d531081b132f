#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

/*
 * The listening sockets of the daemon, one for each address, counted: two
 * generations of a pool share a socket, so that a reload never closes and
 * reopens an address.  Runs in the master.
 */

#include <stdint.h>

#include "base/why.h"
#include "conf/conf.h"
#include "ipc/record.h"
#include "net/sock.h"

struct listener {
	int fd;
	struct sock_address address;
	unsigned users; /* generations that hold it */
	unsigned takers; /* of them, those that go on listening */
	int backlog;
	bool ends;	/* refuses, and is shut once its queue is empty */
	int64_t refused; /* clock_ms(), since when it refuses; 0: it does not */
	bool acl;	/* its file has a list, which a reload may take away */
	char *text;	/* as configured */
	struct {	/* before listen_adjust */
		bool set;
		int backlog;
		bool acl;
		struct sock_rights rights;
	} before;
	struct listener *next;
};

/*
 * The socket at an address of a pool: bound now, or the one that another
 * generation holds, of whatever pool, which is not touched.  One that refuses
 * does so for ever, its address has another then.  NULL and why.  To be given
 * back with listen_put.
 */
struct listener *listen_get(const struct conf_pool *pool, const char *text,
    struct why *why);

/* Likewise, for a generation that leaves and comes over an upgrade: one that
 * refuses before any other. */
struct listener *listen_get_leaving(const struct conf_pool *pool,
    const char *text, struct why *why);

/*
 * A reload comes into force: the socket is that pool's from now on, with its
 * backlog and rights.  0, or -1 and why.  When that has been done to all of
 * them, or has failed for one: all stay as they are now, or are again what
 * they were before the first.
 */
int listen_adjust(struct listener *listener, const struct conf_pool *pool,
    struct why *why);
void listen_settle(bool good);

/* A generation goes on listening no more.  True: it was the last, and there
 * are no new connections from here on (sock_refuse). */
bool listen_leave(struct listener *listener);

/* Give it back, after listen_leave.  With its last user it closes; a socket
 * that was passed to the daemon stays open, for a pool that may ask for it
 * again. */
void listen_put(struct listener *listener);

/*
 * Over an upgrade in place: append a record "listener" for each, their
 * descriptors staying open over exec(3); take over what such a record says,
 * as a listener that nobody holds yet; close those that nobody came for.
 */
void listen_hand_over(struct buf *out);
int listen_take_over(const struct record *record);
void listen_sweep(void);

#endif

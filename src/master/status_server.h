#ifndef MASTER_STATUS_SERVER_H
#define MASTER_STATUS_SERVER_H

/*
 * The process that answers at a pool's status_listen: one for each generation
 * that has such addresses, born as a worker is, but it loads no application,
 * is on no scoreboard but its own and is no worker to any policy.  It is
 * there whatever becomes of the workers, and leaves after the last of them.
 * Runs in the master; knows nothing of the pool but what it is given.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/backoff.h"
#include "master/listen_set.h"
#include "master/slot.h"

struct status_server { /* all zero: there is none to be */
	struct listen_set listens; /* of status_listen */
	struct board *board; /* its own: what it answers is not counted */
	struct slot slot;
	struct backoff backoff;
	bool fork_failed; /* and this has been said */
	void (*asked)(void *arg, struct slot *slot);
	void *arg;
};

struct status_server_order { /* what it is to show, and how to make it */
	const struct conf_pool *pool;
	const struct identity *identity;
	struct loop *loop;
	void (*asked)(void *arg, struct slot *slot); /* WORD_STATUS */
	void *arg;
};

/* Bind the addresses, if there are any.  0, or -1 and why; to be closed in
 * either case, the process being gone. */
int status_server_open(struct status_server *server,
    const struct conf_pool *pool, struct why *why);
void status_server_close(struct status_server *server);

/*
 * See that it is there if it is wanted, and leaves within its pool's
 * timeouts.stop if not.  Returns clock_ms() at which to look again, -1: no
 * need.
 */
int64_t status_server_step(struct status_server *server,
    const struct status_server_order *order, bool wanted, int64_t now);

/* Is there a process? */
bool status_server_lives(const struct status_server *server);

void status_server_kill(struct status_server *server);

/* Over an upgrade in place: append the fields of a record; become what such a
 * record says. */
void status_server_hand_over(const struct status_server *server,
    struct buf *out);
void status_server_take_over(struct status_server *server,
    const struct record *record, struct loop *loop, const char *pool);

/* A child ended.  False: it was another. */
bool status_server_reap(struct status_server *server, pid_t pid, int status);

#endif

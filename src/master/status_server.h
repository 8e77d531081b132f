#ifndef MASTER_STATUS_SERVER_H
#define MASTER_STATUS_SERVER_H

/*
 * The process that answers at a pool's status_listen: one for each generation
 * that has such addresses.  It is forked as a worker is, but loads no
 * application, has a scoreboard of its own and counts as a worker nowhere.  It
 * runs whatever becomes of the workers, until another generation has taken over
 * or the last worker is gone.  Runs in the master; knows nothing of the pool
 * but what it is given.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "master/backoff.h"
#include "master/listen_set.h"
#include "master/slot.h"

struct status_server { /* all zero: the pool has no status_listen */
	struct listen_set listens; /* of status_listen */
	struct board *board; /* its own: its answers are not counted */
	struct slot slot;
	struct backoff backoff;
	bool fork_failed; /* the last fork failed, which is logged */
	void (*asked)(void *arg, struct slot *slot);
	void *arg;
};

struct status_server_order { /* what status_server_step needs to fork it */
	const struct conf_pool *pool;
	const struct identity *identity;
	struct loop *loop;
	void (*asked)(void *arg, struct slot *slot); /* WORD_STATUS */
	void *arg;
};

/* Bind the addresses of status_listen, if any.  0, or -1 and why; to be closed
 * with status_server_close in either case, when the process is gone. */
int status_server_open(struct status_server *server,
    const struct conf_pool *pool, struct why *why);
void status_server_close(struct status_server *server);

/*
 * If the process is wanted, see that it runs; if not, have it leave within
 * timeouts.stop of the pool; kill it if it is overdue.  Returns clock_ms() at
 * which to call it again, -1: no need.
 */
int64_t status_server_step(struct status_server *server,
    const struct status_server_order *order, bool wanted, int64_t now);

/* True if there is a process. */
bool status_server_lives(const struct status_server *server);

/* Send KILL to it, if there is a process. */
void status_server_kill(struct status_server *server);

/* Over an upgrade in place: append the fields of a record; become what such a
 * record says. */
void status_server_hand_over(const struct status_server *server,
    struct buf *out);
void status_server_take_over(struct status_server *server,
    const struct record *record, struct loop *loop, const char *pool);

/* A child has ended, with that status as of wait(2), and is not yet waited for
 * (slot_ended).  False if it is not this process. */
bool status_server_reap(struct status_server *server, pid_t pid, int status);

#endif

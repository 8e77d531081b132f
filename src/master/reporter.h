#ifndef MASTER_REPORTER_H
#define MASTER_REPORTER_H

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
#include "master/inlet.h"
#include "master/slot.h"

struct reporter { /* all zero: there is none to be */
	struct inlet inlet; /* of status_listen */
	struct board *board; /* its own: what it answers is not counted */
	struct slot slot;
	struct backoff backoff;
	bool fork_failed; /* and this has been said */
	void (*asked)(void *arg, struct slot *slot);
	void *arg;
};

struct reporter_order { /* what it is to show, and how to make it */
	const struct conf_pool *pool;
	const struct identity *identity;
	struct loop *loop;
	void (*asked)(void *arg, struct slot *slot); /* WORD_STATUS */
	void *arg;
};

/* Bind the addresses, if there are any.  0, or -1 and why; to be closed in
 * either case, the process being gone. */
int reporter_open(struct reporter *reporter, const struct conf_pool *pool,
    struct why *why);
void reporter_close(struct reporter *reporter);

/*
 * See that it is there if it is wanted, and leaves within its pool's
 * timeouts.stop if not.  Returns clock_ms() at which to look again, -1: no
 * need.
 */
int64_t reporter_step(struct reporter *reporter,
    const struct reporter_order *order, bool wanted, int64_t now);

/* Is there a process? */
bool reporter_lives(const struct reporter *reporter);

void reporter_kill(struct reporter *reporter);

/* Over an upgrade in place: append the fields of a record; become what such a
 * record says. */
void reporter_hand_over(const struct reporter *reporter, struct buf *out);
void reporter_take_over(struct reporter *reporter,
    const struct record *record, struct loop *loop, const char *pool);

/* A child ended.  False: it was another. */
bool reporter_reap(struct reporter *reporter, pid_t pid, int status);

#endif

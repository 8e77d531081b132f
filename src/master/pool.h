#ifndef MASTER_POOL_H
#define MASTER_POOL_H

/*
 * One generation of a pool: its listeners, its scoreboard and its workers.
 * Forks and tells workers, hears them, judges how they end.  Everything is
 * allocated when it is made; a running pool allocates only what a fork needs.
 * Runs in the master; knows nothing of other pools, of signals or of reloads.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/loop.h"
#include "conf/conf.h"
#include "master/backoff.h"
#include "master/inlet.h"
#include "master/logs.h"
#include "master/quota.h"
#include "master/reporter.h"
#include "master/slot.h"
#include "share/birth.h"

struct pool_options {
	struct loop *loop;
	struct quota *quota; /* all pools share it */
};

struct pool {
	struct pool *next;	      /* the master's list */
	const struct conf_pool *conf; /* points into source */
	const struct conf *source;
	struct conf_workers workers; /* conf's, as an operator has scaled it */
	const struct pool_options *options;
	struct identity identity;
	struct inlet inlet;
	struct reporter reporter;
	struct logs logs;
	struct board *board;
	int64_t paused; /* clock_ms() until which no worker is asked to tell */
	bool told;	/* by a worker, that it is idle no more */
	unsigned asked; /* idle workers below which one tells */
	struct slot *slots; /* twice max: successors and steer.h need room */
	unsigned nslots;
	struct backoff backoff;
	struct loop_timer timer;
	int64_t idle_since; /* struct pm_view */
	unsigned wanted;    /* workers that pool_start asked for, */
	unsigned begun;	    /* of these have been forked */
	unsigned heirs;	    /* of these process_max holds up none */
	bool attention;	    /* something happened: a step is due */
	bool trial;	    /* it takes no connection, and whoever dies fails it:
			       pool_open or pool_drain ends that */
	bool kept;	    /* pool_keep: its exchange is another pool's */
	bool outdated;	    /* ORDER_ASK: a HUP would replace workers */
	bool draining;
	bool last;	    /* nobody takes over: the queues are to be emptied */
	int64_t drained;    /* clock_ms() by which it is to be empty */
	unsigned missing;   /* workers that died; the next are in their place */
	bool proven;	    /* a worker has been READY */
	bool failed;	    /* a worker died before it was READY */
	char reason[320];   /* of the first one; "" */
	bool fork_failed;   /* and this has been said */
	bool refused;	    /* a worker did not come up in place of one that
			       had been told by pool_hup */
	int64_t patience;   /* clock_ms() until which these are waited for */
};

/*
 * Bind its sockets, those in use as they are, and make its tables; no worker
 * yet.  `before`, if not NULL, is the generation that it is to replace.
 * options must outlive it.  NULL and why.
 */
struct pool *pool_new(const struct conf_pool *conf, const struct conf *source,
    const struct pool_options *options, const struct pool *before,
    struct why *why);

/* The same without sockets, scoreboard and logs, for who has them already
 * (an upgrade in place).  NULL: no memory. */
struct pool *pool_make(const struct conf_pool *conf,
    const struct conf *source, const struct pool_options *options,
    unsigned nslots);

/* What a worker of the pool (arg) has said: for slot_fork and
 * slot_take_over. */
void pool_heard(void *arg, struct slot *slot, enum birth_word word);

/* A process of the pool (arg) has asked for the status. */
void pool_send_status(void *arg, struct slot *slot);

/* Give everything back; there must be no worker left. */
void pool_free(struct pool *pool);

/* The first workers are to be forked, step by step: at least one for each of
 * `heirs` that they replace, and at least one, so that the application is seen
 * to load; if process_max leaves no room, only the heirs. */
void pool_start(struct pool *pool, unsigned heirs);

/* Every worker that pool_start asked for is up; one will not be. */
bool pool_complete(const struct pool *pool);
bool pool_fails(const struct pool *pool);

/* Workers in that state; the number of a slot. */
unsigned pool_count(const struct pool *pool, enum slot_state state);
unsigned pool_number(const struct pool *pool, const struct slot *slot);

/* More workers may load the application beside those that do. */
bool pool_may_load(struct pool *pool, int64_t now);

/* Fork some of those that pool_start asked for, as far as they may load.
 * False: more are to be forked later. */
bool pool_go_on(struct pool *pool, int64_t now);

/* Fork one worker; NULL if that failed (logged once) or there is no room
 * in the pool or over all pools. */
struct slot *pool_fork(struct pool *pool);

/* Is one on its way for it? */
bool pool_has_successor(const struct pool *pool, const struct slot *slot);

/* Fork successors for workers that have asked, as far as they may load.
 * Returns when to go on with it, -1: no need. */
int64_t pool_send_successors(struct pool *pool, int64_t now);

/* Ondemand: give the pool a step when a client waits, or stop doing so. */
void pool_watch(struct pool *pool, bool on);

/* Clients may wait for whom no worker is there (any more): fork one for them
 * if the pool is the last to serve them and still has the time. */
void pool_serve_last(struct pool *pool, int64_t now);

/*
 * Tell every worker to leave, and kill those still there after limit ms.
 * last: nobody takes over; no new connections, and what waits in the queues
 * is served first, by a new worker if need be.  May be called again with a shorter limit.
 */
void pool_drain(struct pool *pool, bool last, int64_t limit);

/* KILL every worker. */
void pool_kill(struct pool *pool);

/* No worker is left. */
bool pool_empty(const struct pool *pool);

#endif

#ifndef MASTER_POOL_HUP_H
#define MASTER_POOL_HUP_H

/*
 * The workers of a generation are asked what a HUP would make of them, and
 * told of it, and what comes of it: each restarts, or has a successor that
 * comes up or does not.  And what else a reload has them do.  Runs in the
 * master.
 */

#include "master/pool.h"

/* Ask every worker that is up, or about to be, whether it would stay:
 * pool->outdated says if not all would.  Who is busy until then (clock_ms())
 * is not waited for. */
void pool_ask(struct pool *pool, int64_t until);

/* Forward HUP to the same: who has loaded the application already finds it
 * once READY. */
void pool_hup(struct pool *pool, int64_t until);

/* Has come of the last of these what could?  One whose restart runs is waited
 * for, and a successor that starts. */
bool pool_obeyed(const struct pool *pool, int64_t now);

/* Another pool will have addresses of it: its workers are to finish what they
 * have heard something of, and hand over the rest.  Before pool_drain. */
void pool_keep(struct pool *pool);

/* The trial is over: its workers take connections. */
void pool_open(struct pool *pool);


#endif

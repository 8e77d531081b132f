#ifndef MASTER_POOL_HUP_H
#define MASTER_POOL_HUP_H

/*
 * The workers of a generation are told of a HUP, and what comes of it: each
 * restarts, or has a successor that comes up or does not.  Runs in the master.
 */

#include "master/pool.h"

/* Forward HUP to every worker that is up, or about to be: who has loaded the
 * application already finds it once READY. */
void pool_hup(struct pool *pool);

/*
 * Has come of the last one what could?  A worker that is busy, and does not say
 * a word for some seconds, is not waited for; one whose restart runs is, and a
 * successor that starts.
 */
bool pool_obeyed(const struct pool *pool, int64_t now);

#endif

#ifndef MASTER_POOL_STEP_H
#define MASTER_POOL_STEP_H

/*
 * What a pool does when something has happened: kill who is overdue, look,
 * let the policy (pm.h) decide, carry it out, set the timer for what is due
 * next.  Runs in the master.
 */

#include "master/pool.h"

/* To be called whenever pool->attention is set, after all children are
 * reaped; clears it. */
void pool_step(struct pool *pool);

#endif

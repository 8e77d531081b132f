#ifndef MASTER_POOL_REAP_H
#define MASTER_POOL_REAP_H

/*
 * How workers end: whose child it was, what its end says about the pool, and
 * what that means for back-off.  Runs in the master.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "master/pool.h"

/* A child ended.  False: it is none of this pool's. */
bool pool_reap(struct pool *pool, pid_t pid, int status);

#endif

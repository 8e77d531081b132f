#ifndef MASTER_POOL_HANDOVER_H
#define MASTER_POOL_HANDOVER_H

/*
 * One generation of a pool as a record (record.h), for the image of the daemon
 * that follows this one in the same process, and back again.  Runs in the
 * master.
 */

#include "master/pool.h"
#include "share/record.h"

/* Append the fields of a record; source is the number of the configuration
 * that the pool points into.  Descriptors stay open over exec(3) from here
 * on. */
void pool_hand_over(const struct pool *pool, int64_t source, struct buf *out);

/* The number of that configuration. */
int64_t pool_handover_source(const struct record *record);

/*
 * The generation that a record tells of, its workers included.  NULL and why;
 * then its workers have lost their master, and leave by themselves once they
 * have finished.
 */
struct pool *pool_take_over(const struct record *record,
    const struct conf *source, const struct pool_options *options,
    struct why *why);

#endif

#ifndef IPC_POOL_RECORD_H
#define IPC_POOL_RECORD_H

/*
 * The configuration of one pool as records (record.h), by the table of keys:
 * what a process of that pool is born with.  Pure.
 */

#include "conf/conf.h"
#include "ipc/record.h"

/* Append every key of the pool, `own` in the place of its environment. */
void pool_record_put(const struct conf_pool *pool,
    const struct conf_list *own, struct buf *out);

/* A configuration with the one pool that such records tell of; what is not
 * known is skipped, what is not there has its default.  To be freed with
 * conf_free; NULL: no memory. */
struct conf *pool_record_get(const struct record *record);

#endif

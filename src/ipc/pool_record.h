#ifndef IPC_POOL_RECORD_H
#define IPC_POOL_RECORD_H

/*
 * The configuration of one pool as records (record.h), by the table of keys, as
 * a new process of the pool gets it.  Pure.
 */

#include "conf/conf.h"
#include "ipc/record.h"

/* Append every key of the pool, with `own` (variables_own) in the place of its
 * environment. */
void pool_record_put(const struct conf_pool *pool,
    const struct conf_list *own, struct buf *out);

/* Make a configuration of one pool from the records in the value of `record`.
 * Unknown records are skipped, missing keys have their defaults.  To be freed
 * with conf_free.  NULL: no memory, or the pool has no name. */
struct conf *pool_record_get(const struct record *record);

#endif

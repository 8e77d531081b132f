#ifndef CTL_FPM_FPM_VIEW_H
#define CTL_FPM_FPM_VIEW_H

/*
 * Which parts of a status are shown, and in which order, by lua-fpmctl's
 * status, workers, timers and top.  Pure.
 */

#include "ctl/fpm/fpm_status.h"
#include "ctl/fpm/fpm_table.h"

enum view_order { BY_TIME, BY_REQUESTS, BY_HEAP, BY_RSS, BY_PID };

/* Format one line about the daemon. */
void view_daemon(const struct fpm_status *status, char *out, size_t size);

/*
 * Make a table with a row for each pool, or only for the one with that name
 * (pool, else NULL).  before is the status of `seconds` ago, for rates; NULL:
 * rates since the pool began.
 */
void view_pools(const struct fpm_status *status, const char *pool,
    const struct fpm_status *before, double seconds, struct table *table);

/* The same for the WebSockets of each pool that has some.  view_has_sockets:
 * true if there is such a pool. */
void view_sockets(const struct fpm_status *status, const char *pool,
    const struct fpm_status *before, double seconds, struct table *table);
bool view_has_sockets(const struct fpm_status *status, const char *pool);

/* Make a table with a row for each worker, or only for those of one pool, by
 * `order`: the greatest first, BY_PID the smallest first, BY_TIME busy workers
 * before others.  Sorts status->workers. */
void view_workers(struct fpm_status *status, const char *pool,
    enum view_order order, struct table *table);

/* Make a table with a row for each timer, or only for those of one pool.  now:
 * seconds since 1970. */
void view_timers(const struct fpm_status *status, const char *pool,
    int64_t now, struct table *table);

/* True if there is a pool with that name. */
bool view_has_pool(const struct fpm_status *status, const char *name);

#endif

#ifndef CTL_FPM_FPM_VIEW_H
#define CTL_FPM_FPM_VIEW_H

/*
 * What of a status is shown, and in which order: for lua-fpmctl's status,
 * workers and top alike.  Pure; knows neither the socket nor the screen.
 */

#include "ctl/fpm/fpm_status.h"
#include "ctl/fpm/fpm_table.h"

enum view_order { BY_TIME, BY_REQUESTS, BY_HEAP, BY_RSS, BY_PID };

/* One line about the daemon. */
void view_daemon(const struct fpm_status *status, char *out, size_t size);

/*
 * A row for every pool, or for the one of that name.  before: an earlier
 * status, from `seconds` ago, which gives rates; NULL: none.
 */
void view_pools(const struct fpm_status *status, const char *pool,
    const struct fpm_status *before, double seconds, struct table *table);

/* A row for every worker, or for those of one pool: first who is busy, then by
 * `order`, the greatest first (pids: the smallest). */
void view_workers(struct fpm_status *status, const char *pool,
    enum view_order order, struct table *table);

/* Is there a pool of that name? */
bool view_has_pool(const struct fpm_status *status, const char *name);

#endif

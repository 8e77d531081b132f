#ifndef CONF_CONF_DIFF_H
#define CONF_CONF_DIFF_H

/*
 * Compare two configurations: what a reload does to each pool.  Pure: reads
 * only its arguments.
 */

#include "conf/conf.h"

enum diff_verb {
	DIFF_KEEP,    /* nothing changed: forward HUP */
	DIFF_TUNE,    /* only keys changed that the master applies in place */
	DIFF_REPLACE, /* new workers first, then the old ones drain */
	DIFF_ADD,     /* a new pool */
	DIFF_DROP     /* a pool that is gone: drain */
};

struct diff_step {
	enum diff_verb verb;
	const struct conf_pool *before; /* NULL for ADD */
	const struct conf_pool *after;	/* NULL for DROP */
};

/*
 * Returns the plan: *n steps, one for each pool of either configuration, drops
 * last.  The caller frees it with free(3); it points into both configurations.
 * NULL with *n == 0 if memory ran out or neither has a pool.
 */
struct diff_step *conf_diff(const struct conf *before,
    const struct conf *after, size_t *n);

/* The name of a pool other than `pool`, or of a key above the pools, that is
 * not the same in both, or that only one has; NULL if there is none. */
const char *conf_diff_besides(const struct conf *before,
    const struct conf *after, const char *pool);

#endif

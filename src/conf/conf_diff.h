#ifndef CONF_CONF_DIFF_H
#define CONF_CONF_DIFF_H

/*
 * Old configuration x new configuration -> what a reload does to each pool.
 * Pure: reads only its arguments.
 */

#include "conf/conf.h"

enum diff_verb {
	DIFF_KEEP,    /* nothing changed: forward HUP */
	DIFF_TUNE,    /* only what the master applies in place */
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
 * The plan, a step for every pool of either side, drops last; *n their
 * number.  To be freed with free(3); it points into both configurations.
 * NULL with *n == 0 if memory ran out or there is no pool on either side.
 */
struct diff_step *conf_diff(const struct conf *before,
    const struct conf *after, size_t *n);

#endif

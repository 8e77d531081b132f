#ifndef MASTER_CHANGES_H
#define MASTER_CHANGES_H

/*
 * What a new configuration makes of each pool that serves, and what has come
 * of it so far.  Runs in the master; decides nothing.
 */

#include "conf/conf_diff.h"
#include "master/pools.h"

struct change {
	enum diff_verb verb;
	const struct conf_pool *after; /* NULL: the pool goes */
	struct pool *old;	       /* NULL: it is new */
	struct pool *made;	       /* on trial; NULL: none */
};

struct changes { /* all zero: none */
	struct change *item;
	size_t n;
};

/* From what serves to conf, which outlives it; `all`: every pool gets new
 * workers.  A pool that is out of service is left out.  0 or -1 (memory). */
int changes_plan(struct changes *changes, const struct pools *pools,
    const struct conf *conf, bool all);
void changes_free(struct changes *changes);

#endif

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
	struct generation *old;	       /* NULL: it is new */
	struct generation *made;	       /* on trial; NULL: none */
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

/*
 * Connections follow their addresses: a generation that takes all that lives on
 * of another's has its exchange, so that what is handed over there reaches it.
 * After those on trial were made and before they have workers.  0, or -1 with
 * errno.
 */
int changes_connect(struct changes *changes);

/* Who has addresses of `old`, or is to have its connections; the same for
 * all: *several is false.  NULL: nobody. */
struct generation *changes_heir(const struct changes *changes,
    const struct change *change, bool *several);

/*
 * Begin to forward what old generations will hand over whose exchange has not
 * become that of their one heir.  As long as they serve, they read it as well.
 * 0, or -1 with errno, and listen_set_unforward ends it.
 */
int changes_forward(const struct changes *changes, struct loop *loop);

#endif

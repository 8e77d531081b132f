#ifndef MASTER_CHANGES_H
#define MASTER_CHANGES_H

/*
 * The changes that a new configuration makes to the pools: for each pool what
 * is to be done (conf/conf_diff.h), the generation that serves and the one that
 * is made for it.  Runs in the master; the decision is reload.h's.
 */

#include "conf/conf_diff.h"
#include "master/pools.h"

struct change {
	enum diff_verb verb;
	const struct conf_pool *after; /* NULL: the pool is dropped */
	struct generation *old;	       /* NULL: the pool is new */
	struct generation *made;	       /* on trial; NULL: none */
	/* Of changes_connect and changes_forward: */
	struct change *heir; /* whose `made` gets the connections of `old`: the
				one that has the first of its addresses to
				remain, or this one if none remains; NULL: there
				is no such generation */
	bool several;	     /* its addresses go to more than one */
	const struct change *from; /* whose `old` gives its exchange to `made`;
				      NULL: none */
};

struct changes { /* all zero: no changes */
	struct change *item;
	size_t n;
};

/* Plan the changes from what serves to conf, which has to outlive them; with
 * `all` every pool gets new workers; `only`: the name of the one pool that is
 * looked at, NULL for all.  A pool that is out of service (pools_park) is left
 * out.  0, or -1 if memory ran out; to be freed with
 * changes_free. */
int changes_plan(struct changes *changes, const struct pools *pools,
    const struct conf *conf, bool all, const char *only);
void changes_free(struct changes *changes);

/*
 * Connections follow their addresses.  If all addresses of an old generation
 * that remain go to one new generation, that gets its exchange, so that
 * connections handed over there reach it; other new generations get an exchange
 * of their own.  To be called after the new generations are made and before
 * their first fork.  0, or -1 with errno.
 */
int changes_connect(struct changes *changes);

/*
 * Begin to forward (listen_set_forward) what the workers of each leaving
 * generation will hand over, unless its heir has its exchange already.  While
 * the old generation serves, its own workers read the exchange as well.  0, or
 * -1 with errno; generation_rewatch ends it, after a failure too.
 */
int changes_forward(struct changes *changes, struct loop *loop);

#endif

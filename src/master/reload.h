#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

/*
 * HUP: read the configuration again and carry out the plan that conf_diff
 * makes of it, the new before the old.  What does not work out changes
 * nothing.  Runs in the master.
 */

#include <stdbool.h>

#include "master/pools.h"

/* Does what was read ask for something that will not be done?  Every fault is
 * noted.  For the first configuration as for every later one. */
bool reload_refuses(const struct conf *conf, bool allow_root,
    struct conf_faults *faults);

/*
 * Read `file` and begin.  -1: it is bad, or an address cannot be bound; every
 * fault is logged and nothing has changed.  0: under way; the newest of
 * pools->sources is the new configuration.  pools->trouble is of this reload
 * from now on.
 */
int reload_begin(struct pools *pools, const char *file, bool allow_root);

/*
 * Begin with a configuration that has been read and judged.  all: every pool
 * gets new workers, changed or not (an upgrade in place).  0: under way, and
 * conf is taken over.  -1: as above, and conf stays the caller's.
 */
int reload_apply(struct pools *pools, struct conf *conf, bool all);

/* Go on after something has happened: generations that are complete take
 * over, those that failed are given up.  True: nothing is left to do. */
bool reload_done(struct pools *pools);

#endif

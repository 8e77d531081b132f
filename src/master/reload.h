#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

/*
 * HUP: read the configuration again and put it into force, as one transaction
 * over the whole daemon.  First everything is opened, bound and loaded beside
 * what serves: log, control socket, new addresses, a new generation of each
 * pool that needs one, which takes no connection yet.  A pool that has not
 * changed is asked whether its workers' files have.  When all are up, it is
 * committed: sockets take on their new rights, which is undone if it fails;
 * after that nothing can fail, the new generations open their doors and the
 * old ones leave.  If anything fails before, all that is new goes, and nothing
 * that serves has been touched.  Runs in the master.
 */

#include <stdbool.h>

#include "master/pools.h"

/* Does what was read ask for something that will not be done?  Every fault is
 * noted.  For the first configuration as for every later one. */
bool reload_refuses(const struct conf *conf, bool allow_root,
    struct conf_faults *faults);

/*
 * Read `file` and begin; NULL: the configuration in force is to be applied
 * anew.  0: under way; -1: refused, which is logged as every fault is.
 * pools->outcome is of this reload from now on.
 */
int reload_begin(struct pools *pools, const char *file, bool allow_root);

/* Begin with a configuration that has been read and judged, which is taken
 * over (NULL: there is none), after an upgrade in place: every pool gets new
 * workers.  As above. */
int reload_apply(struct pools *pools, struct conf *conf);

/* Go on after something has happened.  True: it is committed, or refused, and
 * nothing is left to do. */
bool reload_done(struct pools *pools);

/* The daemon stops: nothing will be decided any more. */
void reload_cancel(void);

#endif

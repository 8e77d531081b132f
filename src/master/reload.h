#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

/*
 * HUP: read the configuration again and put it into force, as one transaction
 * over the whole daemon.  First everything is opened, bound and loaded beside
 * what serves: error log, control socket, new addresses, and a new generation
 * of each pool that needs one, which takes no connection yet.  The workers of a
 * pool that has not changed are asked whether their files have.  When all are
 * up, the reload is committed: sockets get their new rights, which is undone if
 * it fails; after that nothing can fail, the new generations take connections
 * and the old ones leave.  If anything fails before, all that is new goes, and
 * nothing that serves has been touched.  Runs in the master.
 */

#include <stdbool.h>

#include "master/pools.h"

/* True, with a fault noted for each, if a configuration asks for something that
 * the daemon does not do (pools as root, addresses, error log).  For the first
 * configuration as for every later one. */
bool reload_refuses(const struct conf *conf, bool allow_root,
    struct conf_faults *faults);

/*
 * Read `file` and begin a reload; NULL: apply the configuration in force anew.
 * only: the one pool that it is about, NULL for the daemon as a whole; no other
 * pool is touched or asked then, and the file may change nothing else.
 * 0: under way; -1: refused, and every fault is logged.  pools->outcome is
 * about this reload from here on.
 */
int reload_begin(struct pools *pools, const char *file, bool allow_root,
    const char *only);

/* Begin after an upgrade in place, with a configuration that was read and
 * judged, and is taken over (NULL: it cannot be read, and is refused): every
 * pool gets new workers.  Returns as reload_begin. */
int reload_apply(struct pools *pools, struct conf *conf);

/* Go on after something has happened.  True if the reload is over: committed or
 * refused, and no worker is waited for any more. */
bool reload_done(struct pools *pools);

/* What to say of the last reload if it was refused, else NULL. */
const char *reload_refusal(void);

/* The daemon stops: a reload that is under way is not decided any more. */
void reload_cancel(void);

#endif

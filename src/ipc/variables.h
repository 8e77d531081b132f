#ifndef IPC_VARIABLES_H
#define IPC_VARIABLES_H

/*
 * What of the master's environment a pool gets: all of it, or a few of it,
 * and what its `environment` names as "${NAME}".  Runs where that environment
 * is: in the master, in -t, and in a worker without a master.
 */

#include "conf/conf.h"

/* The variables that it inherits, "NAME=value"; 0, or -1 (memory), and the
 * list is to be given back in either case. */
int variables_inherited(const struct conf_pool *pool, struct conf_list *out);

/* Its own, "${NAME}" replaced; what the master has not got is left out. */
int variables_own(const struct conf_pool *pool, struct conf_list *out);

#endif

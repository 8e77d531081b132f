#ifndef IPC_VARIABLES_H
#define IPC_VARIABLES_H

/*
 * The environment of a pool's processes: the variables that the pool inherits
 * from the master, and its own, whose value may be a variable of the master,
 * "${NAME}".  Runs in the process that has that environment: the master, -t,
 * or a worker without a master.
 */

#include "conf/conf.h"

/* Append the variables that the pool inherits, as "NAME=value": all, or with
 * clear_environment PATH, LANG, LC_ALL and TZ.  0, or -1 (memory); the caller
 * frees the list in either case. */
int variables_inherited(const struct conf_pool *pool, struct conf_list *out);

/* Append the pool's own, with "${NAME}" replaced; one that the master does not
 * have is left out.  Returns as above. */
int variables_own(const struct conf_pool *pool, struct conf_list *out);

#endif

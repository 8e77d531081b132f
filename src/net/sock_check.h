#ifndef NET_SOCK_CHECK_H
#define NET_SOCK_CHECK_H

/* What the floor of the configuration cannot know of an address: whether it
 * is one, and whether it can have an access control list.  Runs in the master
 * and in -t. */

#include <stdbool.h>

#include "conf/conf.h"

/* True, with a fault noted for each, if an address of a pool is none, or the
 * same as another's, that of the control socket included, though it is written
 * in another way, or if one of them takes in the other; or if there is to be a
 * list and cannot be. */
bool sock_check(const struct conf *conf, struct conf_faults *faults);

#endif

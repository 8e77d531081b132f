#ifndef NET_SOCK_CHECK_H
#define NET_SOCK_CHECK_H

/* Check the addresses in a configuration, for which conf_check has no means:
 * their form, overlaps, and access control lists.  Runs in the master and in
 * -t. */

#include <stdbool.h>

#include "conf/conf.h"

/* True if there are faults, which are appended: an address that is not valid;
 * two addresses of pools or of the control socket that are the same, however
 * they are written, or overlap (sock_overlap); a list without libacl. */
bool sock_check(const struct conf *conf, struct conf_faults *faults);

#endif

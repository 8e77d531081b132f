#ifndef CONF_CONF_ROOT_H
#define CONF_CONF_ROOT_H

/* No application runs as root unless the daemon is started with -R.  Runs in
 * the master and in -t. */

#include <stdbool.h>

#include "conf/conf.h"

/* True if pools would run as root although that is not allowed; a fault is
 * appended for each of them. */
bool conf_refuse_root(const struct conf *conf, bool allowed,
    struct conf_faults *faults);

#endif

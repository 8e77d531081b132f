#ifndef CONF_CONF_ROOT_H
#define CONF_CONF_ROOT_H

/* No application runs as root unless the person who starts the daemon said so
 * (-R).  Runs in the master and in -t. */

#include <stdbool.h>

#include "conf/conf.h"

/* True, with a fault noted for each, if pools of conf would run as root and
 * that is not allowed. */
bool conf_refuse_root(const struct conf *conf, bool allowed,
    struct conf_faults *faults);

#endif

#ifndef MASTER_CHECK_H
#define MASTER_CHECK_H

/*
 * -t: would a daemon with this configuration come up?  What a start makes is
 * tried, and nothing is made.  (Logs: ipc/sink.h.)  What the running daemon
 * holds, which pid_file names or, without one, the control socket leads to,
 * counts as free, since it is that daemon which is to have the configuration.
 */

#include <stdbool.h>

#include "conf/conf.h"

/* Who knows better which daemon it is says so here, in the environment: one that
 * tries another binary, and the service when it reloads. */
#define CHECK_DAEMON "LUA_FPM_DAEMON"

/* True, with a fault noted for each, if the pid file, the control socket or
 * the address of a pool cannot be had.  `file` is the configuration's. */
bool check_start(const struct conf *conf, const char *file,
    struct conf_faults *faults);

#endif

#ifndef MASTER_CHECK_H
#define MASTER_CHECK_H

/*
 * -t: find out whether a daemon with this configuration would come up.  All
 * that a start creates is tried without creating it.  What the running daemon
 * holds counts as free, since that daemon is to get the configuration; it is
 * the process that pid_file names or, without pid_file, the one that listens on
 * the control socket.
 */

#include <stdbool.h>

#include "conf/conf.h"

/* An environment variable with the pid of the running daemon, which is then not
 * searched for.  Set by the probe of an upgrade and by the service when it
 * reloads. */
#define CHECK_DAEMON "LUA_FPM_DAEMON"

/* True, with a fault noted for each, if the pid file, the control socket, a log
 * of a pool (ipc/sink.h) or an address of a pool cannot be had.  `file` is the
 * configuration's name in faults.  CHECK_DAEMON is removed from the
 * environment. */
bool check_start(const struct conf *conf, const char *file,
    struct conf_faults *faults);

#endif

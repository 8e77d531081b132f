#ifndef WORKER_PROCESS_STANDALONE_H
#define WORKER_PROCESS_STANDALONE_H

/*
 * One worker without a master, the listening socket on descriptor 0, as
 * spawn-fcgi(1), lighttpd's bin-path and mod_fcgid start it.
 */

#include "conf/conf_single.h"

/* Serve the application until told to leave.  Once it has served
 * workers.max_requests, or its Lua heap has reached limits.memory, the process
 * executes its image again, with argv and the environment of now.  Exit codes:
 * those of worker_main; 64 (EX_USAGE) if descriptor 0 is not a listening
 * socket; 78 (EX_CONFIG) if a setting has a bad value. */
_Noreturn void standalone_main(const struct conf_single *single,
    char *const *argv);

#endif

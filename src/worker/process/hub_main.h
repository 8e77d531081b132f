#ifndef WORKER_PROCESS_HUB_MAIN_H
#define WORKER_PROCESS_HUB_MAIN_H

/*
 * The process that owns the WebSockets of a pool, WORKER_KIND_HUB: it takes the
 * user of the pool, and runs hub/hub.h with what the pool's configuration says
 * until the master tells it to leave, or is gone.
 */

#include "ipc/worker_args.h"

_Noreturn void hub_main(const struct worker_args *args);

#endif

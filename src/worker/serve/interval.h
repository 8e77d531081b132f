#ifndef WORKER_SERVE_INTERVAL_H
#define WORKER_SERVE_INTERVAL_H

/*
 * One run of a timer: app.interval, its state on the board, its end told to the
 * master.  Runs in the process for timers.
 */

#include "ipc/worker_args.h"
#include "worker/lua/lua_app.h"

/* Call app.interval with that name, and say how it ended: WORD_RAN,
 * WORD_RUN_FAILED or WORD_RUN_LATE.  Asks for a successor as after a request. */
void interval_run(const struct worker_args *args, struct lua_app *app,
    const char *timer);

#endif

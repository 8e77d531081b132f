#ifndef WORKER_SERVE_ACCESS_LOG_H
#define WORKER_SERVE_ACCESS_LOG_H

/*
 * The access log of a pool: a line for every request that is over.  To a file
 * they go many at a time, within ACCESS_LOG_DELAY; none is lost with the
 * worker (spool.h).  Runs in the worker; access_log_end beside the thread
 * that serves if that is stuck, which then does not come here any more.
 */

#include <stdint.h>

#include "ipc/worker_args.h"
#include "worker/lua/lua_app.h"
#include "worker/serve/request.h"

#define ACCESS_LOG_DELAY 50 /* ms */

/* Once, when the application has started.  0, or -1 with errno. */
int access_log_init(const struct worker_args *args, const struct lua_app *app);

/* A request begins. */
void access_log_begin(struct request *request);

enum access_late { /* was it stopped by timeouts.request? */
	LATE_NOT,
	LATE_STOPPED,
	LATE_STUCK /* it would not be: the process ends with it */
};

/* It is over, at clock_us() now; its parameters are still there. */
void access_log_end(const struct request *request, int64_t now,
    enum access_late late);

/* When lines are due (clock_ms()), -1: none is; write them then. */
int64_t access_log_due(void);
void access_log_tick(int64_t now);

/* Write all lines: the log changes, or the worker leaves. */
void access_log_flush(void);

/* The same beside the thread that serves, while a request is running. */
void access_log_push(void);

#endif

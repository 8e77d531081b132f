#ifndef WORKER_SERVE_ACCESS_LOG_H
#define WORKER_SERVE_ACCESS_LOG_H

/*
 * The access log of a pool: a line for every request that is over.  Lines for
 * a file are written many at a time, at most ACCESS_LOG_DELAY late; none is
 * lost if the worker dies (spool.h).  Runs in the main thread of the worker.
 * The guard of watchdog.h calls access_log_push, and access_log_end for a
 * request that is stuck, after which the main thread does not return here.
 */

#include <stdint.h>

#include "ipc/worker_args.h"
#include "worker/lua/lua_app.h"
#include "worker/serve/request.h"

#define ACCESS_LOG_DELAY 50 /* ms */

/* Once, when the application has started.  0, or -1 with errno. */
int access_log_init(const struct worker_args *args, const struct lua_app *app);

/* A request begins: note what its line will need (processor time), and set
 * request->timed if the line has the time of the head. */
void access_log_begin(struct request *request);

enum access_late { /* was the request beyond a limit? */
	LATE_NOT,
	LATE_QUEUED,  /* timeouts.queue: it did not run */
	LATE_STOPPED, /* timeouts.request */
	LATE_STUCK    /* it cannot be stopped: the process ends with it */
};

/* The request is over, at clock_us() now: add its line.  Its parameters must
 * still be valid. */
void access_log_end(const struct request *request, int64_t now,
    enum access_late late);

/* clock_ms() at which pending lines are due, -1 if none is pending.
 * access_log_tick writes them if they are due by `now`. */
int64_t access_log_due(void);
void access_log_tick(int64_t now);

/* Write all pending lines: before the log changes, and before the worker
 * leaves.  Lines that the log does not take are lost. */
void access_log_flush(void);

/* For the guard, while a request is running: write the pending lines; those
 * that the log does not take stay pending. */
void access_log_push(void);

#endif

#ifndef WORKER_PROCESS_VITALS_H
#define WORKER_PROCESS_VITALS_H

/*
 * The descriptors that a worker cannot do without.  An application may close
 * them by mistake, through a C library that closes descriptors it does not
 * know.  Runs in the worker.
 */

#include <stdbool.h>

#include "ipc/worker_args.h"

/* Once, before the guard of watchdog.h starts: note the descriptors of args,
 * the wait set and the descriptor of signals (poller.h).  0, or -1 with
 * errno. */
int vitals_init(const struct worker_args *args, int wait_set, int signals);

/* Look at all of them: the name of the first that is not what it was, NULL if
 * all are. */
const char *vitals_lost(void);

/* Note that the one of that name, which is not copied, is lost; from any
 * thread. */
void vitals_lose(const char *name);

/* The name that was noted first, NULL if none was; from any thread. */
const char *vitals_found(void);

/* watchdog_options.check: note one that is lost and interrupt the wait of the
 * main thread.  True if one is lost: to be called again, since the main thread
 * may not have been waiting yet. */
bool vitals_check(void);

#endif

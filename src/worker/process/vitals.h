#ifndef WORKER_PROCESS_VITALS_H
#define WORKER_PROCESS_VITALS_H

/*
 * The descriptors that a worker cannot do without: an application may close
 * them by mistake, through a C library that closes what it does not know.
 * Runs in the worker.
 */

#include <stdbool.h>

#include "ipc/worker_args.h"

/* What the worker was born with, and what it waits with; before the guard
 * starts.  0, or -1 with errno. */
int vitals_init(const struct worker_args *args, int wait_set, int signals);

/* The name of one that is no longer what it was, NULL if all are well. */
const char *vitals_lost(void);

/* That one is lost, by name.  The first that was found so, NULL: none yet. */
void vitals_lose(const char *name);
const char *vitals_found(void);

/* For watchdog_options: look whether one is lost.  Then the main thread is
 * woken, and once more later, as it may be about to sleep. */
bool vitals_check(void);

#endif

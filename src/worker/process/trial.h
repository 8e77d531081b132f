#ifndef WORKER_PROCESS_TRIAL_H
#define WORKER_PROCESS_TRIAL_H

/*
 * The part of -t that loads the application of every pool, each in a throw-away
 * process as that pool's user.  The process and its group end when it is done,
 * or when the process of -t dies.  trial_run runs in the process of -t,
 * trial_main in the throw-away one.
 */

#include <stdio.h>

#include "conf/conf.h"
#include "ipc/worker_args.h"

/* Load the application of every pool, one after the other, each within its
 * timeouts.start.  Writes to out what they print, escaped (base/escape.h), and
 * a line `FILE:LINE: reason` for each that fails.  Returns how many failed. */
unsigned trial_run(const struct conf *conf, FILE *out);

/* Become the pool's user, load the application and exit: with 0, or with 1
 * after the reason has been written to args->channel as text. */
void trial_main(const struct worker_args *args) __attribute__((noreturn));

#endif

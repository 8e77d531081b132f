#ifndef WORKER_PROCESS_TRIAL_H
#define WORKER_PROCESS_TRIAL_H

/*
 * -t: does every pool's application load?  Each is loaded in a throw-away
 * process as that pool's user, so that nothing it does stays: what it has
 * started ends with it, or with the configuration test, in which alone this
 * runs.
 */

#include <stdio.h>

#include "conf/conf.h"
#include "ipc/worker_args.h"

/* Load the application of every pool, one after the other, each within its
 * timeouts.start; write `FILE:LINE: what` to out for each that does not, and
 * what they print meanwhile, fit to be shown (base/escape.h).  Returns how many
 * did not. */
unsigned trial_run(const struct conf *conf, FILE *out);

/* Such a process: become the pool's user and load the application.  What is
 * wrong goes to the channel as text; then the exit code is 1. */
void trial_main(const struct worker_args *args) __attribute__((noreturn));

#endif

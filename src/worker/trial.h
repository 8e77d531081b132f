#ifndef WORKER_TRIAL_H
#define WORKER_TRIAL_H

/*
 * -t: does every pool's application load?  Each is loaded in a throw-away
 * process as that pool's user, so that nothing it does stays.  Runs in the
 * configuration test only.
 */

#include <stdio.h>

#include "conf/conf.h"

/* Load the application of every pool, one after the other, each within its
 * timeouts.start; write `FILE:LINE: what` to out for each that does not, and
 * what they print meanwhile, fit to be shown (base/show.h).  Returns how many
 * did not. */
unsigned trial_run(const struct conf *conf, FILE *out);

#endif

#ifndef CTL_FPM_FPM_TOP_H
#define CTL_FPM_FPM_TOP_H

/*
 * The live view: pools and workers on a terminal (by ncurses, whose only
 * includer this is) until the user quits.  Asks for a status again and again,
 * by a function that it is handed.
 */

#include "ctl/fpm/fpm_status.h"

/*
 * Run.  pool: to begin with, NULL: all.  look: a new status, which is top's to
 * free, or -1 and why: the daemon is not there now, which may pass.  Returns
 * once the user quits, or -1: this is no terminal that can be drawn on.
 */
int fpm_top(const char *pool, int (*look)(struct fpm_status *status,
    struct why *why));

#endif

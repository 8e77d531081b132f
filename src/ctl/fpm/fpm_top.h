#ifndef CTL_FPM_FPM_TOP_H
#define CTL_FPM_FPM_TOP_H

/*
 * The live view: pools and workers on a terminal until the user quits.  It gets
 * a new status every second from a function of the caller.  Only fpm_top.c uses
 * ncurses.
 */

#include "ctl/fpm/fpm_status.h"

/*
 * Run the view, first of one pool (NULL: of all).  look sets a new status,
 * which fpm_top frees, and returns 0; or -1 and why, if the daemon does not
 * answer now.  0 when the user quits; -1: the terminal cannot be drawn on.
 */
int fpm_top(const char *pool, int (*look)(struct fpm_status *status,
    struct why *why));

#endif

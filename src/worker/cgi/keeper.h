#ifndef WORKER_CGI_KEEPER_H
#define WORKER_CGI_KEEPER_H

/*
 * A process beside the worker, which kills the process group of the present CGI
 * program if the worker ends in the middle of a request, however it ends
 * (SIGKILL).  The program itself is killed by the kernel then
 * (PR_SET_PDEATHSIG), but not what it has forked, and the group of the worker,
 * which the master kills, is another one.  It sleeps until then.
 */

#include <stdatomic.h>

/* Once, in the worker: start it.  The place of the process group's number, 0 if
 * there is none: the program stores it itself, so that there is no moment in
 * which it is not known.  NULL with errno if that failed. */
atomic_int *keeper_start(void);

#endif

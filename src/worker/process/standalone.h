#ifndef WORKER_PROCESS_STANDALONE_H
#define WORKER_PROCESS_STANDALONE_H

/*
 * One worker without a master, the listening socket on descriptor 0, as
 * spawn-fcgi(1), lighttpd's bin-path and mod_fcgid start it.
 */

/* Serve the application file `app` until told to leave.  Exit codes: those of
 * worker_main; 64 (EX_USAGE) if descriptor 0 is not a listening socket. */
_Noreturn void standalone_main(const char *app);

#endif

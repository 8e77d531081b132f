#ifndef WORKER_PROCESS_STANDALONE_H
#define WORKER_PROCESS_STANDALONE_H

/*
 * One worker without a master, the listening socket on descriptor 0, as
 * spawn-fcgi(1), lighttpd's bin-path and mod_fcgid start it.
 */

/* Serves `app` until told to leave; exits as worker_main does.  64 if
 * descriptor 0 is no listening socket. */
_Noreturn void standalone_main(const char *app);

#endif

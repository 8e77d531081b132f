#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

/*
 * The master: binds the sockets, keeps the pools, obeys signals.  The wiring
 * of everything in this directory; knows workers only as processes.
 */

#include <stdbool.h>

#include "base/why.h"
#include "conf/conf.h"

struct master_options {
	const char *file;  /* configuration, read again on HUP; NULL: none */
	bool daemonize;	   /* detach once every pool is up */
	bool allow_root;   /* pools may run as root */
	char **argv;	   /* as started: USR2 starts the binary on disk so */
};

/* Was this image executed by another one that has workers (an upgrade in
 * place)?  -1 and why: the environment says so, but it was not.  To be asked
 * first, and once. */
int master_succeeds(struct why *why);

/*
 * Run until stopped.  Takes conf over; NULL, if master_succeeds, leaves in
 * force what was.  Returns the exit code: 0, 70 if no pool could be brought
 * up, 71 for the system's refusals (sockets, pid file), 78 for the
 * configuration.
 */
int master_run(struct conf *conf, const struct master_options *options);

#endif

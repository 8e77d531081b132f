#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

/*
 * The master: binds the sockets, keeps the pools, obeys signals.  It wires
 * together everything in this folder; workers are no more than processes to it.
 */

#include <stdbool.h>

#include "base/why.h"
#include "conf/conf.h"

struct master_options {
	const char *file;  /* configuration, read again on HUP; NULL: none */
	const char *url; /* to be said when the daemon is up, NULL: none */
	bool daemonize;	   /* run in the background; the foreground process
			      waits until the daemon is up */
	bool allow_root;   /* pools may run as root */
	char **argv;	   /* as started; USR2 executes the binary on disk with
			      it */
};

/* 1 if this image was executed by another one that has left it workers (an
 * upgrade in place), 0 if not; -1 and why if the environment says so wrongly.
 * To be called first, and once. */
int master_succeeds(struct why *why);

/*
 * Run until stopped.  Takes conf over; NULL, if master_succeeds, keeps the
 * configuration in force.  Returns the exit code: 0; 70 if no pool came up; 71
 * if the system refused something (sockets, pid file).
 */
int master_run(struct conf *conf, const struct master_options *options);

#endif

#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

/*
 * The way from this image of the daemon to the one on disk: try it (-t, in a
 * child), then become it (exec, same process).  Runs in the master; what is
 * left to it is handover.h's.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/loop.h"
#include "master/handover.h"

struct upgrade {
	char **argv;	    /* as the daemon was started */
	const char *binary; /* the file to execute */
	struct loop *loop;
	/* The trial is over.  good: the binary accepts the configuration, and
	 * every application loads with it. */
	void (*tried)(bool good);
	/* What a trial says, line by line. */
	void (*said)(const char *line);
};

/* The file that argv[0] names, as it is found later however often it is
 * replaced: absolute, to be freed; NULL with errno.  To be called first
 * thing. */
char *upgrade_binary(const char *argv0);

/* Begin a trial, for which conf is in force and says how long applications
 * may take to load; there must be none.  0, or -1 with errno. */
int upgrade_try(const struct upgrade *upgrade, const struct conf *conf);

/* A child that is no worker has ended: the trial, perhaps. */
void upgrade_reap(pid_t pid, int status);

/* Kill a trial, if there is one, and forget it. */
void upgrade_cancel(void);

/* Become the binary, which is left all this, and the environment as the daemon
 * was given it.  Returns only if that fails: -1 with errno, and all is as
 * before. */
int upgrade_exec(const struct upgrade *upgrade, const struct pools *pools,
    const struct handover_own *own);

#endif

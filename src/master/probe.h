#ifndef MASTER_PROBE_H
#define MASTER_PROBE_H

/*
 * Does the binary on disk accept the configuration, and does every application
 * load with it?  Its -t, in a child that is watched and waited for beside
 * everything else.  Runs in the master; what follows from it is not known
 * here.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/loop.h"
#include "conf/conf.h"

struct probe {
	char **argv;	    /* as the daemon was started */
	const char *binary; /* the file to execute */
	struct loop *loop;
	/* What a binary that does not do has to say, line by line, and then
	 * that it is over. */
	void (*said)(const char *line);
	void (*over)(bool good);
};

/* Begin; there must be no other.  conf is in force and says how long
 * applications may take to load.  0, or -1 with errno. */
int probe_begin(const struct probe *probe, const struct conf *conf);

/* A child that is no worker has ended: the probe, perhaps. */
void probe_reap(pid_t pid, int status);

/* Kill the child, if there is one, and forget it. */
void probe_cancel(void);

#endif

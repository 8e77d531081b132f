#ifndef MASTER_PROBE_H
#define MASTER_PROBE_H

/*
 * Find out whether the binary on disk accepts the configuration, and whether
 * every application loads with it: by its -t, in a child that is watched and
 * waited for beside everything else.  Runs in the master; what follows is up to
 * the caller.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/loop.h"
#include "conf/conf.h"

struct probe {
	char **argv;	    /* as the daemon was started */
	const char *binary; /* the file to execute */
	struct loop *loop;
	/* If the binary is not good: each line of its output, and how it ended.
	 * Then over, in any case. */
	void (*said)(const char *line);
	void (*over)(bool good);
};

/* Begin; no other probe may run.  probe has to stay until it is over.  conf is
 * in force, and says how long applications may take to load.  0, or -1 with
 * errno. */
int probe_begin(const struct probe *probe, const struct conf *conf);

/* A child of no pool has ended, which may be the probe. */
void probe_reap(pid_t pid, int status);

/* Kill the child, if there is one, and forget it; `over` is not called. */
void probe_cancel(void);

#endif

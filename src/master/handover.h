#ifndef MASTER_HANDOVER_H
#define MASTER_HANDOVER_H

/*
 * All that one image of the daemon leaves to the next one in the same process
 * (an upgrade in place): configurations, listeners, generations of pools and
 * their workers, as records in a sealed memfd, whose number is in the
 * environment (LUA_FPM_HANDOVER).  Runs in the master.
 */

#include "base/buf.h"
#include "ipc/record.h"
#include "master/pools.h"

struct handover_own { /* the master's own part */
	const char *version; /* of the image that leaves */
	bool hup_waits, usr2_waits; /* signals that are still to be acted on */
	int pidfile;		    /* locked; -1: none */
	char *pid_path;
	int64_t started; /* seconds since 1970, of the daemon's start */
};

struct handover { /* what was left to this process; all zero: nothing */
	struct buf text;
	struct record all;
};

/*
 * Write everything to a memfd, and name that in the environment.  From here on
 * every descriptor in it stays open over exec(3).  0, or -1 with errno;
 * handover_revoke has to follow if exec(3) does not.
 */
int handover_leave(const struct pools *pools,
    const struct handover_own *own);

/* There will be no exec(3): make all descriptors close-on-exec again, and
 * remove the name from the environment. */
void handover_revoke(void);

/*
 * Take what was left to this process.  1: something was, and the log goes on
 * where it was; 0: nothing was; -1 and why: the environment names something
 * that no image of this build has left, which is not closed.  The name is
 * removed from the environment.
 */
int handover_take(struct handover *handover, struct why *why);

/*
 * Before an upgrade the next image runs once as a trial (probe.h).
 * handover_propose: in that child, before exec(3), name in the environment the
 * form of what would be left.  handover_suits: in that image, true if it knows
 * the form, or if none is named; the name is removed from the environment.
 */
void handover_propose(void);
bool handover_suits(void);

/*
 * Bring pools, and the configurations that they point into, back to life.  A
 * pool that cannot be is logged, and its workers leave by themselves.
 * Listeners that no generation has asked for wait for listen_sweep; descriptors
 * that were not taken are closed.  own->pid_path is to be freed by the caller.
 * The handover is empty then.
 */
void handover_revive(struct handover *handover, struct pools *pools,
    struct handover_own *own);

#endif

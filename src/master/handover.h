#ifndef MASTER_HANDOVER_H
#define MASTER_HANDOVER_H

/*
 * All that one image of the daemon leaves to the next one in the same process
 * (an upgrade in place): configurations, listeners, generations of pools and
 * their workers, as records in a sealed memfd whose number stands in the
 * environment.
 * Runs in the master.
 */

#include "base/buf.h"
#include "ipc/record.h"
#include "master/pools.h"

struct handover_own { /* the master's own part */
	const char *version; /* of the image that leaves it */
	bool hup_waits, usr2_waits; /* signals to be acted on */
	int pidfile;		    /* locked; -1: none */
	char *pid_path;
	int64_t started; /* seconds since 1970: the daemon */
};

struct handover { /* what came; all zero: nothing did */
	struct buf text;
	struct record all;
};

/*
 * Write everything and name it in the environment.  From here on every
 * descriptor in it stays open over exec(3).  0, or -1 with errno.
 */
int handover_leave(const struct pools *pools,
    const struct handover_own *own);

/* There will be no exec(3): close all descriptors to it, and leave nothing in
 * the environment. */
void handover_revoke(void);

/*
 * Take what was left to this process, if anything was.  1: something was, and
 * the log goes on where it was; 0;
 * -1 and why: the environment names what no image of this build has left, and
 * that is as it was.
 */
int handover_take(struct handover *handover, struct why *why);

/*
 * In the trial of the next image, before exec(3): name in the environment the
 * form of what would be left.  And in that image: does it know the form, or is
 * none named?
 */
void handover_propose(void);
bool handover_suits(void);

/* Bring pools, and the configurations they point into, to life; listeners
 * wait to be asked for.  Pools that cannot be are logged: their workers leave
 * by themselves.  Descriptors that nobody has taken are closed.  The strings of
 * *own are the caller's.  The handover is empty then. */
void handover_revive(struct handover *handover, struct pools *pools,
    struct handover_own *own);

#endif

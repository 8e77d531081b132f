#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

/*
 * The way from this image of the daemon to the one on disk: probe it, then
 * become it by exec(3), in the same process.  Runs in the master; handover.h
 * has what is left to the new image.
 */

#include "master/handover.h"
#include "master/phase.h"

struct upgrade_world {
	char **argv; /* as the daemon was started */
	struct loop *loop;
	struct pools *pools;	   /* its outcome takes the faults */
	struct handover_own *own;
	void (*raise)(enum phase_event event);
};

/* To be called first, while the binary on disk is the one that runs: it is
 * found now.  world is not copied. */
void upgrade_init(const struct upgrade_world *world);

/* Probe the binary, and raise EVENT_GOOD or EVENT_BAD, at once or later.  conf
 * is in force. */
void upgrade_try(const struct conf *conf);

/* Have upgrade_turn execute the binary at the end of this turn. */
void upgrade_begin(void);

/* To be called at the end of each turn, when each signal that has arrived is
 * acted on or remembered, and each child that has ended is judged.  If
 * upgrade_begin was called, execute the binary; if that fails, all is as before
 * and EVENT_BAD is raised. */
void upgrade_turn(void);

/* The daemon ends: cancel the probe. */
void upgrade_cancel(void);

#endif

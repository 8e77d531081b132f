#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

/*
 * The way from this image of the daemon to the one on disk: probe it, then
 * become it (exec, same process).  Runs in the master; what is left to the new
 * image is handover.h's.
 */

#include "master/handover.h"
#include "master/phase.h"

struct upgrade_world {
	char **argv; /* as the daemon was started */
	struct loop *loop;
	struct pools *pools;	   /* its outcome says why not */
	struct handover_own *own;
	void (*raise)(enum phase_event event);
};

/* First thing, while the binary is the one that runs.  world outlives it. */
void upgrade_init(const struct upgrade_world *world);

/* Probe the binary; EVENT_GOOD or EVENT_BAD comes of it, at once or later.
 * conf is in force. */
void upgrade_try(const struct conf *conf);

/* Become it at the end of this turn. */
void upgrade_begin(void);

/* At the end of a turn: no signal that has arrived is forgotten then, no child
 * that has ended is without its judgement.  Returns if there is nothing to do,
 * or with EVENT_BAD raised if it fails; then all is as before. */
void upgrade_turn(void);

/* The daemon ends: no binary is to be looked at any more. */
void upgrade_cancel(void);

#endif

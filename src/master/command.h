#ifndef MASTER_COMMAND_H
#define MASTER_COMMAND_H

/*
 * What clients of the control socket ask for, word by word, and when they get
 * their answer: lua-fpmctl(8) has the protocol.  Runs in the master; what
 * concerns the daemon as a whole is done by the master (function pointers).
 */

#include "master/phase.h"
#include "master/pools.h"

struct command_world {
	struct pools *pools;
	const enum phase *phase;
	const int64_t *started; /* seconds since 1970 */
	void (*raise)(enum phase_event event);
	int (*reopen)(void); /* 0, or -1: failed, which is logged */
};

/* From now on do as `world` says, which outlives it; where to listen is
 * control.h's. */
void command_init(const struct command_world *world);

/* Answer whose time has come: once in a turn, after the pools have been looked
 * after. */
void command_turn(void);

/* A reload (EVENT_HUP) or an upgrade (EVENT_USR2) begins: for all who have
 * asked for one so far.  What has begun has come to its end, and
 * pools->outcome says how. */
void command_begins(enum phase_event what);
void command_over(void);

/* The daemon ends, as some have asked for. */
void command_close(void);

#endif

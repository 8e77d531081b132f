#ifndef MASTER_COMMAND_H
#define MASTER_COMMAND_H

/*
 * The commands of the control socket, and when each is answered: lua-fpmctl(8)
 * has the protocol.  Runs in the master; what concerns the whole daemon is done
 * by the master (function pointers).
 */

#include "master/phase.h"
#include "master/pools.h"

struct command_world {
	struct pools *pools;
	const enum phase *phase;
	const int64_t *started; /* seconds since 1970 */
	void (*raise)(enum phase_event event);
	void (*reload_pool)(const char *name); /* in PHASE_RUNNING only */
	int (*reopen)(void); /* 0, or -1 and the failure is logged */
};

/* Answer commands by means of `world`, which is not copied.  To be called
 * before anything else of control.h, which opens the socket. */
void command_init(const struct command_world *world);

/* Answer clients whose drain or resume is over.  To be called once in a turn,
 * after pools_sweep. */
void command_turn(void);

/* command_begins: a reload (EVENT_HUP) or an upgrade (EVENT_USR2) begins, for
 * all clients that have asked for one so far.  command_over: it has ended; they
 * are answered by pools->outcome. */
void command_begins(enum phase_event what);
void command_over(void);

/* The daemon ends: answer all waiting clients, "ok" to those that asked for a
 * stop and "failed" to others, and close the control socket.  Before
 * command_init nothing happens. */
void command_close(void);

#endif

#ifndef MASTER_GENERATION_STATE_H
#define MASTER_GENERATION_STATE_H

/*
 * The states of a generation, and what each event makes of them: a table.
 * Knows neither workers nor sockets.  Pure; runs in the master.
 */

#include <stdbool.h>

enum generation_state {
	/* On trial: made by a reload, it takes no connection yet. */
	GENERATION_TRIAL,  /* its first workers load */
	GENERATION_READY,  /* all of its first workers are up */
	GENERATION_FAILED, /* one of them did not come up, or has ended */
	/* It serves, or is about to. */
	GENERATION_STARTING, /* no worker has been ready yet */
	GENERATION_SERVING,  /* a worker has been ready */
	GENERATION_BROKEN,   /* none has: one has failed, or was not forked */
	/* It leaves. */
	GENERATION_DISCARDED, /* given up on trial: it has never served */
	GENERATION_DRAINING,  /* another one has taken over, or it was killed */
	GENERATION_PARTED,    /* its addresses went to other applications */
	GENERATION_LAST,      /* no heir: it empties its queues */
	GENERATION_STATES
};

enum generation_event {
	GENERATION_UP,	     /* a worker has become ready */
	GENERATION_COMPLETE, /* all of its first workers are up */
	GENERATION_STUNTED,  /* one of its first workers could not be forked */
	GENERATION_LOST,     /* a worker ended unasked, or left on trial */
	GENERATION_OPEN,     /* the reload was committed */
	GENERATION_REPLACED, /* its pool's new generation takes over */
	GENERATION_SPLIT,    /* several take over, or one of another pool */
	GENERATION_DROPPED,  /* no generation takes over */
	GENERATION_KILLED,
	GENERATION_EVENTS
};

enum generation_action {
	GENERATION_NOTHING,
	GENERATION_NOTE,    /* note why it failed */
	GENERATION_COUNT,   /* count the loss for back-off */
	GENERATION_SUFFER,  /* both of these */
	GENERATION_ADMIT,   /* let its workers take connections */
	GENERATION_LEAVE,   /* its workers leave and hand connections over */
	GENERATION_KEEP,    /* the same, but only those that have sent
			       nothing */
	GENERATION_SERVE,   /* its workers serve what waits, then leave */
	GENERATION_DISCARD, /* its workers leave: no connection reached them */
	GENERATION_HASTEN,  /* shorten the limit of workers that leave */
	GENERATION_KILL
};

struct generation_move {
	enum generation_state next;
	enum generation_action action;
};

/* The next state, and what is to be done.  An event that does not concern this
 * state changes nothing. */
struct generation_move generation_move(enum generation_state now,
    enum generation_event event);

/* Every state is of exactly one of these kinds. */
bool generation_on_trial(enum generation_state state);
bool generation_serves(enum generation_state state);
bool generation_leaves(enum generation_state state);

/* A state's name in a record of the handover; the state of that name, or
 * GENERATION_STATES if no state has it. */
const char *generation_state_name(enum generation_state state);
enum generation_state generation_state_find(const char *name);

#endif

#ifndef MASTER_GENERATION_STATE_H
#define MASTER_GENERATION_STATE_H

/*
 * What a generation of a pool is at, and what an event makes of it: a table.
 * Knows neither workers nor sockets.  Pure; runs in the master.
 */

#include <stdbool.h>

enum generation_state {
	/* A reload has made it: it takes no connection yet. */
	GENERATION_TRIAL,  /* its first workers load */
	GENERATION_READY,  /* all of them are up */
	GENERATION_FAILED, /* one of them does not come up, or has ended */
	/* It serves. */
	GENERATION_STARTING, /* no worker has been up yet */
	GENERATION_SERVING,  /* one has */
	GENERATION_BROKEN,   /* none has, and one has failed */
	/* It leaves. */
	GENERATION_DISCARDED, /* from its trial: it has never served */
	GENERATION_DRAINING,  /* another has taken over, or it was killed */
	GENERATION_PARTED,    /* its addresses are those of other applications */
	GENERATION_LAST,      /* nobody takes over: it empties its queues */
	GENERATION_STATES
};

enum generation_event {
	GENERATION_UP,	     /* a worker has become ready */
	GENERATION_COMPLETE, /* as many are up as it was to begin with */
	GENERATION_STUNTED,  /* no worker could be forked */
	GENERATION_LOST,     /* a worker ended that it counted on */
	GENERATION_OPEN,     /* the reload has won */
	GENERATION_REPLACED, /* another one takes all of its connections, */
	GENERATION_SPLIT,    /* or several do, or one of another pool */
	GENERATION_DROPPED,  /* nobody does */
	GENERATION_KILLED,
	GENERATION_EVENTS
};

enum generation_action {
	GENERATION_NOTHING,
	GENERATION_NOTE,    /* why it fails */
	GENERATION_COUNT,   /* the loss, against back-off */
	GENERATION_SUFFER,  /* both */
	GENERATION_ADMIT,   /* connections from now on */
	GENERATION_LEAVE,   /* handing over what it does not finish */
	GENERATION_KEEP,    /* the same, but finish all that has begun */
	GENERATION_SERVE,   /* what waits, then leave */
	GENERATION_DISCARD, /* workers that no connection has reached */
	GENERATION_HASTEN,  /* those of before, to a shorter limit */
	GENERATION_KILL
};

struct generation_move {
	enum generation_state next;
	enum generation_action action;
};

/* An event that has no business in this state changes nothing. */
struct generation_move generation_move(enum generation_state now,
    enum generation_event event);

/* Each state is of one of three kinds. */
bool generation_on_trial(enum generation_state state);
bool generation_serves(enum generation_state state);
bool generation_leaves(enum generation_state state);

/* One word for the handover of an upgrade; the state of that name,
 * GENERATION_STATES: there is none. */
const char *generation_state_name(enum generation_state state);
enum generation_state generation_state_find(const char *name);

#endif

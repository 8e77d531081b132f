#ifndef MASTER_PHASE_H
#define MASTER_PHASE_H

/*
 * What the daemon is doing, and what each event, such as a signal, makes of it:
 * a table.  Knows neither pools nor signals by number.  Pure; runs in the
 * master.
 */

enum phase {
	PHASE_STARTING,	 /* some pool is still at its first attempt */
	PHASE_RUNNING,
	PHASE_RELOADING,
	PHASE_TRYING,	 /* probing the binary on disk, before an upgrade */
	PHASE_STOPPING,	 /* gracefully: timeouts.stop */
	PHASE_HURRYING,	 /* gracefully, with a short limit */
	PHASE_KILLING
};

enum phase_event {
	EVENT_UP,	/* all first attempts are over, one has succeeded */
	EVENT_HUP,
	EVENT_USR2,
	EVENT_RELOADED, /* the reload is carried out, or given up */
	EVENT_GOOD,	/* the binary on disk accepts the configuration */
	EVENT_BAD,	/* it does not, or could not be executed */
	EVENT_TERM,	/* or QUIT */
	EVENT_INT,
	EVENTS
};

enum phase_action {
	ACTION_NONE,
	ACTION_ANNOUNCE, /* say that it is ready; do what was remembered */
	ACTION_RELOAD,
	ACTION_TRY,	 /* probe the binary on disk */
	ACTION_UPGRADE,	 /* execute it */
	ACTION_REFUSE,	 /* refuse the upgrade; do what was remembered */
	ACTION_REMEMBER, /* remember the signal until the daemon runs */
	ACTION_STOP,
	ACTION_HURRY,
	ACTION_KILL
};

struct phase_step {
	enum phase next;
	enum phase_action action;
};

/* The next phase, and what is to be done.  An event that does not concern this
 * phase changes nothing. */
struct phase_step phase_step(enum phase now, enum phase_event event);

#endif

#ifndef MASTER_GENERATION_IMPL_H
#define MASTER_GENERATION_IMPL_H

/*
 * The inside of a generation, for the files that begin with its name: workers
 * (fork, words and ends), step (the policy), its life and its handover.
 */

#include "ipc/worker_args.h"
#include "master/backoff.h"
#include "master/fullness.h"
#include "master/generation.h"
#include "master/hub_process.h"
#include "master/logs.h"
#include "master/queue_age.h"
#include "master/share_set.h"
#include "master/slot.h"
#include "master/status_server.h"
#include "master/timer_process.h"

/* Before its setup is over a generation has one process at the most, which
 * loads the application and so finds out whether there is a setup to call. */
enum generation_setup {
	SETUP_OVER,  /* app.setup has succeeded, or there is none */
	SETUP_DUE,   /* there may be one, which has not succeeded yet */
	SETUP_PASSED /* it has succeeded, and its process ends */
};

struct generation {
	enum generation_state state;
	enum generation_setup setup;
	bool held; /* DUE: another generation of the pool may be in setup */
	bool attention;		      /* a step is due */
	const struct conf_pool *conf; /* points into source */
	const struct conf *source;
	struct conf_workers workers; /* of conf, changed by generation_scale */
	const struct generation_options *options;
	struct generation *next; /* generation_link */
	struct index_entry by_name; /* generation_entry */
	unsigned ordinal; /* 1, and one more for each that replaced one */

	struct identity identity;
	struct listen_set listens;
	struct share_set shares;
	struct status_server status_server;
	struct timer_process timer_process;
	struct hub_process *hub; /* the pool's */
	bool uses_hub;		 /* it counts among hub->users */
	bool websocket; /* WORD_WEBSOCKET has come */
	int64_t farewell; /* LAST: clock_ms() until which workers hear of the
			     ends of WebSockets before they leave, 0: now */
	struct logs logs;
	struct board *board;
	struct loop_timer timer;

	struct slot *slots; /* twice workers.max: for successors and scaling */
	unsigned nslots;
	unsigned wanted;     /* first workers to be forked */
	unsigned begun;	     /* how many of these are forked */
	unsigned successors; /* how many of these ignore process_max */
	unsigned missing;    /* workers that died and are not yet replaced */
	struct backoff backoff;
	bool fork_failed; /* the last fork failed, which is logged */
	char reason[320]; /* generation_reason */

	int64_t idle_since; /* as in struct pm_view */
	struct fullness fullness;
	struct queue { /* of a listener */
		struct queue_age age;
		uint64_t handed_on; /* accepted by the master */
	} *queues;
	int64_t looked; /* clock_ms() of the last look at them */
	bool crowded;	    /* WORD_CROWDED has come since the last step */
	unsigned asked;	    /* WORD_CROWDED is sent below so many idle ones */
	int64_t paused;	    /* clock_ms() before which none is asked for it */

	enum generation_answer answer;
	int64_t patience; /* clock_ms() until which busy ones are waited for */
	int64_t drained;  /* LAST: clock_ms(), end of the time for its queues */
};

/* ---- generation_workers.c ------------------------------------------------ */

/* Change the state by generation_move, and make a step due.  Returns the
 * action, which the caller has to carry out. */
enum generation_action generation_event(struct generation *g,
    enum generation_event event);

/* The number of slots in that state; the index of a slot, which is its number
 * on the scoreboard too. */
unsigned generation_count(const struct generation *g, enum slot_state state);
unsigned generation_number(const struct generation *g,
    const struct slot *slot);

/* For slot_fork, slot_take_over and status_server.h; arg is the generation.  A
 * worker has sent a word; a process has asked for the pool's status, which is
 * sent to it. */
void generation_heard(void *arg, struct slot *slot, enum worker_word word);
void generation_send_status(void *arg, struct slot *slot);

/* True if one more worker may load the application: as many may at a time as
 * workers.loading says, but only one before setup is over.  generation_look_on:
 * clock_ms() at which to ask again, -1: after the next step that is due. */
bool generation_may_load(struct generation *g, int64_t now);
int64_t generation_look_on(struct generation *g, int64_t now);

/* Fork first workers, as far as they may load.  False if more of them are to be
 * forked later. */
bool generation_go_on(struct generation *g, int64_t now);

/* Fork one worker.  NULL if fork failed (logged once), or if there is no room
 * in the pool or under process_max. */
struct slot *generation_fork(struct generation *g);

/* Fork successors for workers that have asked for one, as far as they may load.
 * Returns clock_ms() at which to call it again, -1: no need. */
int64_t generation_send_successors(struct generation *g, int64_t now);

/* Log that the pool is not full any more. */
void generation_tell_room(struct generation *g);

/* Ondemand: make a step due as soon as a client waits (on), or no longer. */
void generation_watch(struct generation *g, bool on);

/* True if it is LAST, still has time (drained) and has no worker left, but
 * clients wait in its queues.  generation_serve_last then forks one for
 * them. */
bool generation_lacks_last(struct generation *g, int64_t now);
void generation_serve_last(struct generation *g, int64_t now);

/* ---- generation.c: the end ------------------------------------------------ */

/* Have the workers leave that were kept for g->farewell. */
void generation_end_farewell(struct generation *g);

/* ---- generation.c -------------------------------------------------------- */

/* As generation_new, without sockets, scoreboard and logs, and STARTING.  NULL
 * if memory ran out. */
struct generation *generation_make(const struct conf_pool *conf,
    const struct conf *source, const struct generation_options *options,
    unsigned nslots);

#endif

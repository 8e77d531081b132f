#ifndef MASTER_GENERATION_IMPL_H
#define MASTER_GENERATION_IMPL_H

/*
 * The inside of a generation, for the files that begin with its name: workers
 * (their birth, words and ends), step (the policy), its life and its handover.
 */

#include "ipc/worker_args.h"
#include "master/backoff.h"
#include "master/generation.h"
#include "master/logs.h"
#include "master/slot.h"
#include "master/status_server.h"

struct generation {
	enum generation_state state;
	bool attention;		      /* something happened: a step is due */
	const struct conf_pool *conf; /* points into source */
	const struct conf *source;
	struct conf_workers workers; /* conf's, as an operator has scaled it */
	const struct generation_options *options;
	struct generation *next; /* generation_link */

	struct identity identity;
	struct listen_set listens;
	struct status_server status_server;
	struct logs logs;
	struct board *board;
	struct loop_timer timer;

	struct slot *slots; /* twice max: for successors, and to be scaled */
	unsigned nslots;
	unsigned wanted;     /* workers to begin with, */
	unsigned begun;	     /* of these have been forked; */
	unsigned successors; /* of these process_max holds up none */
	unsigned missing;    /* workers that died, and are to be replaced */
	struct backoff backoff;
	bool fork_failed; /* and this has been said */
	char reason[320]; /* why it fails; "" */

	int64_t idle_since; /* struct pm_view */
	bool crowded;	    /* a worker has told that it is idle no more */
	unsigned asked;	    /* idle workers below which one tells so */
	int64_t paused;	    /* clock_ms() until which none is asked to */

	enum generation_answer answer;
	int64_t patience; /* clock_ms() until which it is waited for */
	int64_t drained;  /* clock_ms() by which LAST is to be empty */
};

/* ---- generation_workers.c ------------------------------------------------ */

/* What becomes of the state; the action that is to follow. */
enum generation_action generation_event(struct generation *g,
    enum generation_event event);

/* Workers in that state; the number of a slot. */
unsigned generation_count(const struct generation *g, enum slot_state state);
unsigned generation_number(const struct generation *g,
    const struct slot *slot);

/* What a worker of the generation (arg) has said, and that a process of it has
 * asked for the status: for slot_fork, slot_take_over and status_server.h. */
void generation_heard(void *arg, struct slot *slot, enum worker_word word);
void generation_send_status(void *arg, struct slot *slot);

/* More workers may load the application beside those that do. */
bool generation_may_load(struct generation *g, int64_t now);

/* Fork some of those to begin with, as far as they may load.  False: more are
 * to be forked later. */
bool generation_go_on(struct generation *g, int64_t now);

/* Fork one worker; NULL if that failed (logged once) or there is no room in
 * the pool or over all pools. */
struct slot *generation_fork(struct generation *g);

/* Fork successors for workers that have asked, as far as they may load.
 * Returns when to go on with it, -1: no need. */
int64_t generation_send_successors(struct generation *g, int64_t now);

/* Ondemand: step when a client waits, or stop doing so. */
void generation_watch(struct generation *g, bool on);

/* Clients wait whom no worker will serve (any more), though it is the LAST to
 * serve them and still has the time; fork one for them if so. */
bool generation_lacks_last(struct generation *g, int64_t now);
void generation_serve_last(struct generation *g, int64_t now);

/* ---- generation.c -------------------------------------------------------- */

/* The same as generation_new without sockets, scoreboard and logs.  NULL: no
 * memory. */
struct generation *generation_make(const struct conf_pool *conf,
    const struct conf *source, const struct generation_options *options,
    unsigned nslots);

#endif

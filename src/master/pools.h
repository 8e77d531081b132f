#ifndef MASTER_POOLS_H
#define MASTER_POOLS_H

/*
 * Every generation of every pool, on trial, serving or leaving, and the
 * configurations that they point into.  Runs in the master.
 */

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "master/generation.h"
#include "master/outcome.h"
#include "master/quota.h"

struct pools {
	struct generation *first, *last; /* generation_link */
	struct index names;		 /* generation_entry */
	void (*stranger)(pid_t pid, int status); /* a child of no pool ended */
	struct generation_options options; /* options.quota is &quota */
	struct quota quota;
	struct outcome outcome; /* of the last reload or upgrade */
	struct pools_parked { /* pools out of service, until pools_resume */
		struct pools_parked *next;
		bool resumes; /* pools_resume was called for it */
		char name[];
	} *parked;
	struct pools_source {
		struct conf *conf;
		struct pools_source *next;
	} *sources; /* the first is in force */
	const struct conf *trial; /* of pools_try: the one on trial, or NULL */
};

/* Take over a configuration, which comes into force: pools will point into it.
 * It is freed by pools_sweep once it is no longer in force and no generation
 * points into it.  0, or -1 if memory ran out, and conf stays the caller's. */
int pools_adopt(struct pools *pools, struct conf *conf);

/* The same for a configuration that is not yet in force.  pools_decide then
 * brings it into force (good), or frees it as soon as no generation points into
 * it. */
int pools_try(struct pools *pools, struct conf *conf);
void pools_decide(struct pools *pools, bool good);

/* Make a generation of every pool of a configuration; no worker is forked yet.
 * A pool that cannot be made is logged and left out (pools_failed), so that the
 * others do not suffer: its user may own the directory of its socket, and so
 * may cause the failure.  0, or -1 if no pool could be made. */
int pools_make(struct pools *pools, const struct conf *conf);

/* Have the first workers of all generations forked (generation_start). */
void pools_start(struct pools *pools);

/* Take over a generation, as the newest. */
void pools_add(struct pools *pools, struct generation *g);

/* The generation that serves under a name, or NULL.  pools_has: true if the
 * name has any generation, be it on trial or leaving. */
struct generation *pools_find(const struct pools *pools, const char *name);
bool pools_has(const struct pools *pools, const char *name);

/* The generation of that name that was added last, or NULL. */
struct generation *pools_newest(const struct pools *pools, const char *name);

/* The timers of the pool of that name, of whatever generation: all share them.
 * NULL: it has none. */
struct timers *pools_timers(const struct pools *pools, const char *name);

/* Reap every child that has ended; one of no pool is told to `stranger`. */
void pools_reap(struct pools *pools);

/* Set process_max (0: no limit).  If there is room now, generations that were
 * refused a worker try again. */
void pools_limit(struct pools *pools, int64_t max);

/* Make a step of every generation due. */
void pools_wake(struct pools *pools);

/* Do the step of every generation for which one is due.  pools_need_step: true
 * if one is due again, at once. */
void pools_step(struct pools *pools);
bool pools_need_step(const struct pools *pools);

/* Free generations that are gone, and configurations that no generation points
 * into.  A pool that resumes comes back once the last of its generations is
 * gone. */
void pools_sweep(struct pools *pools);

/* pools_tried: true if generation_is_tried holds for all.  pools_proven: the
 * number of generations that are SERVING; pools_serving: of all that serve or
 * are about to (generation_serves). */
bool pools_tried(const struct pools *pools);
size_t pools_proven(const struct pools *pools);
size_t pools_serving(const struct pools *pools);

/* True if a pool of the configuration has no generation and is not out of
 * service: it could not be made at the start, and a reload tries again. */
bool pools_failed(const struct pools *pools, const char *name);

/* Describe the pools: "2 of 2 pools serve", and how many workers of generations
 * that leave have a request in hand, if any.  Returns out. */
#define POOLS_TEXT 128
const char *pools_text(const struct pools *pools, char out[POOLS_TEXT]);

/* Open the logs of all pools anew, after a rotation.  0, or -1 if some could
 * not be opened, which is logged. */
int pools_reopen(struct pools *pools);

/* Send every worker the logs, and the level of log lines, that hold now. */
void pools_send_logs(struct pools *pools);

/*
 * Take the pool of that name out of service: as if a reload had dropped it, its
 * workers finish and its sockets close.  It stays out of service over reloads,
 * until pools_resume.  0, or -1 if memory ran out.
 */
int pools_drain(struct pools *pools, const char *name);

/* Note a pool as out of service, so that no reload brings it in; its
 * generations are not touched.  0, or -1 if memory ran out. */
int pools_park(struct pools *pools, const char *name);

/* Bring a pool that is out of service back, as the newest configuration has it,
 * as soon as the last of its workers has left. */
void pools_resume(struct pools *pools, const char *name);

/* The entry of a pool that is out of service; NULL if it is not. */
struct pools_parked *pools_parked(const struct pools *pools,
    const char *name);

/* pools_stop: every generation drains within its timeouts.stop, but at most
 * limit ms (-1: no such limit).  pools_kill: generation_kill for all. */
void pools_stop(struct pools *pools, int64_t limit);
void pools_kill(struct pools *pools);

/* Free everything, at the end, when no process of a pool is left. */
void pools_free(struct pools *pools);

#endif

#ifndef MASTER_POOLS_H
#define MASTER_POOLS_H

/*
 * Every generation of every pool, serving, on trial or draining, and the
 * configurations they point into.  Runs in the master.
 */

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "master/generation.h"
#include "master/outcome.h"
#include "master/quota.h"

struct pools {
	struct generation *first; /* generation_link */
	void (*stranger)(pid_t pid, int status); /* a child of no pool ended */
	struct generation_options options; /* its quota is the one here */
	struct quota quota;
	struct outcome outcome; /* of the last reload */
	struct pools_parked { /* out of service, until told otherwise */
		struct pools_parked *next;
		bool resumes; /* as soon as its workers have left */
		char name[];
	} *parked;
	struct pools_source {
		struct conf *conf;
		struct pools_source *next;
	} *sources; /* the first is in force */
	const struct conf *trial; /* one of them; pools_try */
};

/* Take over a configuration that pools will point into; it is freed by
 * pools_sweep once it is not the newest and no pool is left of it.  0 or -1
 * (memory; conf stays the caller's). */
int pools_adopt(struct pools *pools, struct conf *conf);

/* The same for one that is not yet in force: it is one of the sources.  Then
 * it comes into force, or is freed once no pool is left of it. */
int pools_try(struct pools *pools, struct conf *conf);
void pools_decide(struct pools *pools, bool good);

/* Make every pool of a configuration; no worker yet.  One that cannot be made
 * is logged and left out (pools_failed), as others are not to suffer for it:
 * its user may own the directory of its socket.  0; -1: there is none. */
int pools_make(struct pools *pools, const struct conf *conf);

/* Fork the first workers of all. */
void pools_start(struct pools *pools);

void pools_add(struct pools *pools, struct generation *g);

/* The generation that serves under a name; NULL.  Is there any, be it on trial
 * or about to leave? */
struct generation *pools_find(const struct pools *pools, const char *name);
bool pools_has(const struct pools *pools, const char *name);

/* Reap every child that has ended. */
void pools_reap(struct pools *pools);

/* process_max is this from now on. */
void pools_limit(struct pools *pools, int64_t max);

/* A step for every pool in need of one.  Is one in need of another, at
 * once? */
void pools_step(struct pools *pools);
bool pools_need_step(const struct pools *pools);

/* Free generations that are gone and configurations that are unused; pools
 * that resume come back once the last of their generations is gone. */
void pools_sweep(struct pools *pools);

/* Has every serving pool had its first attempt?  How many came up by it? */
bool pools_tried(const struct pools *pools);
size_t pools_proven(const struct pools *pools);
size_t pools_serving(const struct pools *pools);

/* A pool of the configuration that could not be made at the start; a reload
 * tries again. */
bool pools_failed(const struct pools *pools, const char *name);

/* In words: "2 of 2 pools serve", and how many workers of generations that
 * leave have a request in hand, if any.  Returns out. */
#define POOLS_TEXT 128
const char *pools_text(const struct pools *pools, char out[POOLS_TEXT]);

/* Open the logs of all pools anew, after a rotation.  0, or -1: some could
 * not be, which is logged. */
int pools_reopen(struct pools *pools);

/* Every worker is to log where the master and its pool do now. */
void pools_send_logs(struct pools *pools);

/*
 * Take the pool of that name out of service: as if a reload had dropped it,
 * its workers finish, the sockets close, and it stays so over reloads until
 * pools_resume.  0, or -1 (memory).
 */
int pools_drain(struct pools *pools, const char *name);

/* The same for a pool that is not there yet: no reload brings it in.  0 or -1
 * (memory). */
int pools_park(struct pools *pools, const char *name);

/* Bring a drained pool back, as the newest configuration has it, as soon as
 * the last of its workers has left. */
void pools_resume(struct pools *pools, const char *name);

/* The entry of a pool that is out of service, NULL: it is not. */
struct pools_parked *pools_parked(const struct pools *pools,
    const char *name);

/* Stop: every pool drains within its timeouts.stop, at most limit ms (-1: no
 * such limit). */
void pools_stop(struct pools *pools, int64_t limit);
void pools_kill(struct pools *pools);

/* At the end, all pools gone: give everything back. */
void pools_free(struct pools *pools);

#endif

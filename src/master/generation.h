#ifndef MASTER_GENERATION_H
#define MASTER_GENERATION_H

/*
 * One generation of a pool: its listeners, its scoreboard, its logs and its
 * workers, from its trial or the start of the daemon until the last of its
 * processes is gone.  generation_state.h has its life as a table.  Everything
 * is allocated when it is made; later it allocates only what a fork needs.
 * Runs in the master; knows nothing of other pools, of signals or of reloads.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"
#include "conf/conf.h"
#include "ipc/record.h"
#include "master/generation_state.h"
#include "master/listen_set.h"
#include "master/quota.h"
#include "status/status.h"

struct generation;

struct generation_options {
	struct loop *loop;
	struct quota *quota; /* all pools share it */
};

/* ---- its life ------------------------------------------------------------ */

/*
 * Bind its sockets, those in use as they are, and make its tables; no worker
 * yet.  It is on trial if `trial`, or STARTING.  `before`, if not NULL, is the
 * generation that it is to replace.  conf, which points into source, and
 * options must outlive it.  NULL and why.
 */
struct generation *generation_new(const struct conf_pool *conf,
    const struct conf *source, const struct generation_options *options,
    bool trial, const struct generation *before, struct why *why);

/* Give everything back; no process of it is left. */
void generation_free(struct generation *g);

/* Have the first workers forked, step by step: at least one for each of
 * `successors`, the workers that they replace, and at least one, so that the
 * application is seen to load; if process_max leaves no room, only these. */
void generation_start(struct generation *g, unsigned successors);

/* READY: the reload has won, its workers take connections. */
void generation_open(struct generation *g);

/*
 * Have all workers leave, and kill those still there after limit ms: `how` is
 * GENERATION_REPLACED, _SPLIT or _DROPPED.  Dropped, it takes no new
 * connections anywhere, and what waits in its queues is served first, by a new
 * worker if need be.  May be called again with a shorter limit.
 */
void generation_leave(struct generation *g, enum generation_event how,
    int64_t limit);

/* KILL all of its processes. */
void generation_kill(struct generation *g);

/* It has left, and no process and no connection of it is on its way. */
bool generation_is_gone(struct generation *g);

/* ---- in each turn of the master ------------------------------------------ */

/* A child ended.  False: it is none of this generation's. */
bool generation_reap(struct generation *g, pid_t pid, int status);

/* Something has happened: a step is due at once.  Is one? */
void generation_wake(struct generation *g);
bool generation_is_due(const struct generation *g);

/* Kill workers that are overdue, look, let the policy (pm.h) decide, carry it
 * out, set the timer for what is due next. */
void generation_step(struct generation *g);

/* ---- over a reload that it lives through --------------------------------- */

enum generation_answer {
	GENERATION_WAITS,    /* some workers have not said it yet */
	GENERATION_CURRENT,  /* all stay, or have restarted */
	GENERATION_OUTDATED, /* asked: not all would stay */
	GENERATION_REFUSES   /* told: the successor of one did not come up */
};

/* Ask every worker that is up, or about to be, what a HUP would make of it.
 * Busy ones are waited for until then (clock_ms()). */
void generation_ask(struct generation *g, int64_t until);

/* The reload that has asked has lost: what its workers have answered, or will,
 * is of no interest, and its sockets are as generation_rewatch has them. */
void generation_stay(struct generation *g);

/* Forward HUP to the same, under that configuration from now on, which comes
 * into force; retuned: with its numbers of workers instead of those that an
 * operator has scaled to. */
void generation_hup(struct generation *g, const struct conf_pool *conf,
    const struct conf *source, bool retuned, int64_t until);

/* What has come of the last of these: a restart that runs is waited for, and a
 * successor that starts. */
enum generation_answer generation_answer(const struct generation *g,
    int64_t now);

/* Its sockets are as its configuration says from now on (listen_adjust).  0,
 * or -1 and why. */
int generation_adjust(struct generation *g, struct why *why);

/* Another generation has watched, or been heard at, sockets of this one: that
 * is over. */
void generation_rewatch(struct generation *g);

/* ---- what an operator does ----------------------------------------------- */

/* The most workers that it can be scaled to: there are slots for twice
 * workers.max, and a successor needs one. */
unsigned generation_most(const struct generation *g);

/* At most n workers from now on (static: n), from 1 to generation_most, until
 * a reload changes the pool; the same number as another. */
void generation_scale(struct generation *g, unsigned n);
void generation_scale_as(struct generation *g, const struct generation *other);

/* Open its logs anew, after a rotation: 0, or -1: some could not be, which is
 * logged.  Tell its processes where to log now. */
int generation_reopen(struct generation *g);
void generation_send_logs(struct generation *g);

/* ---- what it is ---------------------------------------------------------- */

const char *generation_name(const struct generation *g);
const struct conf_pool *generation_conf(const struct generation *g);
const struct conf *generation_source(const struct generation *g);
enum generation_state generation_state(const struct generation *g);

/* Its first workers have come up or failed: there is no hope for more. */
bool generation_is_tried(const struct generation *g);

/* Why it is FAILED; "". */
const char *generation_reason(const struct generation *g);

/* Workers that are up; processes with a request in hand. */
unsigned generation_up(const struct generation *g);
unsigned generation_busy(const struct generation *g);

/* Its sockets and its exchange. */
struct listen_set *generation_listens(struct generation *g);

/* As status_collect: of all generations of the pool.  0 or -1 (memory); to be
 * given back with status_free in either case. */
int generation_status(const struct generation *g, struct status *status);

/* Where the table of pools keeps the next one. */
struct generation **generation_link(struct generation *g);

/* ---- over an upgrade in place -------------------------------------------- */

/* Append the fields of a record; source is the number of the configuration
 * that it points into.  Descriptors stay open over exec(3) from here on. */
void generation_hand_over(const struct generation *g, int64_t source,
    struct buf *out);

/* The number of that configuration in such a record. */
int64_t generation_handover_source(const struct record *record);

/*
 * The generation that a record tells of, its workers included.  NULL and why;
 * then its workers have lost their master, and leave by themselves once they
 * have finished.
 */
struct generation *generation_take_over(const struct record *record,
    const struct conf *source, const struct generation_options *options,
    struct why *why);

#endif

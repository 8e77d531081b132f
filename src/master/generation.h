#ifndef MASTER_GENERATION_H
#define MASTER_GENERATION_H

/*
 * One generation of a pool: its listeners, its scoreboard, its logs and its
 * workers, from its trial or the start of the daemon until the last of its
 * processes is gone.  generation_state.h has its life as a table.  Everything
 * is allocated when it is made; later only forks allocate.  Runs in the master;
 * knows nothing of other pools, of signals or of reloads.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/index.h"
#include "conf/conf.h"
#include "ipc/record.h"
#include "master/generation_state.h"
#include "master/listen_set.h"
#include "master/quota.h"
#include "master/timers.h"
#include "status/status.h"

struct generation;

struct generation_options {
	struct loop *loop;
	struct quota *quota; /* all pools share it */
};

/* ---- its life ------------------------------------------------------------ */

/*
 * Make a generation: bind its sockets, or share those in use without changing
 * them, and allocate its tables.  No worker is forked yet.  It is on trial if
 * `trial`, else STARTING.  `before` is the generation that it is to replace, or
 * NULL.  conf, which points into source, and options must outlive it.  NULL and
 * why.
 */
struct generation *generation_new(const struct conf_pool *conf,
    const struct conf *source, const struct generation_options *options,
    bool trial, const struct generation *before, struct why *why);

/* Free it and all that it holds.  To be called when no process of it is
 * left. */
void generation_free(struct generation *g);

/* Have the first workers forked, step by step: as many as pm_initial says, but
 * at least one, so that the application is seen to load, and at least
 * `successors`, the number of workers that they replace; at most workers.max.
 * If process_max leaves no room, only `successors` are forked. */
void generation_start(struct generation *g, unsigned successors);

/* The reload was committed: a READY generation goes SERVING, and its workers
 * take connections. */
void generation_open(struct generation *g);

/*
 * Have all workers leave, and kill those still there after limit ms.  `how` is
 * GENERATION_REPLACED, GENERATION_SPLIT or GENERATION_DROPPED.  If it is
 * dropped, its addresses refuse new connections, and those that wait in their
 * queues are served first, by a new worker if need be.  May be called again
 * with a shorter limit.
 */
void generation_leave(struct generation *g, enum generation_event how,
    int64_t limit);

/* Have those of its workers that wait for the ends of WebSockets leave within
 * limit ms as well, and close these at once. */
void generation_hasten(struct generation *g, int64_t limit);

/* Send SIGKILL to all of its processes and to what they have started. */
void generation_kill(struct generation *g);

/* True if it has left and no process or connection of it remains. */
bool generation_is_gone(struct generation *g);

/* ---- in each turn of the master ------------------------------------------ */

/* A child has ended, with that status as of wait(2), and is not yet waited for
 * (slot_ended).  False if it is no process of this generation. */
bool generation_reap(struct generation *g, pid_t pid, int status);

/* generation_wake makes a step due at once; generation_is_due tells whether one
 * is. */
void generation_wake(struct generation *g);
bool generation_is_due(const struct generation *g);

/* generation_is_set_up: true once app.setup has succeeded, or is known not to
 * be there.  generation_sets_up: true while it is not, but a process of the
 * generation loads the application for that. */
bool generation_is_set_up(const struct generation *g);
bool generation_sets_up(const struct generation *g);

/* Kill workers that are overdue, let the policy (pm.h) decide, carry that out,
 * and set the timer for what is due next.  held: another generation of its pool
 * sets up, so that this one must not begin to. */
void generation_step(struct generation *g, bool held);

/* ---- over a reload that it lives through --------------------------------- */

enum generation_answer {
	GENERATION_WAITS,    /* some workers have not answered yet */
	GENERATION_CURRENT,  /* all are up to date, or have restarted */
	GENERATION_OUTDATED, /* asked: some have to be replaced */
	GENERATION_REFUSES   /* told: a successor did not come up */
};

/* Ask every worker that is up or starting whether a HUP would leave it as it
 * is.  until: clock_ms() up to which busy workers are waited for. */
void generation_ask(struct generation *g, int64_t until);

/* The reload that asked was refused: answers that have come or will come are
 * dropped, and the sockets are as after generation_rewatch. */
void generation_stay(struct generation *g);

/* Put conf, which points into source, into force, and send HUP to every worker
 * that is up or starting.  retuned: take the numbers of workers from conf too,
 * instead of those set by generation_scale.  until: as in generation_ask. */
void generation_hup(struct generation *g, const struct conf_pool *conf,
    const struct conf *source, bool retuned, int64_t until);

/* The result of the last generation_ask or generation_hup.  A worker that
 * restarts and a successor that starts are waited for beyond `until`. */
enum generation_answer generation_answer(const struct generation *g,
    int64_t now);

/* Give its sockets the backlog and rights that its configuration says
 * (listen_adjust); listen_settle has to follow.  0, or -1 and why. */
int generation_adjust(struct generation *g, struct why *why);

/* Another generation, which shares sockets of this one, has stopped watching
 * them: stop forwarding from the exchange, and have the next step watch the
 * sockets again. */
void generation_rewatch(struct generation *g);

/* ---- what an operator does ----------------------------------------------- */

/* The most workers that generation_scale takes: there are slots for twice
 * workers.max, and a successor needs one. */
unsigned generation_most(const struct generation *g);

/* Have at most n workers (static: n), from 1 to generation_most, until a reload
 * changes the pool; or the same number as `other` has. */
void generation_scale(struct generation *g, unsigned n);
void generation_scale_as(struct generation *g, const struct generation *other);

/* Open its logs anew, after a rotation.  0, or -1 if some could not be opened,
 * which is logged. */
int generation_reopen(struct generation *g);

/* Send the level of log lines to every process, and the logs to every
 * worker. */
void generation_send_logs(struct generation *g);

/* Share the timers of another generation of its pool, if both have some; it
 * must not have begun to serve. */
void generation_share_timers(struct generation *g,
    const struct generation *other);

/* Its timers, which others may share; NULL: it has none. */
struct timers *generation_timers(struct generation *g);

/* ---- what it is ---------------------------------------------------------- */

/* Its pool's name; the pool's configuration; the whole configuration that this
 * points into; its state. */
/* Count a reload that has been decided, for the status. */
void generation_note_reload(struct generation *g, bool refused);

const char *generation_name(const struct generation *g);
const struct conf_pool *generation_conf(const struct generation *g);
const struct conf *generation_source(const struct generation *g);
enum generation_state generation_state(const struct generation *g);

/* True once it is known how its first workers have fared: some are up, and the
 * next are forked, or some have failed and none is starting any more.  On trial:
 * READY or FAILED. */
bool generation_is_tried(const struct generation *g);

/* Why its first workers failed, or "".  May be a worker's own text: to be
 * escaped where it is shown. */
const char *generation_reason(const struct generation *g);

/* The number of workers that are up; the number of processes with a request in
 * hand. */
unsigned generation_up(const struct generation *g);
unsigned generation_busy(const struct generation *g);

/* Its sockets and its exchange, which stay its own. */
struct listen_set *generation_listens(struct generation *g);

/* Fill *status by status_collect, for all generations of the pool.  0, or -1 if
 * memory ran out; to be freed with status_free in either case. */
int generation_status(const struct generation *g, struct status *status);

/* Where the hub of its pool hears (hub_process.h); or -1 and why. */
int generation_door(const struct generation *g, struct why *why);

/* Where the table of pools (pools.h) keeps its link to the next one, and its
 * entry in the index of names. */
struct generation **generation_link(struct generation *g);
struct index_entry *generation_entry(struct generation *g);

/* ---- over an upgrade in place -------------------------------------------- */

/* Append the fields of a record.  source is the number of its configuration
 * among those handed over.  Descriptors stay open over exec(3) from here on. */
void generation_hand_over(const struct generation *g, int64_t source,
    struct buf *out);

/* That number, from such a record; -1: it is missing. */
int64_t generation_handover_source(const struct record *record);

/*
 * Make the generation that such a record describes, with its workers.  source
 * (NULL: it is missing) and options must outlive it.  NULL and why; then its
 * workers see their channels close, and leave once they have finished.
 */
struct generation *generation_take_over(const struct record *record,
    const struct conf *source, const struct generation_options *options,
    struct why *why);

#endif

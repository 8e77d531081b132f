#ifndef MASTER_LOGS_H
#define MASTER_LOGS_H

/*
 * The logs of one generation of a pool, as the master holds them: opened
 * here, lent to workers at fork, opened anew and sent again after a rotation
 * or a reload.  Runs in the master; knows nothing of what is written.
 */

#include "ipc/board.h"
#include "ipc/sink.h"
#include "status/access.h"

struct logs {
	struct sink sinks[SINK_COUNT];
	struct sink_loan *loans; /* by slot: of the access log */
	unsigned nslots;
	struct format format; /* of the access log */
	struct buf line;
};

/* Open what the pool's configuration names.  0, or -1 and why; to be closed
 * in either case. */
int logs_open(struct logs *logs, const struct conf_pool *pool,
    unsigned nslots, struct why *why);
void logs_close(struct logs *logs);

/* What a worker is born with; its slot was free. */
void logs_lend(struct logs *logs, unsigned slot,
    struct sink out[SINK_COUNT]);

/*
 * The worker of that slot was reaped: if it died over a request and has not
 * written its line of the access log, that is written now.
 */
void logs_account(struct logs *logs, unsigned slot,
    const struct conf_pool *pool, struct board *board);

/* A worker says that lines of a log are lost, or (not lost) that it takes them
 * again: say so in the error log, once for all workers of the pool. */
void logs_tell(const struct conf_pool *pool, struct board *board, bool lost);

/* The worker of that slot is gone, or was never born. */
void logs_return(struct logs *logs, unsigned slot);

/* Open files anew, after a rotation.  Who cannot be opened stays as it is,
 * which is logged; then -1, otherwise 0. */
int logs_reopen(struct logs *logs, const struct conf_pool *pool);

/* A reload: from one configuration of the pool to the next. */
void logs_follow(struct logs *logs, const struct conf_pool *before,
    const struct conf_pool *after);

/*
 * Send a worker the level of log lines and all logs anew.  While it has not
 * taken what was sent before, as it is busy, nothing is added to that: it is
 * sent the newest then.  0, or -1 with errno (EAGAIN: it
 * takes nothing else either), and it is sent them with the next ones.
 */
int logs_send(struct logs *logs, unsigned slot, int channel);

/* It says over its channel that it has taken one log of those sent. */
void logs_taken(struct logs *logs, unsigned slot, int channel);

#endif

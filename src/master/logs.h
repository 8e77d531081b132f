#ifndef MASTER_LOGS_H
#define MASTER_LOGS_H

/*
 * The logs of one generation of a pool, as the master holds them: opened here,
 * lent to workers at fork, opened anew and sent again after a rotation or a
 * reload.  Runs in the master.
 */

#include "ipc/board.h"
#include "ipc/sink.h"
#include "status/access.h"

struct logs {
	struct sink sinks[SINK_COUNT];
	struct sink_loan *loans; /* of the access log, by slot */
	unsigned nslots;
	struct format format; /* of the access log */
	struct buf line; /* of logs_account */
};

/* Open what the pool's configuration names.  0, or -1 and why; to be closed
 * with logs_close in either case. */
int logs_open(struct logs *logs, const struct conf_pool *pool,
    unsigned nslots, struct why *why);
void logs_close(struct logs *logs);

/* Fill `out` with the logs for a worker that is to be forked into that free
 * slot.  The descriptors stay the master's, until logs_return. */
void logs_lend(struct logs *logs, unsigned slot,
    struct sink out[SINK_COUNT]);

/*
 * The worker of that slot has ended: write the lines of the access log that it
 * has gathered and not written (ipc/spool.h), and, if it died during a request
 * whose line it had not come to, that line.  To be called before logs_return
 * and board_dead.
 */
void logs_account(struct logs *logs, unsigned slot,
    const struct conf_pool *pool, struct board *board);

/* A worker says that lines of a log are lost, or (not lost) that a log takes
 * lines again: log that once for all workers of the pool. */
void logs_tell(const struct conf_pool *pool, struct board *board, bool lost);

/* The worker of that slot is gone, or was not forked: take back what logs_lend
 * has lent. */
void logs_return(struct logs *logs, unsigned slot);

/* Open files, and the socket to syslog, anew after a rotation.  0, or -1 if
 * some could not be opened, which is logged; these stay as they were. */
int logs_reopen(struct logs *logs, const struct conf_pool *pool);

/* A reload: go from one configuration of the pool to the next.  Logs with a new
 * target are opened, the others as by logs_reopen.  Failures are logged. */
void logs_follow(struct logs *logs, const struct conf_pool *before,
    const struct conf_pool *after);

/*
 * Send a worker the level of log lines, and all its logs anew.  A worker that
 * has not yet taken the logs sent before gets nothing now, but the newest as
 * soon as it has.  0, or -1 with errno (EAGAIN: its channel is full), and it
 * gets them with the next ones.
 */
int logs_send(struct logs *logs, unsigned slot, int channel);

/* The worker has taken one of the logs that were sent (WORD_TAKEN). */
void logs_taken(struct logs *logs, unsigned slot, int channel);

#endif

#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

/*
 * The present state of a pool: the master collects it from scoreboard and
 * sockets, and sends it to a worker that asks for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "conf/conf_timer.h"
#include "ipc/board.h"
#include "ipc/hub_page.h"

struct status_timer {
	char name[TIMER_NAME];
	char when[TIMER_TEXT]; /* "every 1m", "at 03:30" */
	char result[16];       /* of the last run; "none": there was none */
	char why[240];	       /* it was not good; any bytes */
	bool running;
	pid_t pid;     /* that runs it, 0: none */
	int64_t last;  /* ms since 1970 at which the last run began, 0: none */
	int64_t took;  /* ms, the present run so far, or else the last one */
	int64_t next;  /* seconds since 1970 */
	uint64_t runs; /* that are over */
	uint64_t failures, missed;
};

struct status { /* of one pool */
	const struct conf_pool *pool;
	int64_t now;  /* clock_us() */
	int64_t wall; /* seconds since 1970 */
	int64_t queue; /* connections that wait to be accepted */
	int64_t facts[BOARD_FACTS];
	struct score_sum sum;
	struct score_slot *workers; /* of all generations */
	size_t nworkers;
	struct status_timer *timers; /* to be added by the caller */
	size_t ntimers;
	bool has_hub; /* WebSockets; to be added by the caller, as the next */
	char hub_state[12];
	pid_t hub_pid; /* 0: none */
	uint64_t hub[HUB_FACTS]; /* 0 for what is now if there is no process */
};

/* In the master: collect the state of the pool now, by the board of any of its
 * generations; also updates FACT_MAX_QUEUE.  The pool is not copied.  0, to be
 * freed with status_free; or -1 (memory) with nothing to free. */
int status_collect(struct status *status, const struct conf_pool *pool,
    struct board *board, const int *listeners, size_t nlisteners);
void status_free(struct status *status);

/*
 * In the master: make a sealed memfd of it for a worker; -1 with errno.  In the
 * worker: read it from there, for its own pool, and close the memfd.  0, or -1
 * with errno (EPROTO if it is of another build), and all counts are 0.
 */
int status_send(const struct status *status);
int status_receive(struct status *status, int memory,
    const struct conf_pool *pool);

#endif

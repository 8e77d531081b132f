#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

/*
 * What a pool does at this moment: collected by the master from its scoreboard
 * and its sockets, and sent to a worker that asks for it.  Knows neither
 * requests nor connections.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "ipc/board.h"

struct status { /* of one pool */
	const struct conf_pool *pool;
	int64_t now;  /* clock_us() */
	int64_t wall; /* seconds since 1970 */
	int64_t queue; /* connections that wait to be accepted */
	int64_t facts[BOARD_FACTS];
	struct score_sum sum;
	struct score_slot *workers; /* of all generations */
	size_t nworkers;
};

/* Master: look at the pool now, by the board of any generation.  Keeps a
 * pointer to the pool.  0, or -1 (memory); to be given back with
 * status_free. */
int status_collect(struct status *status, const struct conf_pool *pool,
    struct board *board, const int *listeners, size_t nlisteners);
void status_free(struct status *status);

/*
 * On its way to a worker: the master puts it into a sealed memfd, -1 with
 * errno; the worker takes it out again, for its pool, which closes the
 * descriptor.  0, or -1 with errno and nothing is in it: EPROTO if it is of
 * another build.
 */
int status_send(const struct status *status);
int status_receive(struct status *status, int memory,
    const struct conf_pool *pool);

#endif

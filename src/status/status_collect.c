#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/sealed.h"
#include "net/sock_queue.h"
#include "status/status.h"

#define GROWTH 16

/* ---- master -------------------------------------------------------------- */

static int
add_worker(struct status *status, const struct score_slot *worker)
{
	struct score_slot *grown = status->workers;

	if (status->nworkers % GROWTH == 0)
		grown = reallocarray(grown, status->nworkers + GROWTH,
		    sizeof(*grown));
	if (grown == NULL)
		return -1;
	status->workers = grown;
	grown[status->nworkers++] = *worker;
	return 0;
}

int
status_collect(struct status *status, const struct conf_pool *pool,
    struct board *board, const int *listeners, size_t nlisteners)
{
	struct score_counts counts;
	struct score_slot worker;
	unsigned at = 0;

	*status = (struct status){ .pool = pool, .now = clock_us(),
		.wall = (int64_t)time(NULL) };
	for (size_t i = 0; i < nlisteners; i++) {
		int n = sock_queue_length(listeners[i]);

		status->queue += n > 0 ? n : 0;
	}
	board_raise_fact(board, FACT_MAX_QUEUE, status->queue);
	board_look(board, &counts);
	board_sum(board, &status->sum);
	for (unsigned i = 0; i < BOARD_FACTS; i++)
		status->facts[i] = board_fact(board, i);
	while (board_next(board, &at, &worker))
		if (add_worker(status, &worker) == -1) {
			status_free(status);
			return -1;
		}
	return 0;
}

void
status_free(struct status *status)
{
	free(status->workers);
	status->workers = NULL;
	status->nworkers = 0;
	free(status->timers);
	status->timers = NULL;
	status->ntimers = 0;
}

/* ---- from master to worker ----------------------------------------------- */

#define MAGIC 0x6c66707374617401 /* the last byte is the version */

struct header { /* the sizes tell builds apart */
	uint64_t magic;
	uint32_t status_size, worker_size, timer_size, unused;
};

static const struct header ours = { MAGIC, sizeof(struct status),
	sizeof(struct score_slot), sizeof(struct status_timer), 0 };

/* Without pointers: a worker must not learn addresses of the master. */
static void
put_status(const struct status *status, struct buf *out)
{
	struct status copy = *status;

	copy.pool = NULL;
	copy.workers = NULL;
	copy.timers = NULL;
	buf_add(out, &copy, sizeof(copy));
}

int
status_send(const struct status *status)
{
	struct buf text = { 0 };
	int fd;

	buf_add(&text, &ours, sizeof(ours));
	put_status(status, &text);
	buf_add(&text, status->workers,
	    status->nworkers * sizeof(*status->workers));
	buf_add(&text, status->timers,
	    status->ntimers * sizeof(*status->timers));
	fd = sealed_make("lua-fpm-status", &text);
	buf_free(&text);
	return fd;
}

static int
take(struct status *status, const struct buf *text)
{
	const size_t head = sizeof(ours) + sizeof(*status);
	size_t n = text->len - head, workers, timers;

	errno = EPROTO;
	if (text->len < head || memcmp(text->data, &ours, sizeof(ours)) != 0)
		return -1;
	memcpy(status, text->data + sizeof(ours), sizeof(*status));
	status->workers = NULL;
	status->timers = NULL;
	if (status->nworkers > n / sizeof(*status->workers) ||
	    status->ntimers > n / sizeof(*status->timers))
		return -1;
	workers = status->nworkers * sizeof(*status->workers);
	timers = status->ntimers * sizeof(*status->timers);
	if (n != workers + timers)
		return -1;
	status->workers = malloc(workers + 1);
	status->timers = malloc(timers + 1);
	if (status->workers == NULL || status->timers == NULL) {
		status_free(status);
		return -1;
	}
	memcpy(status->workers, text->data + head, workers);
	memcpy(status->timers, text->data + head + workers, timers);
	return 0;
}

int
status_receive(struct status *status, int memory,
    const struct conf_pool *pool)
{
	struct buf text = { 0 };
	int result = sealed_read(memory, &text);

	fd_close(&memory);
	if (result == 0)
		result = take(status, &text);
	if (result == -1)
		*status = (struct status){ 0 };
	status->pool = pool;
	buf_free(&text);
	return result;
}

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "share/sock_queue.h"
#include "share/status.h"

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
}

/* ---- from master to worker ----------------------------------------------- */

#define MAGIC 0x6c66707374617401 /* and its last byte is the version */

struct header { /* a build with other sizes is another one */
	uint64_t magic;
	uint32_t status_size, worker_size;
};

static const struct header ours = { MAGIC, sizeof(struct status),
	sizeof(struct score_slot) };

int
status_send(const struct status *status)
{
	int fd = memfd_create("lua-fpm-status", MFD_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fd_write_all(fd, &ours, sizeof(ours)) == 0 &&
	    fd_write_all(fd, status, sizeof(*status)) == 0 &&
	    fd_write_all(fd, status->workers,
		status->nworkers * sizeof(*status->workers)) == 0)
		return fd;
	fd_close(&fd);
	return -1;
}

static int
take(struct status *status, int memory)
{
	struct header header;
	size_t size;

	errno = EPROTO;
	if (pread(memory, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(&header, &ours, sizeof(ours)) != 0 ||
	    pread(memory, status, sizeof(*status), sizeof(header)) !=
		sizeof(*status))
		return -1;
	size = status->nworkers * sizeof(*status->workers);
	status->workers = malloc(size + 1);
	if (status->workers == NULL)
		return -1;
	if (pread(memory, status->workers, size,
		sizeof(header) + sizeof(*status)) == (ssize_t)size)
		return 0;
	errno = EPROTO;
	status_free(status);
	return -1;
}

int
status_receive(struct status *status, int memory,
    const struct conf_pool *pool)
{
	int result = take(status, memory);

	close(memory);
	status->pool = pool;
	return result;
}

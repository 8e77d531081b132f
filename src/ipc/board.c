#include "ipc/board.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/sealed.h"
#include "ipc/board_impl.h"

/* ---- a generation's board ------------------------------------------------ */

/* A descriptor that is read-only cannot be mapped for writing; mode 0 keeps a
 * worker, which has no rights, from opening the memory again for writing. */
static int
open_head(struct board *board)
{
	board->fd = sealed_room("lua-fpm-board",
	    score_head_size(board->nslots));
	if (board->fd == -1)
		return -1;
	board->fd_read = fd_open_again(board->fd, O_RDONLY);
	return board->fd_read == -1 || fchmod(board->fd, 0) == -1 ? -1 : 0;
}

int
board_map_head(struct board *board)
{
	void *memory = mmap(NULL, score_head_size(board->nslots),
	    PROT_READ | PROT_WRITE, MAP_SHARED, board->fd, 0);

	if (memory == MAP_FAILED)
		return -1;
	board->head = memory;
	return 0;
}

struct board *
board_make(unsigned slots)
{
	struct board *board = calloc(1, sizeof(*board) +
	    slots * sizeof(board->place[0]));

	if (board == NULL)
		return NULL;
	board->fd = board->fd_read = -1;
	board->nslots = slots;
	for (unsigned i = 0; i < slots; i++)
		board->place[i].fd = -1;
	board->rests = calloc(slots, sizeof(*board->rests));
	if (board->rests != NULL)
		return board;
	free(board);
	return NULL;
}

/* A board that has one of the n slot numbers from `first` on; NULL if none. */
static const struct board *
in_the_way(const struct sums *sums, unsigned first, unsigned n)
{
	const struct board *b = sums->boards;

	while (b != NULL &&
	    (b->first >= first + n || first >= b->first + b->nslots))
		b = b->next;
	return b;
}

void
board_join(struct board *board, struct sums *sums)
{
	const struct board *other;

	while ((other = in_the_way(sums, board->first, board->nslots)) != NULL)
		board->first = other->first + other->nslots;
	board->sums = sums;
	board->next = sums->boards;
	sums->boards = board;
	sums->users++;
}

static void
leave(struct board *board)
{
	struct board **link = &board->sums->boards;

	while (*link != board)
		link = &(*link)->next;
	*link = board->next;
	if (--board->sums->users == 0)
		free(board->sums);
}

static struct sums *
sums_of(const struct board *before)
{
	struct sums *sums;

	if (before != NULL)
		return before->sums;
	sums = calloc(1, sizeof(*sums));
	if (sums != NULL)
		sums->facts[FACT_STARTED] = (int64_t)time(NULL);
	return sums;
}

struct board *
board_new(unsigned slots, const struct board *before)
{
	struct board *board = board_make(slots);
	struct sums *sums = board == NULL ? NULL : sums_of(before);

	if (sums == NULL) {
		board_free(board);
		return NULL;
	}
	board_join(board, sums);
	if (open_head(board) == -1 || board_map_head(board) == -1) {
		board_free(board);
		return NULL;
	}
	board->head->nslots = slots;
	return board;
}

void
board_unmap(struct place *place)
{
	if (place->memory != NULL)
		munmap((void *)(uintptr_t)place->memory,
		    sizeof(*place->memory));
	place->memory = NULL;
}

static void
empty(struct place *place)
{
	board_unmap(place);
	fd_close(&place->fd);
	memset(place, 0, sizeof(*place));
	place->fd = -1;
}

void
board_free(struct board *board)
{
	int error = errno;

	if (board == NULL)
		return;
	for (unsigned i = 0; i < board->nslots; i++)
		empty(&board->place[i]);
	if (board->head != NULL)
		munmap(board->head, score_head_size(board->nslots));
	fd_close(&board->fd);
	fd_close(&board->fd_read);
	if (board->sums != NULL)
		leave(board);
	free(board->rests);
	free(board);
	errno = error;
}

void
board_set_aside(struct board *board)
{
	board->aside = true;
}

unsigned
board_slots(const struct board *board)
{
	return board->nslots;
}

/* ---- a worker's life ----------------------------------------------------- */

/* The master is the only writer of the head. */
static void
tell(struct board *board, unsigned slot, uint8_t set, uint8_t cleared)
{
	_Atomic uint8_t *byte = &board->head->slot[slot];

	atomic_store(byte, (uint8_t)((GET(*byte) & ~cleared) | set));
}

int
board_map(struct place *place)
{
	void *memory = mmap(NULL, sizeof(*place->memory), PROT_READ,
	    MAP_SHARED, place->fd, 0);

	if (memory == MAP_FAILED)
		return -1;
	place->memory = memory;
	return 0;
}

int
board_lease(struct board *board, unsigned slot, struct board_lease *lease)
{
	struct place *place = &board->place[slot];

	place->fd = sealed_room("lua-fpm-slot", sizeof(*place->memory));
	if (place->fd == -1 || board_map(place) == -1) {
		fd_close(&place->fd);
		return -1;
	}
	place->alive = true;
	place->born = clock_ms();
	tell(board, slot, HEAD_ALIVE, (uint8_t)~HEAD_ALIVE);
	lease->head = board->fd_read;
	lease->slot = place->fd;
	return 0;
}

void
board_born(struct board *board, unsigned slot, pid_t pid)
{
	board->place[slot].pid = pid;
}

void
board_leaving(struct board *board, unsigned slot)
{
	if (!board->place[slot].alive)
		return;
	board->place[slot].leaving = true;
	tell(board, slot, HEAD_LEAVING, 0);
}

/* The number of lines that a worker has lost and that are not reported. */
static uint64_t
lost_by(const struct place *place, unsigned log)
{
	uint64_t lost;

	if (!place->alive || place->memory == NULL)
		return 0;
	lost = GET(place->memory->page.lost[log]);
	return lost < place->told[log] || lost > UINT32_MAX ? 0 :
	    lost - place->told[log];
}

static void
keep_lost(struct sums *sums, const struct place *place)
{
	for (unsigned log = 0; log < SCORE_LOGS; log++)
		sums->lost[log] += lost_by(place, log);
}

/* Add the counts of a worker that has died.  A request that was begun and is
 * not over died with it. */
static void
fold(struct board *board, struct place *place)
{
	struct sums *sums = board->sums;
	uint64_t over = 0;

	for (unsigned i = SCORE_SERVED; i < SCORE_COUNTERS; i++)
		over += place->counts[i];
	if (place->counts[SCORE_BEGUN] > over + 1) {
		place->untrue = true;
		place->counts[SCORE_BEGUN] = over;
	}
	sums->n[SCORE_KILLED] += place->counts[SCORE_BEGUN] - over;
	for (unsigned i = 0; i < SCORE_COUNTERS; i++)
		sums->n[i] += place->counts[i];
}

bool
board_dead(struct board *board, unsigned slot)
{
	struct place *place = &board->place[slot];
	bool untrue;

	if (!place->alive)
		return true;
	if (place->memory != NULL)
		board_count_place(board, place);
	for (size_t i = 0; place->memory != NULL && i < SCORE_LISTENERS; i++)
		board->accepted[i] += GET(place->memory->page.accepted[i]);
	keep_lost(board->sums, place);
	fold(board, place);
	untrue = place->untrue;
	empty(place);
	tell(board, slot, 0, 0xff);
	return !untrue;
}

void
board_recycled(struct board *board, unsigned slot)
{
	const struct score_memory *memory = board->place[slot].memory;
	int cause = memory == NULL ? 0 : GET(memory->page.cause);

	if (cause > 0 && cause <= SCORE_CAUSES)
		board_add_fact(board, FACT_RECYCLED + (unsigned)cause - 1);
}

/* A worker cannot have counted more than one line in a microsecond. */
uint64_t
board_repeats(const struct board *board, unsigned slot)
{
	const struct place *place = &board->place[slot];
	uint64_t passed = (uint64_t)(clock_ms() - place->born + 1) * 1000;
	uint64_t repeats = place->memory == NULL ? 0 :
	    GET(place->memory->page.repeats);

	return repeats < passed ? repeats : 0;
}

const void *
board_stash(const struct board *board, unsigned slot)
{
	const struct score_memory *memory = board->place[slot].memory;

	return memory == NULL ? NULL : memory->stash;
}

/* ---- what all workers are told ------------------------------------------- */

void
board_set_limit(struct board *board, unsigned limit)
{
	board->limit = limit;
}

void
board_set_last(struct board *board, bool last)
{
	atomic_store(&board->head->last, last);
}

void
board_set_replaced(struct board *board, bool replaced)
{
	atomic_store(&board->head->replaced, replaced);
}

static bool
is_idle(const struct place *place)
{
	return place->alive && !place->leaving && place->memory != NULL &&
	    atomic_load(&place->memory->page.state) == SCORE_IDLE;
}

static int
by_rest(const void *a, const void *b)
{
	const struct rest *x = a, *y = b;

	return (x->since > y->since) - (x->since < y->since);
}

/* Sort the idle workers into rests, longest idle first.  Returns how many. */
static unsigned
sort_idle(struct board *board)
{
	unsigned n = 0;

	for (unsigned i = 0; i < board->nslots; i++)
		if (is_idle(&board->place[i]))
			board->rests[n++] = (struct rest){
				GET(board->place[i].memory->page.since), i };
	qsort(board->rests, n, sizeof(*board->rests), by_rest);
	return n;
}

bool
board_ask(struct board *board, unsigned idle)
{
	unsigned n;

	for (unsigned i = 0; i < board->nslots; i++)
		if (GET(board->head->slot[i]) & HEAD_TELL)
			tell(board, i, 0, HEAD_TELL);
	if (idle == 0)
		return true;
	n = sort_idle(board);
	if (n < idle)
		return false;
	atomic_fetch_add(&board->head->asked, 1);
	for (unsigned i = 0; i < idle; i++)
		tell(board, board->rests[i].slot, HEAD_TELL, 0);
	/* A worker that went busy before it was asked does not report. */
	for (unsigned i = 0; i < idle; i++)
		if (!is_idle(&board->place[board->rests[i].slot]))
			return false;
	return true;
}

/* ---- lines that a log does not take -------------------------------------- */

static void
set_lossy(struct board *board, unsigned log, bool lossy)
{
	struct board *b;

	for (b = board->sums->boards; b != NULL; b = b->next)
		atomic_store(&b->head->lossy[log], lossy);
}

void
board_lose_line(struct board *board, unsigned log, int error)
{
	board->sums->lost[log]++;
	board->sums->error[log] = error;
}

bool
board_loses(struct board *board, unsigned log, int *error)
{
	bool any = board->sums->lost[log] > 0;

	if (GET(board->head->lossy[log]))
		return false;
	*error = board->sums->error[log];
	for (unsigned i = 0; i < board->nslots; i++) {
		const struct place *place = &board->place[i];

		if (lost_by(place, log) == 0)
			continue;
		any = true;
		*error = GET(place->memory->page.lost_error[log]);
	}
	if (any)
		set_lossy(board, log, true);
	return any;
}

bool
board_is_lossy(const struct board *board, unsigned log)
{
	return GET(board->head->lossy[log]) != 0;
}

uint64_t
board_forget_lost(struct board *board, unsigned log)
{
	uint64_t sum = board->sums->lost[log], n;
	struct board *b;

	board->sums->lost[log] = 0;
	for (b = board->sums->boards; b != NULL; b = b->next)
		for (unsigned i = 0; i < b->nslots; i++) {
			n = lost_by(&b->place[i], log);
			b->place[i].told[log] += n;
			sum += n;
		}
	set_lossy(board, log, false);
	return sum;
}

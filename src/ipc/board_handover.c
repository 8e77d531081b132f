#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sealed.h"
#include "ipc/board_impl.h"

#define SLOTS_MOST (1 << 20)
#define FIRST_MOST (1 << 30)
#define NAME_ROOM  40

/* ---- counts and facts, by names that every build knows ------------------- */

static const char *const counters[SCORE_SERVED] = {
	[SCORE_BEGUN] = "begun",
	[SCORE_KILLED] = "killed",
	[SCORE_ERRORS] = "errors",
	[SCORE_TIMEOUTS] = "timeouts",
	[SCORE_QUEUED] = "queued",
	[SCORE_SLOW] = "slow",
	[SCORE_ABANDONED] = "abandoned",
	[SCORE_REFUSED] = "refused",
	[SCORE_BYTES_IN] = "bytes_in",
	[SCORE_BYTES_OUT] = "bytes_out",
	[SCORE_LATENCY] = "latency",
};

static const char *const facts[BOARD_FACTS] = {
	[FACT_STARTED] = "since",
	[FACT_GENERATION] = "generation",
	[FACT_RELOADS] = "reloads",
	[FACT_REFUSED] = "refused",
	[FACT_LAST_REFUSED] = "last_refused",
	[FACT_FORKED] = "forked",
	[FACT_CRASHES] = "crashes",
	[FACT_LOADS_FAILED] = "loads_failed",
	[FACT_RESTARTS] = "restarts",
	[FACT_RECYCLED + CAUSE_REQUESTS] = "recycled_requests",
	[FACT_RECYCLED + CAUSE_AGE] = "recycled_age",
	[FACT_RECYCLED + CAUSE_RSS] = "recycled_rss",
	[FACT_RECYCLED + CAUSE_MEMORY] = "recycled_memory",
	[FACT_RECYCLED + CAUSE_RESTART] = "recycled_restart",
	[FACT_RECYCLED + CAUSE_RETIRE] = "recycled_retire",
	[FACT_FAILURES] = "failures",
	[FACT_RETRY] = "retry",
	[FACT_MAX_CHILDREN] = "max_children",
	[FACT_MAX_ACTIVE] = "max_active",
	[FACT_MAX_QUEUE] = "max_queue",
	[FACT_PEAK] = "peak",
};

/* "served_2xx_500": requests with status 2xx in the bucket up to 500 us. */
static const char *
counter_name(unsigned counter, char out[NAME_ROOM])
{
	unsigned at = counter - SCORE_SERVED;

	if (counter < SCORE_SERVED)
		return counters[counter];
	snprintf(out, NAME_ROOM, "served_%uxx_%" PRId64, at / SCORE_BUCKETS,
	    score_bucket_us(at % SCORE_BUCKETS));
	return out;
}

static void
put_counts(const uint64_t n[SCORE_COUNTERS], struct buf *out)
{
	char name[NAME_ROOM];

	for (unsigned i = 0; i < SCORE_COUNTERS; i++)
		if (n[i] != 0)
			record_put_number(out, counter_name(i, name),
			    (int64_t)n[i]);
}

static void
take_counts(uint64_t n[SCORE_COUNTERS], const struct record *record)
{
	char name[NAME_ROOM];

	for (unsigned i = 0; i < SCORE_COUNTERS; i++)
		n[i] = (uint64_t)record_number(record, counter_name(i, name),
		    0);
}

/* Numbers of lines, "told_0" for the first log. */
static void
put_lines(const char *what, const uint64_t n[SCORE_LOGS], struct buf *out)
{
	char name[NAME_ROOM];

	for (unsigned i = 0; i < SCORE_LOGS; i++) {
		snprintf(name, sizeof(name), "%s_%u", what, i);
		if (n[i] != 0)
			record_put_number(out, name, (int64_t)n[i]);
	}
}

static void
take_lines(const char *what, uint64_t n[SCORE_LOGS],
    const struct record *record)
{
	char name[NAME_ROOM];

	for (unsigned i = 0; i < SCORE_LOGS; i++) {
		snprintf(name, sizeof(name), "%s_%u", what, i);
		n[i] = (uint64_t)record_number(record, name, 0);
	}
}

static void
put_sums(const struct sums *sums, struct buf *out)
{
	record_put_number(out, "sums", (int64_t)(intptr_t)sums);
	put_counts(sums->n, out);
	put_lines("lost", sums->lost, out);
	for (unsigned i = 0; i < BOARD_FACTS; i++)
		if (sums->facts[i] != 0)
			record_put_number(out, facts[i], sums->facts[i]);
}

static void
take_sums(struct sums *sums, const struct record *record)
{
	take_counts(sums->n, record);
	take_lines("lost", sums->lost, record);
	for (unsigned i = 0; i < BOARD_FACTS; i++)
		sums->facts[i] = record_number(record, facts[i], 0);
}

/* ---- leaving ------------------------------------------------------------- */

static void
put_place(struct board *board, struct place *place, struct buf *out)
{
	struct buf record = { 0 };

	if (place->memory != NULL)
		board_count_place(board, place);
	record_put_number(&record, "number", place - board->place);
	record_put_number(&record, "pid", place->pid);
	record_put_number(&record, "born", place->born);
	record_put_number(&record, "leaving", place->leaving);
	record_put_fd(&record, "fd", place->fd);
	put_counts(place->counts, &record);
	put_lines("told", place->told, &record);
	record_put(out, "place", record.data, record.len);
	out->failed |= record.failed;
	buf_free(&record);
}

void
board_hand_over(struct board *board, struct buf *out)
{
	put_sums(board->sums, out);
	record_put_number(out, "slots", board->nslots);
	record_put_number(out, "first", board->first);
	record_put_number(out, "full", board->full);
	record_put_fd(out, "head", board->fd);
	record_put_fd(out, "head_read", board->fd_read);
	for (unsigned i = 0; i < board->nslots; i++)
		if (board->place[i].alive)
			put_place(board, &board->place[i], out);
}

/* ---- taking over --------------------------------------------------------- */

/* Totals taken over so far: those of a pool come with its first record. */
static struct sums *taken;

static struct sums *
find_sums(const struct record *record)
{
	int64_t id = record_number(record, "sums", 0);
	struct sums *sums = taken;

	while (sums != NULL && sums->id != id)
		sums = sums->next;
	if (sums != NULL || (sums = calloc(1, sizeof(*sums))) == NULL)
		return sums;
	take_sums(sums, record);
	sums->id = id;
	sums->users = 1; /* the list `taken` */
	sums->next = taken;
	taken = sums;
	return sums;
}

void
board_all_taken_over(void)
{
	struct sums *sums;

	while ((sums = taken) != NULL) {
		taken = sums->next;
		if (--sums->users == 0)
			free(sums);
	}
}

static bool
is_ours(const struct score_memory *memory)
{
	uint32_t version = atomic_load(&memory->page.version);

	return version == 0 || version == SCORE_VERSION;
}

static void
take_place(struct board *board, const struct record *record)
{
	int64_t number = record_number(record, "number", -1);
	struct place *place;

	if (number < 0 || number >= board->nslots ||
	    board->place[number].alive)
		return;
	place = &board->place[number];
	place->alive = true;
	place->pid = (pid_t)record_number(record, "pid", 0);
	place->born = record_number(record, "born", 0);
	place->leaving = record_number(record, "leaving", 0) != 0;
	place->fd = record_fd(record, "fd");
	take_counts(place->counts, record);
	take_lines("told", place->told, record);
	if (sealed_is_room(place->fd, sizeof(*place->memory)))
		board_map(place);
	/* The version is 0 until the worker has mapped its slot. */
	if (place->memory != NULL && !is_ours(place->memory))
		board_unmap(place);
}

static int
take_head(struct board *board, const struct record *record)
{
	int64_t first = record_number(record, "first", 0);

	board->full = record_number(record, "full", 0) != 0;
	board->fd = record_fd(record, "head");
	board->fd_read = record_fd(record, "head_read");
	if (first < 0 || first > FIRST_MOST || board->fd_read == -1 ||
	    !sealed_is_room(board->fd, score_head_size(board->nslots))) {
		errno = EPROTO;
		return -1;
	}
	board->first = (unsigned)first;
	return board_map_head(board);
}

struct board *
board_take_over(const struct record *record)
{
	int64_t slots = record_number(record, "slots", 0);
	const char *rest = record->value;
	size_t len = record->len;
	struct record part;
	struct board *board = NULL;
	struct sums *sums;

	errno = EPROTO;
	if (slots > 0 && slots <= SLOTS_MOST)
		board = board_make((unsigned)slots);
	if (board == NULL || (sums = find_sums(record)) == NULL) {
		board_free(board);
		return NULL;
	}
	if (take_head(board, record) == -1) {
		board_free(board);
		return NULL;
	}
	board_join(board, sums);
	while (record_next(&rest, &len, &part))
		if (record_is(&part, "place"))
			take_place(board, &part);
	return board;
}

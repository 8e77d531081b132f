#include <string.h>

#include "base/clock.h"
#include "ipc/board_impl.h"
#include "ipc/output_tag.h"

#define TRIES 20

/* Bounds that no worker can exceed. */
#define SLACK_US     1000000	      /* between two readings of clocks */
#define BYTES_MOST   ((int64_t)1 << 40) /* of memory */
#define CONNS_MOST   (1 << 20)
#define CPU_MOST     1000000	      /* a hundred processors */
#define BYTES_PER_US 100000	      /* in or out of one worker */
#define REQUESTS_PER_US 10

static const size_t text_offsets[SCORE_TEXTS] = {
	[TEXT_METHOD] = offsetof(struct score_slot, method),
	[TEXT_URI] = offsetof(struct score_slot, uri),
	[TEXT_SCRIPT] = offsetof(struct score_slot, script),
	[TEXT_USER] = offsetof(struct score_slot, user),
	[TEXT_REMOTE] = offsetof(struct score_slot, remote),
	[TEXT_ID] = offsetof(struct score_slot, id),
};

static int64_t
clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* ---- a worker's counts --------------------------------------------------- */

/* From the last counter to the first, SCORE_BEGUN, so that there are never more
 * finished requests than begun ones. */
static void
copy_counts(const struct score_page *page, uint64_t n[SCORE_COUNTERS])
{
	for (unsigned i = SCORE_COUNTERS; i-- > 0;) {
		n[i] = GET(page->n[i]);
		atomic_thread_fence(memory_order_acquire);
	}
}

/* False if the counts are impossible: counts never go back, and a worker serves
 * one request at a time, within the time since its birth. */
static bool
can_be_true(const struct place *place, const uint64_t n[SCORE_COUNTERS])
{
	uint64_t passed = (uint64_t)(clock_us() - place->born * 1000 +
	    SLACK_US), over = 0;

	for (unsigned i = 0; i < SCORE_COUNTERS; i++)
		if (n[i] < place->counts[i])
			return false;
	for (unsigned i = SCORE_SERVED; i < SCORE_COUNTERS; i++) {
		if (n[i] > passed * REQUESTS_PER_US)
			return false;
		over += n[i];
	}
	return over <= n[SCORE_BEGUN] &&
	    n[SCORE_BEGUN] <= passed * REQUESTS_PER_US &&
	    n[SCORE_KILLED] == 0 && n[SCORE_ERRORS] <= n[SCORE_BEGUN] &&
	    n[SCORE_TIMEOUTS] <= n[SCORE_BEGUN] &&
	    n[SCORE_QUEUED] <= n[SCORE_BEGUN] &&
	    n[SCORE_SLOW] <= n[SCORE_BEGUN] &&
	    n[SCORE_REFUSED] <= n[SCORE_BEGUN] &&
	    n[SCORE_ABANDONED] <= passed * REQUESTS_PER_US &&
	    n[SCORE_LATENCY] <= passed &&
	    n[SCORE_BYTES_IN] / BYTES_PER_US <= passed &&
	    n[SCORE_BYTES_OUT] / BYTES_PER_US <= passed;
}

void
board_count_place(struct board *board, struct place *place)
{
	uint64_t n[SCORE_COUNTERS];

	board_raise_fact(board, FACT_PEAK,
	    clamp(GET(place->memory->page.peak), 0, BYTES_MOST));
	if (place->untrue)
		return;
	copy_counts(&place->memory->page, n);
	if (can_be_true(place, n))
		memcpy(place->counts, n, sizeof(n));
	else
		place->untrue = true;
}

uint64_t
board_accepted(const struct board *board, size_t listener)
{
	size_t i = score_listener(listener);
	uint64_t sum = board->accepted[i];

	for (unsigned slot = 0; slot < board->nslots; slot++)
		if (board->place[slot].memory != NULL)
			sum += GET(board->place[slot].memory->page.accepted[i]);
	return sum;
}

/* ---- a snapshot ---------------------------------------------------------- */

static enum score_state
state_of(const struct place *place)
{
	int state;

	if (!place->alive)
		return SCORE_FREE;
	if (place->leaving || place->memory == NULL)
		return SCORE_LEAVING;
	state = atomic_load(&place->memory->page.state);
	if (state < SCORE_STARTING || state > SCORE_INTERVAL)
		return SCORE_STARTING;
	return (enum score_state)state;
}

static void
read_text(const struct score_page *page, enum score_text which,
    struct score_slot *out)
{
	const struct score_place *place = &score_places[which];
	char *text = (char *)out + text_offsets[which], *nul;
	size_t len = GET(page->text_len[which]);
	uint64_t word;

	if (len > place->words * 8 - 1)
		len = place->words * 8 - 1;
	for (size_t i = 0; i <= len / 8; i++) {
		word = GET(page->text[place->word + i]);
		memcpy(text + i * 8, &word, 8);
	}
	text[len] = '\0';
	while ((nul = memchr(text, '\0', len)) != NULL)
		*nul = '?';
}

static void
read_requests(const struct score_page *page, struct score_slot *out)
{
	uint64_t most = (uint64_t)INT64_MAX;

	out->done = 0;
	for (unsigned i = SCORE_SERVED; i < SCORE_COUNTERS; i++)
		out->done += GET(page->n[i]);
	atomic_thread_fence(memory_order_acquire);
	out->requests = GET(page->n[SCORE_BEGUN]);
	if (out->requests > most)
		out->requests = most;
	if (out->done > out->requests)
		out->done = out->requests;
}

static void
read_gauges(const struct score_page *page, struct score_slot *out)
{
	static const int64_t most[SCORE_GAUGES] = { [GAUGE_HEAP] = BYTES_MOST,
		[GAUGE_RSS] = BYTES_MOST, [GAUGE_CPU] = CPU_MOST,
		[GAUGE_CONNECTIONS] = CONNS_MOST };

	for (unsigned i = 0; i < SCORE_GAUGES; i++)
		out->gauge[i] = clamp(GET(page->gauge[i]),
		    i == GAUGE_CPU ? -1 : 0, most[i]);
}

/* A place that is untrue shows its last possible counts. */
static void
believe_less(const struct place *place, struct score_slot *out)
{
	out->requests = place->counts[SCORE_BEGUN];
	out->done = 0;
	for (unsigned i = SCORE_SERVED; i < SCORE_COUNTERS; i++)
		out->done += place->counts[i];
}

static void
copy(const struct place *place, struct score_slot *out)
{
	const struct score_page *page = &place->memory->page;
	int64_t now = clock_us(), born = place->born * 1000;

	out->state = state_of(place);
	out->since = clamp(GET(page->since), place->born, now / 1000);
	out->begun = clamp(GET(page->begun), born, now);
	out->took = clamp(GET(page->took), 0, now - born);
	out->length = clamp(GET(page->length), -1, INT64_MAX);
	out->status = (int)clamp(GET(page->status), 0, 999);
	out->line = GET(page->line);
	read_requests(page, out);
	if (place->untrue)
		believe_less(place, out);
	read_gauges(page, out);
	for (unsigned i = 0; i < SCORE_TEXTS; i++)
		read_text(page, i, out);
	if (!output_tag_is_id(out->id, strlen(out->id)))
		out->id[0] = '\0';
}

/* Set what the master knows without the worker's memory. */
static void
begin(const struct board *board, const struct place *place,
    struct score_slot *out)
{
	*out = (struct score_slot){ .state = state_of(place),
		.pid = place->pid, .born = place->born, .since = place->born,
		.length = -1, .line = SCORE_NO_LINE,
		.number = board->first + (unsigned)(place - board->place) };
}

static bool
read_place(const struct board *board, const struct place *place,
    struct score_slot *out)
{
	const struct score_page *page;
	uint32_t before;

	begin(board, place, out);
	if (!place->alive || place->memory == NULL)
		return false;
	page = &place->memory->page;
	for (int try = 0; try < TRIES; try++) {
		before = atomic_load_explicit(&page->seq,
		    memory_order_acquire);
		copy(place, out);
		atomic_thread_fence(memory_order_acquire);
		if ((before & 1) == 0 && GET(page->seq) == before)
			return true;
	}
	begin(board, place, out);
	return false;
}

bool
board_read(const struct board *board, unsigned slot, struct score_slot *out)
{
	return slot < board->nslots &&
	    read_place(board, &board->place[slot], out);
}

bool
board_read_last(const struct board *board, unsigned slot,
    struct score_slot *out)
{
	const struct place *place = &board->place[slot];

	if (slot >= board->nslots || !place->alive || place->memory == NULL)
		return false;
	begin(board, place, out);
	copy(place, out);
	return true;
}

/* ---- all workers --------------------------------------------------------- */

static void
count_state(enum score_state state, struct score_counts *counts)
{
	switch (state) {
	case SCORE_STARTING:
		counts->starting++;
		break;
	case SCORE_IDLE:
		counts->idle++;
		break;
	case SCORE_BUSY:
	case SCORE_FINISHING:
	case SCORE_RESTARTING:
	case SCORE_INTERVAL:
		counts->busy++;
		break;
	case SCORE_LEAVING:
		counts->leaving++;
		break;
	default:
		break;
	}
}

/* By the worker's own state, because a worker that leaves may be serving. */
static bool
is_active(const struct place *place)
{
	int state;

	if (!place->alive || place->memory == NULL)
		return false;
	state = atomic_load(&place->memory->page.state);
	return state == SCORE_BUSY || state == SCORE_FINISHING;
}

void
board_look(struct board *board, struct score_counts *counts)
{
	unsigned active = 0;
	bool full;

	*counts = (struct score_counts){ 0 };
	for (unsigned i = 0; i < board->nslots; i++) {
		active += is_active(&board->place[i]);
		count_state(state_of(&board->place[i]), counts);
	}
	board_raise_fact(board, FACT_MAX_ACTIVE, active);
	full = board->limit > 0 && active >= board->limit;
	if (full && !board->full)
		board_add_fact(board, FACT_MAX_CHILDREN);
	board->full = full;
}

static void
sum_place(struct board *board, struct place *place, struct score_sum *sum)
{
	struct score_slot seen = { 0 };

	if (!place->alive)
		return;
	if (!board->aside)
		count_state(state_of(place), &sum->workers);
	if (place->memory != NULL)
		board_count_place(board, place);
	for (unsigned i = 0; i < SCORE_COUNTERS; i++)
		sum->n[i] += place->counts[i];
	if (place->memory == NULL)
		return;
	read_gauges(&place->memory->page, &seen);
	for (unsigned i = 0; i < SCORE_GAUGES; i++)
		sum->gauge[i] += seen.gauge[i];
}

void
board_sum(struct board *board, struct score_sum *sum)
{
	struct board *b;

	*sum = (struct score_sum){ 0 };
	memcpy(sum->n, board->sums->n, sizeof(sum->n));
	for (b = board->sums->boards; b != NULL; b = b->next)
		for (unsigned i = 0; i < b->nslots; i++)
			sum_place(b, &b->place[i], sum);
}

/* The living worker with the lowest number from `at` on: its board and *slot;
 * NULL: no such worker. */
static const struct board *
next_alive(const struct sums *sums, unsigned at, unsigned *slot)
{
	const struct board *b, *found = NULL;
	unsigned i;

	for (b = sums->boards; b != NULL; b = b->next) {
		i = at > b->first ? at - b->first : 0;
		while (i < b->nslots && !b->place[i].alive)
			i++;
		if (i >= b->nslots || (found != NULL &&
		    b->first + i > found->first + *slot))
			continue;
		found = b;
		*slot = i;
	}
	return found;
}

bool
board_next(const struct board *board, unsigned *at, struct score_slot *out)
{
	unsigned slot = 0;
	const struct board *found = next_alive(board->sums, *at, &slot);

	if (found == NULL)
		return false;
	read_place(found, &found->place[slot], out);
	*at = out->number + 1;
	return true;
}

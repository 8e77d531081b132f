#include <string.h>
#include <time.h>

#include "share/score_page.h"

/* From a tenth of a millisecond on: a quick request takes less than one. */
static const int64_t bounds[SCORE_BUCKETS] = { 100, 250, 500, 1000, 2500,
	5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,
	5000000, 10000000, -1 };

int64_t
score_bucket_us(unsigned bucket)
{
	return bounds[bucket];
}

unsigned
score_served_as(int status, int64_t took)
{
	unsigned class = 0, bucket = 0;

	if (status > 0)
		class = status < 200 ? 1 : status > 499 ? 5 :
		    (unsigned)status / 100;
	while (bounds[bucket] != -1 && took > bounds[bucket])
		bucket++;
	return SCORE_SERVED + class * SCORE_BUCKETS + bucket;
}

bool
score_last(const struct score *score)
{
	return atomic_load(&score->mine->last);
}

bool
score_is_leaving(const struct score *score, unsigned slot)
{
	return (atomic_load(&score_word(score, slot)->leaving) &
	    score_bit(slot)) != 0;
}

bool
score_heirs(const struct score *score)
{
	struct score_counts counts;

	if (score_last(score))
		return false;
	score_count(score, &counts);
	return atomic_load(&score->mine->replaced) ||
	    counts.starting + counts.idle + counts.busy > 0;
}

int64_t
score_fact(const struct score *score, enum score_fact fact)
{
	return score->capacity == 0 ? 0 : GET(score->head->facts[fact]);
}

/* ---- a slot -------------------------------------------------------------- */

/* The bit before the state, as score_dead has it the other way round. */
static enum score_state
seen_state(const struct score_word *word, const struct score_page *page,
    unsigned slot)
{
	bool leaving = atomic_load(&word->leaving) & score_bit(slot);
	int state = atomic_load(&page->state);

	if (state <= SCORE_FREE || state > SCORE_BUSY)
		return SCORE_FREE;
	return leaving ? SCORE_LEAVING : (enum score_state)state;
}

void
score_count(const struct score *score, struct score_counts *counts)
{
	unsigned n[SCORE_LEAVING + 1] = { 0 };
	unsigned slot;

	for (slot = 0; slot < score->slots; slot++)
		n[seen_state(score_word(score, slot), &score->pages[slot],
		    slot)]++;
	*counts = (struct score_counts){ .starting = n[SCORE_STARTING],
		.idle = n[SCORE_IDLE], .busy = n[SCORE_BUSY],
		.leaving = n[SCORE_LEAVING] };
}

static void
read_text(const struct score_page *page, enum score_text which,
    struct score_slot *out)
{
	const struct score_place *place = &score_places[which];
	char *text = (char *)out + place->offset, *nul;
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

/* Over before begun: then what is in hand is not negative. */
static void
read_requests(const struct score_page *page, struct score_slot *out)
{
	out->done = 0;
	for (unsigned i = SCORE_SERVED; i < SCORE_COUNTERS; i++)
		out->done += GET(page->n[i]);
	atomic_thread_fence(memory_order_acquire);
	out->requests = GET(page->n[SCORE_BEGUN]);
}

static void
copy(const struct score_page *page, struct score_slot *out)
{
	out->pid = GET(page->pid);
	out->born = GET(page->born);
	out->since = GET(page->since);
	out->begun = GET(page->begun);
	out->took = GET(page->took);
	out->length = GET(page->length);
	out->status = GET(page->status);
	out->line = GET(page->line);
	read_requests(page, out);
	for (unsigned i = 0; i < SCORE_GAUGES; i++)
		out->gauge[i] = GET(page->gauge[i]);
	for (unsigned i = 0; i < SCORE_TEXTS; i++)
		read_text(page, i, out);
}

static bool
read_page(const struct score_word *word, const struct score_page *page,
    unsigned slot, struct score_slot *out)
{
	uint32_t before, after;
	int try;

	for (try = 0; try < SCORE_TRIES; try++) {
		before = atomic_load_explicit(&page->seq,
		    memory_order_acquire);
		out->state = seen_state(word, page, slot);
		copy(page, out);
		atomic_thread_fence(memory_order_acquire);
		after = GET(page->seq);
		if (before == after && (before & 1) == 0)
			return true;
	}
	return false;
}

bool
score_read(const struct score *score, unsigned slot, struct score_slot *out)
{
	return slot < score->slots && read_page(score_word(score, slot),
	    &score->pages[slot], slot, out);
}

bool
score_read_last(const struct score *score, unsigned slot,
    struct score_slot *out)
{
	const struct score_page *page = &score->pages[slot];

	if (slot >= score->slots)
		return false;
	out->state = seen_state(score_word(score, slot), page, slot);
	copy(page, out);
	return true;
}

/* ---- the board ----------------------------------------------------------- */

/* The first living slot from `at` on, or the capacity. */
static unsigned
next_alive(const struct score *score, unsigned at)
{
	const struct score_word *words = score->head->words;
	uint64_t alive;

	while (at < score->capacity) {
		alive = atomic_load(&words[at / WORD_BITS].alive) &
		    ~(score_bit(at) - 1);
		at -= at % WORD_BITS;
		if (alive != 0)
			return at + (unsigned)__builtin_ctzll(alive);
		at += WORD_BITS;
	}
	return score->capacity;
}

bool
score_next(const struct score *score, unsigned *at, struct score_slot *out)
{
	const struct score_page *page;
	const struct score_word *word;
	unsigned slot = next_alive(score, *at);

	*at = slot + 1;
	if (slot >= score->capacity)
		return false;
	page = &score->board[slot];
	word = &score->head->words[slot / WORD_BITS];
	if (!read_page(word, page, slot, out))
		*out = (struct score_slot){ .pid = GET(page->pid),
			.state = seen_state(word, page, slot) };
	return true;
}

/* Over before begun, once more: SCORE_BEGUN is the first counter. */
static void
sum_counters(const _Atomic uint64_t *n, struct score_sum *sum)
{
	for (unsigned i = SCORE_COUNTERS; i-- > 0;) {
		sum->n[i] += GET(n[i]);
		atomic_thread_fence(memory_order_acquire);
	}
}

static void
sum_slot(const struct score *score, unsigned slot, struct score_sum *sum)
{
	const struct score_page *page = &score->board[slot];

	switch (seen_state(&score->head->words[slot / WORD_BITS], page,
	    slot)) {
	case SCORE_STARTING:
		sum->workers.starting++;
		break;
	case SCORE_IDLE:
		sum->workers.idle++;
		break;
	case SCORE_BUSY:
		sum->workers.busy++;
		break;
	case SCORE_LEAVING:
		sum->workers.leaving++;
		break;
	case SCORE_FREE:
		break;
	}
	sum_counters(page->n, sum);
	for (unsigned i = 0; i < SCORE_GAUGES; i++)
		sum->gauge[i] += GET(page->gauge[i]);
}

/*
 * Again if the master has moved a dead worker's counts meanwhile.  It does so
 * within microseconds, unless it must wait for a processor in the middle: then
 * there is time to wait for it.  If it died at it, the last look must do.
 */
void
score_sum(const struct score *score, struct score_sum *sum)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	const struct score_head *head = score->head;
	uint32_t before, after;
	unsigned slot;

	*sum = (struct score_sum){ 0 };
	if (score->capacity == 0)
		return;
	for (int try = 0; try < SCORE_TRIES; try++) {
		*sum = (struct score_sum){ 0 };
		before = atomic_load_explicit(&head->folding,
		    memory_order_acquire);
		sum_counters(head->totals, sum);
		for (slot = next_alive(score, 0); slot < score->capacity;
		    slot = next_alive(score, slot + 1))
			sum_slot(score, slot, sum);
		atomic_thread_fence(memory_order_acquire);
		after = GET(head->folding);
		if (before == after && (before & 1) == 0)
			return;
		if (try >= SCORE_EAGER)
			nanosleep(&pause, NULL);
	}
}

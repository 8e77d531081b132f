#include <string.h>

#include "base/clock.h"
#include "share/score_page.h"

/* ---- writing a page: begin, relaxed stores, end ------------------------- */

static struct score_page *
begin(struct score *score, unsigned slot)
{
	struct score_page *page = &score->pages[slot];
	uint32_t seq = GET(page->seq);

	/* Odd already: a killed writer's; nobody has read it as whole. */
	SET(page->seq, seq | 1);
	atomic_thread_fence(memory_order_release);
	return page;
}

static void
end(struct score_page *page)
{
	uint32_t seq = GET(page->seq);

	atomic_store_explicit(&page->seq, seq + 1, memory_order_release);
}

/*
 * The state is stored sequentially consistent, as are the bitmaps and the
 * threshold: a master that sets the threshold and then counts, and a worker
 * that goes busy and then looks at the threshold, cannot miss each other.
 */
static void
enter(struct score_page *page, enum score_state state, int64_t now)
{
	atomic_store(&page->state, (int)state);
	SET(page->since, now);
}

/* Cut and always terminated, in whole words, and no more of them than it
 * takes. */
static void
put_text(struct score_page *page, enum score_text which, const char *data,
    size_t len)
{
	const struct score_place *place = &score_places[which];
	_Atomic uint64_t *words = &page->text[place->word];
	uint64_t word;
	size_t i;

	if (len > place->words * 8 - 1)
		len = place->words * 8 - 1;
	SET(page->text_len[which], (uint16_t)len);
	for (i = 0; i + 8 <= len; i += 8) {
		memcpy(&word, data + i, 8);
		SET(words[i / 8], word);
	}
	word = 0;
	if (i < len)
		memcpy(&word, data + i, len - i);
	SET(words[i / 8], word);
}

static void
reset(struct score *score, unsigned slot, enum score_state state, pid_t pid)
{
	struct score_page *page = begin(score, slot);

	enter(page, state, clock_ms());
	SET(page->pid, pid);
	SET(page->cause, 0);
	SET(page->born, GET(page->since));
	SET(page->begun, 0);
	SET(page->took, 0);
	SET(page->length, -1);
	SET(page->status, 0);
	SET(page->line, SCORE_NO_LINE);
	for (unsigned i = 0; i < SCORE_GAUGES; i++)
		SET(page->gauge[i], i == GAUGE_CPU ? -1 : 0);
	for (unsigned i = 0; i < SCORE_TEXTS; i++)
		put_text(page, i, NULL, 0);
	end(page);
}

/* A counter has one writer. */
static void
add(_Atomic uint64_t *counter, uint64_t n)
{
	SET(*counter, GET(*counter) + n);
}

/* ---- the life of a worker ------------------------------------------------ */

/* FREE before the bits: a reader in between sees it free, not idle again. */
static void
clear_bits(struct score *score, unsigned slot)
{
	struct score_word *word = score_word(score, slot);

	atomic_fetch_and(&word->alive, ~score_bit(slot));
	atomic_fetch_and(&word->idle, ~score_bit(slot));
	atomic_fetch_and(&word->ready, ~score_bit(slot));
	atomic_fetch_and(&word->leaving, ~score_bit(slot));
}

/* The child's own call keeps what the master has told it since fork. */
void
score_born(struct score *score, unsigned slot, pid_t pid)
{
	if (pid == 0)
		clear_bits(score, slot);
	reset(score, slot, SCORE_STARTING, pid);
	atomic_fetch_or(&score_word(score, slot)->alive, score_bit(slot));
}

/* What is over has been counted; what was begun and is not over has died with
 * the worker. */
static uint64_t
in_hand(const struct score_page *page)
{
	uint64_t n = GET(page->n[SCORE_BEGUN]);

	for (unsigned i = SCORE_SERVED; i < SCORE_COUNTERS; i++)
		n -= GET(page->n[i]);
	return n;
}

/* From the slot to the totals; readers wait until both agree. */
static void
fold(struct score_head *head, struct score_page *page)
{
	uint32_t folding = GET(head->folding);

	SET(head->folding, folding | 1);
	atomic_thread_fence(memory_order_release);
	add(&head->totals[SCORE_KILLED], in_hand(page));
	for (unsigned i = 0; i < SCORE_COUNTERS; i++) {
		add(&head->totals[i], GET(page->n[i]));
		SET(page->n[i], 0);
	}
	atomic_store_explicit(&head->folding, (folding | 1) + 1,
	    memory_order_release);
}

void
score_dead(struct score *score, unsigned slot)
{
	if (slot >= score->slots)
		return;
	fold(score->head, &score->pages[slot]);
	reset(score, slot, SCORE_FREE, 0);
	clear_bits(score, slot);
}

void
score_leaving(struct score *score, unsigned slot)
{
	if (slot < score->slots)
		atomic_fetch_or(&score_word(score, slot)->leaving,
		    score_bit(slot));
}

void
score_idle(struct score *score, unsigned slot)
{
	struct score_page *page = begin(score, slot);
	struct score_word *word = score_word(score, slot);
	bool first = GET(page->state) == SCORE_STARTING;

	enter(page, SCORE_IDLE, clock_ms());
	end(page);
	if (GET(score->mine->full))
		atomic_store(&score->mine->full, false);
	atomic_fetch_or(&word->idle, score_bit(slot));
	if (first)
		atomic_fetch_or(&word->ready, score_bit(slot));
}

static unsigned
count_idle(const struct score *score)
{
	const struct score_word *word = score->words;
	unsigned i, n = 0;

	for (i = 0; i < score_words(score->slots); i++, word++)
		n += (unsigned)__builtin_popcountll(
		    atomic_load(&word->idle) & ~atomic_load(&word->leaving));
	return n;
}

/* Those who are leaving may be serving as well. */
static unsigned
count_active(const struct score *score)
{
	const struct score_word *word = score->words;
	unsigned i, n = 0;

	for (i = 0; i < score_words(score->slots); i++, word++)
		n += (unsigned)__builtin_popcountll(
		    atomic_load(&word->ready) & ~atomic_load(&word->idle));
	return n;
}

/* One caller and no more: the one that swaps the threshold for 0. */
static bool
crossed(struct score *score)
{
	uint32_t below = atomic_load(&score->mine->wake_below);

	return below != 0 && count_idle(score) < below &&
	    atomic_compare_exchange_strong(&score->mine->wake_below, &below,
		0);
}

/* Of those that make the last place taken, one notes it. */
static void
note_active(struct score *score)
{
	unsigned active = count_active(score);
	uint32_t limit = GET(score->mine->limit);

	score_raise_fact(score, FACT_MAX_ACTIVE, active);
	if (limit != 0 && active >= limit &&
	    !atomic_exchange(&score->mine->full, true))
		atomic_fetch_add(&score->head->facts[FACT_MAX_CHILDREN], 1);
}

bool
score_busy(struct score *score, unsigned slot,
    const struct score_request *request)
{
	struct score_page *page = begin(score, slot);

	enter(page, SCORE_BUSY, request->begun / 1000);
	add(&page->n[SCORE_BEGUN], 1);
	SET(page->begun, request->begun);
	SET(page->length, request->length);
	SET(page->status, 0);
	SET(page->line, SCORE_NO_LINE);
	for (unsigned i = 0; i < SCORE_TEXTS; i++)
		put_text(page, i, request->text[i].data, request->text[i].len);
	end(page);
	atomic_fetch_and(&score_word(score, slot)->idle, ~score_bit(slot));
	note_active(score);
	return crossed(score);
}

/* The sums first: whoever is killed before the last line was killed in the
 * middle of a request, some of whose bytes have been sent. */
void
score_served(struct score *score, unsigned slot,
    const struct score_outcome *o)
{
	struct score_page *page = &score->pages[slot];

	if (o->failed)
		add(&page->n[SCORE_ERRORS], 1);
	if (o->late)
		add(&page->n[SCORE_TIMEOUTS], 1);
	add(&page->n[SCORE_BYTES_IN], o->bytes_in);
	add(&page->n[SCORE_BYTES_OUT], o->bytes_out);
	add(&page->n[SCORE_LATENCY], (uint64_t)o->took);
	SET(page->took, o->took);
	add(&page->n[score_served_as(o->status, o->took)], 1);
}

void
score_answer(struct score *score, unsigned slot, int status)
{
	SET(score->pages[slot].status, status);
}

/* Before the line itself, whatever a compiler or a processor thinks. */
void
score_line(struct score *score, unsigned slot, int64_t mark)
{
	atomic_store(&score->pages[slot].line, mark);
}

uint64_t
score_lose_line(struct score *score, unsigned log)
{
	return atomic_fetch_add(&score->head->lost[log], 1);
}

uint64_t
score_forget_lost(struct score *score, unsigned log)
{
	if (GET(score->head->lost[log]) == 0)
		return 0;
	return atomic_exchange(&score->head->lost[log], 0);
}

void
score_more(struct score *score, unsigned slot, enum score_counter counter)
{
	add(&score->pages[slot].n[counter], 1);
}

_Atomic uint64_t *
score_repeats(struct score *score, unsigned slot)
{
	return slot < score->slots ? &score->pages[slot].repeats : NULL;
}

void *
score_stash(struct score *score, unsigned slot)
{
	if (slot >= score->slots)
		return NULL;
	return score->stash + (size_t)slot * SCORE_STASH;
}

void
score_gauge(struct score *score, unsigned slot, enum score_gauge gauge,
    int64_t value)
{
	SET(score->pages[slot].gauge[gauge], value);
	if (gauge == GAUGE_HEAP)
		score_raise_fact(score, FACT_PEAK, value);
}

void
score_because(struct score *score, unsigned slot, enum score_cause cause)
{
	struct score_page *page = &score->pages[slot];

	if (GET(page->cause) == 0)
		SET(page->cause, 1 + (int)cause);
}

void
score_recycled(struct score *score, unsigned slot)
{
	int cause = slot < score->slots ? GET(score->pages[slot].cause) : 0;

	if (cause > 0 && cause <= SCORE_CAUSES)
		score_add_fact(score, FACT_RECYCLED + (unsigned)cause - 1);
}

/* ---- what the master says ------------------------------------------------ */

void
score_wake_below(struct score *score, unsigned idle)
{
	atomic_store(&score->mine->wake_below, idle);
}

void
score_set_last(struct score *score, bool last)
{
	atomic_store(&score->mine->last, last);
}

void
score_set_replaced(struct score *score, bool replaced)
{
	atomic_store(&score->mine->replaced, replaced);
}

void
score_set_limit(struct score *score, unsigned limit)
{
	if (score->capacity != 0)
		SET(score->mine->limit, limit);
}

void
score_set_fact(struct score *score, enum score_fact fact, int64_t value)
{
	if (score->capacity != 0)
		SET(score->head->facts[fact], value);
}

void
score_add_fact(struct score *score, enum score_fact fact)
{
	if (score->capacity != 0)
		SET(score->head->facts[fact],
		    GET(score->head->facts[fact]) + 1);
}

void
score_raise_fact(struct score *score, enum score_fact fact, int64_t value)
{
	_Atomic int64_t *place = &score->head->facts[fact];
	int64_t most;

	if (score->capacity == 0)
		return;
	most = GET(*place);
	while (value > most && !atomic_compare_exchange_weak_explicit(place,
	    &most, value, memory_order_relaxed, memory_order_relaxed))
		;
}

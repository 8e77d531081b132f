#include "share/score.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

#define SCORE_VERSION 1
#define SCORE_TRIES   100
#define WORD_BITS     64

/* What the sequence counter protects needs no order of its own. */
#define GET(field)	  atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) \
	atomic_store_explicit(&(field), (value), memory_order_relaxed)

enum { TEXT_WORDS = sizeof(((struct score_slot *)0)->uri) / 8 };

/* Shared.  Odd `seq`: being written, or its writer was killed at it. */
struct score_page {
	alignas(128) _Atomic uint32_t seq;
	_Atomic int state; /* but LEAVING, which is a bit */
	_Atomic pid_t pid;
	_Atomic int64_t born;
	_Atomic int64_t since;
	_Atomic uint64_t requests;
	_Atomic uint64_t method[2];
	_Atomic uint64_t uri[TEXT_WORDS];
};

struct score_word { /* 64 slots */
	_Atomic uint64_t idle;
	_Atomic uint64_t leaving;
};

struct score_head {
	uint32_t version;
	_Atomic unsigned wake_below;
	_Atomic bool last;
	_Atomic bool replaced;
	struct score_word words[];
};

/* Private to a process: what a worker scribbles into the shared pages cannot
 * lead the master outside them. */
struct score {
	unsigned slots;
	unsigned words;
	size_t size;
	struct score_head *head;
	struct score_page *pages;
};

static size_t
score_head_size(unsigned words)
{
	size_t size = sizeof(struct score_head) +
	    words * sizeof(struct score_word);

	return (size + alignof(struct score_page) - 1) &
	    ~(alignof(struct score_page) - 1);
}

static void *
score_map(size_t size)
{
	int fd = memfd_create("lua-fpm-score", MFD_CLOEXEC);
	void *memory = MAP_FAILED;

	if (fd == -1)
		return MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == 0)
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
		    fd, 0);
	close(fd);
	return memory;
}

struct score *
score_new(unsigned n)
{
	struct score *score = calloc(1, sizeof(*score));
	void *memory;

	if (score == NULL)
		return NULL;
	score->slots = n;
	score->words = n / WORD_BITS + (n % WORD_BITS != 0);
	score->size = score_head_size(score->words) +
	    n * sizeof(struct score_page);
	if ((memory = score_map(score->size)) == MAP_FAILED) {
		free(score);
		return NULL;
	}
	score->head = memory;
	score->head->version = SCORE_VERSION;
	score->pages = (void *)((char *)memory +
	    score_head_size(score->words));
	return score;
}

void
score_free(struct score *score)
{
	if (score == NULL)
		return;
	munmap(score->head, score->size);
	free(score);
}

unsigned
score_slots(const struct score *score)
{
	return score->slots;
}

static struct score_word *
score_word(const struct score *score, unsigned slot)
{
	return &score->head->words[slot / WORD_BITS];
}

static uint64_t
score_bit(unsigned slot)
{
	return UINT64_C(1) << slot % WORD_BITS;
}

/* ---- writing a page: begin, relaxed stores, end ------------------------- */

static struct score_page *
score_begin(struct score *score, unsigned slot)
{
	struct score_page *page = &score->pages[slot];
	uint32_t seq = GET(page->seq);

	/* Odd already: a killed writer's; nobody has read it as whole. */
	SET(page->seq, seq | 1);
	atomic_thread_fence(memory_order_release);
	return page;
}

static void
score_end(struct score_page *page)
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
score_state(struct score_page *page, enum score_state state)
{
	atomic_store(&page->state, (int)state);
	SET(page->since, clock_ms());
}

/* A text, cut and always terminated, as whole words. */
static void
score_text(_Atomic uint64_t *words, size_t n, const char *text)
{
	uint64_t copy[TEXT_WORDS] = { 0 };
	size_t i;

	if (text != NULL)
		memcpy(copy, text, strnlen(text, n * 8 - 1));
	for (i = 0; i < n; i++)
		SET(words[i], copy[i]);
}

static void
score_reset(struct score *score, unsigned slot, enum score_state state,
    pid_t pid)
{
	struct score_page *page = score_begin(score, slot);

	score_state(page, state);
	SET(page->pid, pid);
	SET(page->born, GET(page->since));
	SET(page->requests, 0);
	score_text(page->method, 2, NULL);
	score_text(page->uri, TEXT_WORDS, NULL);
	score_end(page);
}

/* ---- the life of a worker ----------------------------------------------- */

static void
score_clear_bits(struct score *score, unsigned slot)
{
	struct score_word *word = score_word(score, slot);

	atomic_fetch_and(&word->idle, ~score_bit(slot));
	atomic_fetch_and(&word->leaving, ~score_bit(slot));
}

/* The child's own call keeps what the master has told it since fork. */
void
score_born(struct score *score, unsigned slot, pid_t pid)
{
	if (pid == 0)
		score_clear_bits(score, slot);
	score_reset(score, slot, SCORE_STARTING, pid);
}

/* FREE before the bits: a reader in between sees it free, not idle again. */
void
score_dead(struct score *score, unsigned slot)
{
	score_reset(score, slot, SCORE_FREE, 0);
	score_clear_bits(score, slot);
}

void
score_leaving(struct score *score, unsigned slot)
{
	atomic_fetch_or(&score_word(score, slot)->leaving, score_bit(slot));
}

void
score_idle(struct score *score, unsigned slot)
{
	struct score_page *page = score_begin(score, slot);

	score_state(page, SCORE_IDLE);
	score_end(page);
	atomic_fetch_or(&score_word(score, slot)->idle, score_bit(slot));
}

static unsigned
score_count_idle(const struct score *score)
{
	const struct score_word *word = score->head->words;
	unsigned i, n = 0;

	for (i = 0; i < score->words; i++, word++)
		n += (unsigned)__builtin_popcountll(
		    atomic_load(&word->idle) & ~atomic_load(&word->leaving));
	return n;
}

/* One caller and no more: the one that swaps the threshold for 0. */
static bool
score_crossed(struct score *score)
{
	unsigned below = atomic_load(&score->head->wake_below);

	return below != 0 && score_count_idle(score) < below &&
	    atomic_compare_exchange_strong(&score->head->wake_below, &below, 0);
}

bool
score_busy(struct score *score, unsigned slot, const char *method,
    const char *uri)
{
	struct score_page *page = score_begin(score, slot);
	uint64_t requests = GET(page->requests);

	score_state(page, SCORE_BUSY);
	SET(page->requests, requests + 1);
	score_text(page->method, 2, method);
	score_text(page->uri, TEXT_WORDS, uri);
	score_end(page);
	atomic_fetch_and(&score_word(score, slot)->idle, ~score_bit(slot));
	return score_crossed(score);
}

void
score_wake_below(struct score *score, unsigned idle)
{
	atomic_store(&score->head->wake_below, idle);
}

void
score_set_last(struct score *score, bool last)
{
	atomic_store(&score->head->last, last);
}

bool
score_last(const struct score *score)
{
	return atomic_load(&score->head->last);
}

void
score_set_replaced(struct score *score, bool replaced)
{
	atomic_store(&score->head->replaced, replaced);
}

/* ---- reading ------------------------------------------------------------ */

/* The bit before the state, as score_dead has it the other way round. */
static enum score_state
score_seen(const struct score *score, unsigned slot)
{
	bool leaving = atomic_load(&score_word(score, slot)->leaving) &
	    score_bit(slot);
	int state = atomic_load(&score->pages[slot].state);

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
		n[score_seen(score, slot)]++;
	*counts = (struct score_counts){ .starting = n[SCORE_STARTING],
		.idle = n[SCORE_IDLE], .busy = n[SCORE_BUSY],
		.leaving = n[SCORE_LEAVING] };
}

bool
score_heirs(const struct score *score)
{
	struct score_counts counts;

	if (score_last(score))
		return false;
	score_count(score, &counts);
	return atomic_load(&score->head->replaced) ||
	    counts.starting + counts.idle + counts.busy > 0;
}

static void
score_read_text(const _Atomic uint64_t *words, size_t n, char *text)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < n; i++) {
		word = GET(words[i]);
		memcpy(text + i * 8, &word, 8);
	}
	text[n * 8 - 1] = '\0';
}

static void
score_copy(const struct score_page *page, struct score_slot *out)
{
	out->pid = GET(page->pid);
	out->born = GET(page->born);
	out->since = GET(page->since);
	out->requests = GET(page->requests);
	score_read_text(page->method, 2, out->method);
	score_read_text(page->uri, TEXT_WORDS, out->uri);
}

bool
score_read(const struct score *score, unsigned slot, struct score_slot *out)
{
	const struct score_page *page = &score->pages[slot];
	uint32_t before, after;
	int try;

	for (try = 0; try < SCORE_TRIES; try++) {
		before = atomic_load_explicit(&page->seq,
		    memory_order_acquire);
		out->state = score_seen(score, slot);
		score_copy(page, out);
		atomic_thread_fence(memory_order_acquire);
		after = GET(page->seq);
		if (before == after && (before & 1) == 0)
			return true;
	}
	return false;
}

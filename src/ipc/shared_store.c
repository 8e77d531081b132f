#include "ipc/shared_store.h"

#include <sys/mman.h>
#include <sys/random.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/sealed.h"

_Static_assert(sizeof(_Atomic uint32_t) == 4 && ATOMIC_INT_LOCK_FREE == 2,
    "a word has the size of what it holds and needs no lock");
_Static_assert(FIELD_INLINE * 4 + STORE_INLINE == STORE_BLOCK,
    "the fields and the first bytes of the content fill a block");
_Static_assert((int)STORE_LOGGED < (int)STORE_JOURNAL,
    "the state ends before the journal");

/*
 * A process ends between two instructions, and what it has stored by then is
 * seen by the next owner of the lock: so only the compiler must keep the order.
 */
#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)

static inline void
set(struct store *store, size_t word, uint32_t value)
{
	atomic_store_explicit(&store->word[word], value, memory_order_relaxed);
}

/* ---- opening ------------------------------------------------------------- */

static void
measure(struct store *store)
{
	size_t words = store->size / 4;

	store->buckets = 16;
	while ((size_t)store->buckets * 2 * STORE_BLOCK <= store->size)
		store->buckets *= 2;
	store->first = STORE_BUCKETS + store->buckets;
	store->first += -store->first % STORE_BLOCK_WORDS;
	store->blocks = (uint32_t)((words - store->first) / STORE_BLOCK_WORDS);
}

int
store_open(struct store *store, int fd, size_t size)
{
	void *memory;

	memset(store, 0, sizeof(*store));
	if (size < STORE_LEAST || (int64_t)size > STORE_MOST ||
	    !sealed_is_room(fd, size)) {
		errno = EPROTO;
		return -1;
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -1;
	store->word = memory;
	store->size = size;
	measure(store);
	shared_lock_init(&store->lock, store->word, fd);
	return 0;
}

void
store_close(struct store *store)
{
	if (store->word != NULL)
		munmap((void *)store->word, store->size);
	store->word = NULL;
}

/* ---- the journal --------------------------------------------------------- */

void
store_put(struct store *store, size_t word, uint32_t value)
{
	size_t pair = STORE_JOURNAL + 2 * (size_t)store->logged;

	if (store->logged == STORE_PAIRS) {
		store->broken = true;
		return;
	}
	set(store, pair, (uint32_t)word);
	set(store, pair + 1, store_get(store, word));
	IN_ORDER();
	set(store, STORE_LOGGED, ++store->logged);
	IN_ORDER();
	set(store, word, value);
}

void
store_commit(struct store *store)
{
	IN_ORDER();
	set(store, STORE_LOGGED, 0);
	IN_ORDER();
	store->logged = 0;
}

/* May be ended and begun anew at any time. */
static void
undo(struct store *store)
{
	uint32_t n = store_get(store, STORE_LOGGED);
	size_t pair, word;

	if (n > STORE_PAIRS)
		store->broken = true;
	else
		for (; n > 0; n--) {
			pair = STORE_JOURNAL + 2 * ((size_t)n - 1);
			word = store_get(store, pair);
			if (word <= STORE_WIPED || word >= store->size / 4 ||
			    (word >= STORE_LOGGED && word < STORE_BUCKETS))
				store->broken = true;
			else
				set(store, word, store_get(store, pair + 1));
		}
	store_commit(store);
}

/* ---- entering and leaving ------------------------------------------------ */

static void
wipe(struct store *store)
{
	set(store, STORE_WIPED, 1);
	IN_ORDER();
	memset((void *)&store->word[STORE_SEEDED], 0,
	    (store->first - STORE_SEEDED) * 4);
	IN_ORDER();
	set(store, STORE_WIPED, 0);
	store->broken = false;
	store->logged = 0;
}

/* If the kernel has no random bytes yet, the time has to do. */
static void
seed(struct store *store)
{
	uint32_t words[4];

	if (getrandom(words, sizeof(words), GRND_NONBLOCK) !=
	    (ssize_t)sizeof(words)) {
		memset(words, 0, sizeof(words));
		words[0] = (uint32_t)clock_wall_us();
		words[1] = (uint32_t)clock_us();
	}
	for (int i = 0; i < 4; i++)
		set(store, STORE_SEED + (size_t)i, words[i]);
	IN_ORDER();
	set(store, STORE_SEEDED, 1);
}

int
store_enter(struct store *store)
{
	if (shared_lock_take(&store->lock) == -1)
		return -1;
	store->broken = false;
	store->logged = 0;
	if (store_get(store, STORE_WIPED) != 0)
		wipe(store);
	if (store_get(store, STORE_LOGGED) != 0)
		undo(store);
	if (store->broken)
		wipe(store);
	if (store_get(store, STORE_SEEDED) == 0)
		seed(store);
	return 0;
}

bool
store_leave(struct store *store)
{
	bool whole = !store->broken;

	if (!whole)
		wipe(store);
	else if (store->logged > 0)
		store_commit(store);
	shared_lock_give(&store->lock);
	return whole;
}

/* ---- fields -------------------------------------------------------------- */

static inline size_t
word_of(const struct store *store, uint32_t block, unsigned field)
{
	return store->first + (size_t)(block - 1) * STORE_BLOCK_WORDS + field;
}

void
store_put_field(struct store *store, uint32_t block, unsigned field,
    uint32_t value)
{
	if (store_is_block(store, block))
		store_put(store, word_of(store, block, field), value);
	else
		store->broken = true;
}

void
store_put_wide(struct store *store, uint32_t block, unsigned field,
    uint64_t value)
{
	store_put_field(store, block, field, (uint32_t)value);
	store_put_field(store, block, field + 1, (uint32_t)(value >> 32));
}

void
store_set_field(struct store *store, uint32_t block, unsigned field,
    uint32_t value)
{
	if (store_is_block(store, block))
		set(store, word_of(store, block, field), value);
	else
		store->broken = true;
}

void
store_set_wide(struct store *store, uint32_t block, unsigned field,
    uint64_t value)
{
	store_set_field(store, block, field, (uint32_t)value);
	store_set_field(store, block, field + 1, (uint32_t)(value >> 32));
}

/* ---- chains -------------------------------------------------------------- */

uint64_t
store_blocks_for(uint64_t len)
{
	if (len <= STORE_INLINE)
		return 1;
	return 1 + (len - STORE_INLINE + STORE_MORE - 1) / STORE_MORE;
}

uint32_t
store_room(struct store *store)
{
	uint32_t fresh = store_get(store, STORE_FRESH);
	uint32_t spare = store_get(store, STORE_SPARE);

	if (fresh <= store->blocks && spare <= fresh)
		return spare + store->blocks - fresh;
	store->broken = true;
	return 0;
}

/* Where the content of a block begins; NULL: it is no block. */
static char *
content(struct store *store, uint32_t block, unsigned field)
{
	if (store_is_block(store, block))
		return (char *)(uintptr_t)&store->word[word_of(store, block,
		    field)];
	store->broken = true;
	return NULL;
}

/* The next free block for a chain. */
static uint32_t
next_free(struct store *store, struct store_chain *chain)
{
	uint32_t block;

	if (chain->chained < store_get(store, STORE_SPARE)) {
		block = chain->rest;
		chain->joint = block;
		chain->rest = store_field(store, block, FIELD_NEXT);
		chain->chained++;
	} else {
		block = store_get(store, STORE_FRESH) + 1 + chain->blocks -
		    chain->chained;
		/* Nothing reads its link yet; that of the joint is changed by
		 * store_take. */
		if (chain->blocks > chain->chained)
			store_set_field(store, chain->last, FIELD_NEXT, block);
	}
	if (chain->blocks++ == 0)
		chain->first = block;
	chain->last = block;
	return block;
}

struct writer {
	struct store *store;
	struct store_chain *chain;
	char *at;
	size_t room;
};

static void
write_piece(struct writer *w, const char *text, size_t len)
{
	size_t part;

	while (len > 0 && !w->store->broken) {
		if (w->room == 0) {
			w->at = content(w->store, next_free(w->store,
			    w->chain), 1);
			w->room = STORE_MORE;
			continue;
		}
		part = len < w->room ? len : w->room;
		memcpy(w->at, text, part);
		w->at += part;
		w->room -= part;
		text += part;
		len -= part;
	}
}

void
store_write(struct store *store, struct store_chain *chain, const void *one,
    size_t one_len, const void *two, size_t two_len)
{
	struct writer w = { .store = store, .chain = chain,
		.room = STORE_INLINE };

	memset(chain, 0, sizeof(*chain));
	chain->rest = store_get(store, STORE_FREE);
	w.at = content(store, next_free(store, chain), FIELD_INLINE);
	write_piece(&w, one, one_len);
	write_piece(&w, two, two_len);
}

void
store_take(struct store *store, const struct store_chain *chain)
{
	uint32_t fresh = chain->blocks - chain->chained;

	if (chain->chained > 0) {
		store_put(store, STORE_FREE, chain->rest);
		store_put(store, STORE_SPARE, store_get(store, STORE_SPARE) -
		    chain->chained);
		store_put_field(store, chain->joint, FIELD_NEXT, fresh == 0 ?
		    0 : store_get(store, STORE_FRESH) + 1);
	}
	if (fresh > 0) {
		store_set_field(store, chain->last, FIELD_NEXT, 0);
		store_put(store, STORE_FRESH, store_get(store, STORE_FRESH) +
		    fresh);
	}
}

void
store_give(struct store *store, uint32_t first, uint64_t len)
{
	uint64_t blocks = store_blocks_for(len);

	if (blocks > store->blocks) {
		store->broken = true;
		return;
	}
	store_put_field(store, store_field(store, first, FIELD_LAST),
	    FIELD_NEXT, store_get(store, STORE_FREE));
	store_put(store, STORE_FREE, first);
	store_put(store, STORE_SPARE, store_get(store, STORE_SPARE) +
	    (uint32_t)blocks);
}

/* The block of a chain after `block`; *room is what it holds. */
static const char *
follow(struct store *store, uint32_t *block, size_t *room)
{
	*block = store_field(store, *block, FIELD_NEXT);
	*room = STORE_MORE;
	return content(store, *block, 1);
}

void
store_read(struct store *store, uint32_t first, uint64_t from, void *out,
    size_t len)
{
	const char *at = content(store, first, FIELD_INLINE);
	size_t room = STORE_INLINE, part;
	uint32_t block = first;
	char *to = out;

	for (; from >= room && len > 0 && !store->broken;
	    at = follow(store, &block, &room))
		from -= room;
	while (len > 0 && !store->broken) {
		part = room - (size_t)from < len ? room - (size_t)from : len;
		memcpy(to, at + from, part);
		to += part;
		len -= part;
		from = 0;
		if (len > 0)
			at = follow(store, &block, &room);
	}
	if (store->broken)
		memset(to, 0, len);
}

bool
store_begins(struct store *store, uint32_t first, const void *text, size_t len)
{
	const char *at = content(store, first, FIELD_INLINE), *with = text;
	size_t room = STORE_INLINE, part;
	uint32_t block = first;

	while (!store->broken) {
		part = room < len ? room : len;
		if (memcmp(at, with, part) != 0)
			return false;
		with += part;
		len -= part;
		if (len == 0)
			return true;
		at = follow(store, &block, &room);
	}
	return false;
}

#ifndef SHARE_SCORE_PAGE_H
#define SHARE_SCORE_PAGE_H

/*
 * How a scoreboard lies in memory: for score*.c alone.  Everything in it is
 * atomic, and what must be seen whole is behind a slot's sequence counter.
 */

#include <stdalign.h>
#include <stdatomic.h>

#include "share/score.h"

/* Changes with anything below but the first two structures. */
#define SCORE_VERSION	  4
#define SCORE_GENERATIONS 16
#define SCORE_TRIES	  100
#define SCORE_EAGER	  10 /* of them without a pause */
#define WORD_BITS	  64

/* What a sequence counter protects, and a number that is true by itself,
 * needs no order of its own. */
#define GET(field)	  atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) \
	atomic_store_explicit(&(field), (value), memory_order_relaxed)

/*
 * This and the beginning of struct score_head never change, whatever becomes
 * of the rest: after an upgrade in place the new program speaks to workers of
 * the old one through them.
 */
struct score_generation {
	_Atomic uint32_t wake_below;
	_Atomic bool last;
	_Atomic bool replaced;
	_Atomic uint32_t first; /* slot on the board */
	_Atomic uint32_t slots; /* 0: nobody's */
	/* from here on as SCORE_VERSION says, with room for more */
	_Atomic uint32_t limit; /* of workers, 0: none */
	_Atomic bool full;	/* so many are active */
	char room[40];
};

struct score_word { /* 64 slots, all of one generation */
	_Atomic uint64_t idle;
	_Atomic uint64_t leaving;
	_Atomic uint64_t ready; /* has been idle once */
	_Atomic uint64_t alive; /* not free */
};

struct score_head {
	uint32_t version;
	uint32_t capacity; /* slots of the board */
	char room[56];
	struct score_generation generations[SCORE_GENERATIONS];
	/* from here on as SCORE_VERSION says */
	_Atomic uint32_t folding; /* odd: totals and a slot are at odds */
	_Atomic uint64_t totals[SCORE_COUNTERS];
	_Atomic int64_t facts[SCORE_FACTS];
	_Atomic uint64_t lost[SCORE_LOGS];
	struct score_word words[];
};

_Static_assert(sizeof(_Atomic bool) == 1 && sizeof(_Atomic uint32_t) == 4,
    "atomics have the size of what they hold");
_Static_assert(offsetof(struct score_head, version) == 0 &&
    offsetof(struct score_head, generations) == 64 &&
    sizeof(struct score_generation) == 64 &&
    offsetof(struct score_generation, wake_below) == 0 &&
    offsetof(struct score_generation, last) == 4 &&
    offsetof(struct score_generation, replaced) == 5 &&
    offsetof(struct score_generation, first) == 8 &&
    offsetof(struct score_generation, slots) == 12,
    "the head of a scoreboard is the same for ever");

#define TEXT_WORDS ((16 + 512 + 256 + 64 + 48 + 64) / 8)

/* Odd `seq`: being written, or its writer was killed at it. */
struct score_page {
	alignas(128) _Atomic uint32_t seq;
	_Atomic int state; /* but LEAVING, which is a bit */
	_Atomic pid_t pid;
	_Atomic int cause; /* 1 + enum score_cause, 0: none */
	_Atomic int64_t born;
	_Atomic int64_t since;
	_Atomic int64_t begun;
	_Atomic int64_t took;
	_Atomic int64_t length;
	_Atomic int64_t line;
	_Atomic int status;
	_Atomic int64_t gauge[SCORE_GAUGES];
	_Atomic uint64_t repeats;
	_Atomic uint64_t n[SCORE_COUNTERS];
	_Atomic uint16_t text_len[SCORE_TEXTS];
	_Atomic uint64_t text[TEXT_WORDS];
};

/* Where the texts lie: in a page, in words of 8 bytes, and in a snapshot. */
struct score_place {
	unsigned word, words;
	size_t offset;
};
extern const struct score_place score_places[SCORE_TEXTS];

/* Private to a process: what a worker scribbles into the shared pages cannot
 * lead the master outside them. */
struct score {
	int fd;
	unsigned index;	   /* of the generation */
	unsigned capacity; /* slots of the board, 0: of another version */
	unsigned first;	   /* this generation's */
	unsigned slots;
	size_t size;
	struct score_head *head;
	struct score_generation *mine;
	struct score_word *words; /* of this generation */
	struct score_page *pages; /* of this generation */
	struct score_page *board; /* of all */
	char *stash;		  /* behind them; of this generation */
};

static inline struct score_word *
score_word(const struct score *score, unsigned slot)
{
	return &score->words[slot / WORD_BITS];
}

static inline uint64_t
score_bit(unsigned slot)
{
	return UINT64_C(1) << slot % WORD_BITS;
}

static inline unsigned
score_words(unsigned slots)
{
	return slots / WORD_BITS + (slots % WORD_BITS != 0);
}

#endif

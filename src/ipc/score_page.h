#ifndef IPC_SCORE_PAGE_H
#define IPC_SCORE_PAGE_H

/*
 * The layout of a board's head and of a worker's slot in memory: for score.c,
 * the worker's side, and board*.c, the master's.  All fields that change are
 * atomic; the slot's sequence counter guards those that must be seen together.
 */

#include <stdalign.h>
#include <stdatomic.h>

#include "ipc/score.h"

/* To be raised when struct score_page changes; its first member never does. */
#define SCORE_VERSION 8

/* Relaxed access: for fields under the sequence counter, and for numbers that
 * do not depend on others. */
#define GET(field)	  atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) \
	atomic_store_explicit(&(field), (value), memory_order_relaxed)

enum { /* bits of the head's byte for a slot */
	HEAD_ALIVE = 1,	  /* the slot has a worker */
	HEAD_LEAVING = 2, /* it has been told to leave */
	HEAD_TELL = 4	  /* it reports when it goes busy (score_busy) */
};

/*
 * What the master tells the workers, which map it read-only.  This layout never
 * changes, even if that of the slots does: after an upgrade in place the new
 * program speaks to workers of the old one through it.
 */
struct score_head {
	uint32_t nslots;
	_Atomic uint32_t asked;	   /* number of times HEAD_TELL was set */
	_Atomic uint8_t last;	   /* score_last */
	_Atomic uint8_t replaced;  /* another generation has taken over */
	_Atomic uint8_t lossy[SCORE_LOGS]; /* the log takes no lines */
	char room[52];
	_Atomic uint8_t slot[];
};

_Static_assert(sizeof(_Atomic uint8_t) == 1 && sizeof(_Atomic uint32_t) == 4 &&
    sizeof(_Atomic uint64_t) == 8 && ATOMIC_LLONG_LOCK_FREE == 2,
    "atomics have the size of what they hold and need no lock");
_Static_assert(offsetof(struct score_head, asked) == 4 &&
    offsetof(struct score_head, last) == 8 &&
    offsetof(struct score_head, replaced) == 9 &&
    offsetof(struct score_head, slot) == 64,
    "the head of a board is the same for ever");

#define TEXT_WORDS ((16 + 512 + 256 + 64 + 48 + 64) / 8)

/* `seq` is odd while the page is written, and if its writer was killed then. */
struct score_page {
	alignas(128) _Atomic uint32_t version;
	_Atomic uint32_t seq;
	_Atomic int state;
	_Atomic int cause; /* 1 + enum score_cause, 0: none */
	_Atomic int64_t since;
	_Atomic int64_t begun;
	_Atomic int64_t took;
	_Atomic int64_t length;
	_Atomic int64_t line;
	_Atomic int status;
	_Atomic int lost_error[SCORE_LOGS];
	_Atomic uint64_t lost[SCORE_LOGS]; /* lines, ever */
	_Atomic int64_t gauge[SCORE_GAUGES];
	_Atomic int64_t peak; /* of GAUGE_HEAP */
	_Atomic uint64_t repeats;
	_Atomic uint64_t accepted[SCORE_LISTENERS];
	_Atomic uint64_t n[SCORE_COUNTERS];
	_Atomic uint16_t text_len[SCORE_TEXTS];
	_Atomic uint64_t text[TEXT_WORDS];
};

struct score_memory { /* a slot's memfd */
	struct score_page page;
	char stash[SCORE_STASH];
};

/* The place of a text in a page, in words of 8 bytes. */
struct score_place {
	unsigned word, words;
};
static const struct score_place score_places[SCORE_TEXTS] = {
	[TEXT_METHOD] = { 0, 2 },
	[TEXT_URI] = { 2, 64 },
	[TEXT_SCRIPT] = { 66, 32 },
	[TEXT_USER] = { 98, 8 },
	[TEXT_REMOTE] = { 106, 6 },
	[TEXT_ID] = { 112, 8 },
};

_Static_assert(112 + 8 == TEXT_WORDS, "the texts fill their place");

/* The listeners beyond the others share the last count. */
static inline size_t
score_listener(size_t listener)
{
	return listener < SCORE_LISTENERS ? listener : SCORE_LISTENERS - 1;
}

static inline size_t
score_head_size(unsigned nslots)
{
	return offsetof(struct score_head, slot) + nslots;
}

#endif

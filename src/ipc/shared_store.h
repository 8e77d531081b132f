#ifndef IPC_SHARED_STORE_H
#define IPC_SHARED_STORE_H

/*
 * The memory of a dictionary (shared.h): words of 32 bits, of which the first
 * are the lock, the state and a journal, then come the buckets of the hash
 * table and blocks of 64 bytes.  An entry is a chain of blocks.  All zero is an
 * empty one.
 *
 * Invariant: whatever is reachable from the state is whole, or the journal has
 * the old values of all words that make it so again.  So a process may end at
 * any instruction: the next one that takes the lock undoes what it had begun.
 *
 * Whatever is in the memory is read as hostile.  A block that cannot be is
 * read as zeros and not written, and `broken` is set; each loop ends then, or
 * after a number of steps that does not depend on what is there.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/shared_lock.h"

/* To be raised when the meaning of a word changes. */
#define SHARED_LAYOUT 1

enum {
	STORE_LEAST = 4096, /* bytes */
	STORE_BLOCK = 64,
	STORE_BLOCK_WORDS = STORE_BLOCK / 4,
	STORE_INLINE = 16, /* bytes of the content in the first block, */
	STORE_MORE = 60	   /* and in each other one */
};
#define STORE_MOST ((int64_t)8 << 30)

enum store_word {    /* of the state */
	STORE_WIPED = 16, /* 1: it is being emptied */
	STORE_SEEDED,	 /* 1: STORE_SEED is set */
	STORE_SEED,	 /* four random words, the key of the hash */
	STORE_FREE = STORE_SEED + 4, /* first of the chain of free blocks */
	STORE_SPARE,	 /* how many are in it */
	STORE_FRESH,	 /* blocks from the first on that were ever used */
	STORE_NEWEST,	 /* entry that was used last; 0: there is none */
	STORE_OLDEST,
	STORE_ENTRIES,	 /* number of entries */
	STORE_ERA,	 /* entries of another one have been flushed */
	STORE_EVICTIONS, /* entries that had to make room */
	STORE_LOGGED,	 /* pairs of words in the journal */
	STORE_JOURNAL = 64,
	STORE_PAIRS = 64,
	STORE_BUCKETS = STORE_JOURNAL + 2 * STORE_PAIRS
};

enum store_field { /* words of a block; the first is there in each */
	FIELD_NEXT,   /* block of the chain; 0: the last one */
	FIELD_BUCKET, /* next entry of the bucket; 0: none */
	FIELD_NEWER,  /* entry in the order of use */
	FIELD_OLDER,
	FIELD_HASH,
	FIELD_LAST,   /* last block of the chain */
	FIELD_UNTIL,  /* two words: ms, the end of its life; 0: none */
	FIELD_NUMBER = FIELD_UNTIL + 2, /* two words: the value, or the length
					   of a string */
	FIELD_SHAPE = FIELD_NUMBER + 2, /* length of the key, and the type */
	FIELD_ERA,
	FIELD_INLINE /* STORE_INLINE bytes */
};

struct store {
	_Atomic uint32_t *word;
	size_t size;	  /* bytes */
	uint32_t buckets; /* a power of two */
	uint32_t blocks;
	size_t first;	  /* word of block 1 */
	uint32_t logged;
	bool broken;
	struct shared_lock lock;
};

/* Map the memory of that descriptor, which stays the caller's and open, and
 * whose size is sealed (sealed_room).  0, or -1 with errno. */
int store_open(struct store *store, int fd, size_t size);
void store_close(struct store *store);

/* Take the lock, and undo what a process had begun that has ended.  0, or -1 as
 * of shared_lock_take. */
int store_enter(struct store *store);

/* What was put cannot be undone from here on. */
void store_commit(struct store *store);

/* Commit; empty it first if it is broken.  Give the lock back.  False if it
 * was broken. */
bool store_leave(struct store *store);

/* Relaxed loads and stores: others that follow the rules wait for the lock. */
static inline uint32_t
store_get(const struct store *store, size_t word)
{
	return atomic_load_explicit(&store->word[word], memory_order_relaxed);
}

static inline bool
store_is_block(const struct store *store, uint32_t block)
{
	return block - 1 < store->blocks;
}

static inline uint32_t
store_field(struct store *store, uint32_t block, unsigned field)
{
	if (store_is_block(store, block))
		return store_get(store, store->first +
		    (size_t)(block - 1) * STORE_BLOCK_WORDS + field);
	store->broken = true;
	return 0;
}

static inline uint64_t
store_field_wide(struct store *store, uint32_t block, unsigned field)
{
	return store_field(store, block, field) |
	    (uint64_t)store_field(store, block, field + 1) << 32;
}

/* Change a word that is reachable: journaled. */
void store_put(struct store *store, size_t word, uint32_t value);
void store_put_field(struct store *store, uint32_t block, unsigned field,
    uint32_t value);
void store_put_wide(struct store *store, uint32_t block, unsigned field,
    uint64_t value);

/* Change a word of a block that is not reachable yet. */
void store_set_field(struct store *store, uint32_t block, unsigned field,
    uint32_t value);
void store_set_wide(struct store *store, uint32_t block, unsigned field,
    uint64_t value);

/* The word of the bucket for a hash. */
static inline size_t
store_bucket(const struct store *store, uint32_t hash)
{
	return STORE_BUCKETS + (hash & (store->buckets - 1));
}

/* ---- chains -------------------------------------------------------------- */

/* Blocks for so many bytes of content; the number of free blocks. */
uint64_t store_blocks_for(uint64_t len);
uint32_t store_room(struct store *store);

struct store_chain {
	uint32_t first, last, blocks;
	uint32_t chained;  /* of these, from the chain of free blocks, */
	uint32_t joint;	   /* whose last one is this, */
	uint32_t rest;	   /* and what follows that there */
};

/*
 * Write two pieces of content, one after the other, into free blocks, of which
 * there must be enough.  They stay free until store_take, which is to be called
 * before anything else takes or gives back blocks.
 */
void store_write(struct store *store, struct store_chain *chain,
    const void *one, size_t one_len, const void *two, size_t two_len);
void store_take(struct store *store, const struct store_chain *chain);

/* Give back the chain of an entry that has so many bytes of content. */
void store_give(struct store *store, uint32_t first, uint64_t len);

/* Copy len bytes of the content of a chain, from `from` on. */
void store_read(struct store *store, uint32_t first, uint64_t from, void *out,
    size_t len);

/* True if the content of a chain begins with these bytes. */
bool store_begins(struct store *store, uint32_t first, const void *text,
    size_t len);

#endif

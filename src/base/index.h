#ifndef BASE_INDEX_H
#define BASE_INDEX_H

/*
 * Finds things by a hash, in a time that does not grow with their number.  An
 * entry lies within the thing it stands for; what makes two things equal is
 * known to its user, who compares all entries of a hash.  Adding cannot fail:
 * without memory for more buckets an index finds the same, only more slowly.
 */

#include <stddef.h>
#include <stdint.h>

struct index_entry {
	void *of; /* the thing, index_add's `of` */
	uint64_t hash;
	struct index_entry *next; /* the index's */
};

struct index { /* all zero: empty */
	struct index_entry **bucket;
	size_t nbuckets; /* a power of two; 0: all are in `few` */
	struct index_entry *few;
	size_t n;
};

/* A hash of a text; a number that differs may be its own hash. */
uint64_t index_hash_text(const char *text);

/* Add an entry, which stays the caller's, and which must be removed before it
 * goes.  Those of the same hash are found in the order in which they came.
 * index_remove: no effect if it is not there. */
void index_add(struct index *index, struct index_entry *entry, uint64_t hash,
    void *of);
void index_remove(struct index *index, struct index_entry *entry);

/* The first entry of that hash, and the next one after an entry of its hash;
 * NULL: there is none. */
struct index_entry *index_first(const struct index *index, uint64_t hash);
struct index_entry *index_next(const struct index_entry *entry);

/* Free the index, which is empty then, though not its entries. */
void index_free(struct index *index);

#endif

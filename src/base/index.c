#include "base/index.h"

#include <stdlib.h>

#define FIRST_BUCKETS 64

/* FNV-1a. */
uint64_t
index_hash_text(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) *
		    UINT64_C(1099511628211);
	return hash;
}

/* Spread by the golden ratio, as a port, a pid and an address are hashes too. */
static size_t
number(const struct index *all, uint64_t hash)
{
	return hash * UINT64_C(0x9e3779b97f4a7c15) >> 32 &
	    (all->nbuckets - 1);
}

static struct index_entry **
place(struct index *all, uint64_t hash)
{
	return all->nbuckets == 0 ? &all->few :
	    &all->bucket[number(all, hash)];
}

static void
append(struct index *all, struct index_entry *entry)
{
	struct index_entry **link = place(all, entry->hash);

	while (*link != NULL)
		link = &(*link)->next;
	entry->next = NULL;
	*link = entry;
}

/* Entries of a bucket move in their order, so those of one hash keep theirs. */
static void
move_all(struct index *all, struct index_entry *entry)
{
	struct index_entry *next;

	for (; entry != NULL; entry = next) {
		next = entry->next;
		append(all, entry);
	}
}

static void
grow(struct index *all)
{
	struct index old = *all;
	size_t n = old.nbuckets == 0 ? FIRST_BUCKETS : old.nbuckets * 2;
	struct index_entry **bucket = calloc(n, sizeof(*bucket));

	if (bucket == NULL)
		return;
	all->bucket = bucket;
	all->nbuckets = n;
	all->few = NULL;
	move_all(all, old.few);
	for (size_t i = 0; i < old.nbuckets; i++)
		move_all(all, old.bucket[i]);
	free(old.bucket);
}

void
index_add(struct index *all, struct index_entry *entry, uint64_t hash,
    void *of)
{
	if (all->n >= all->nbuckets)
		grow(all);
	entry->of = of;
	entry->hash = hash;
	append(all, entry);
	all->n++;
}

void
index_remove(struct index *all, struct index_entry *entry)
{
	struct index_entry **link = place(all, entry->hash);

	while (*link != NULL && *link != entry)
		link = &(*link)->next;
	if (*link == NULL)
		return;
	*link = entry->next;
	all->n--;
}

/* That hash, at the entry or after it. */
static struct index_entry *
of_hash(struct index_entry *entry, uint64_t hash)
{
	while (entry != NULL && entry->hash != hash)
		entry = entry->next;
	return entry;
}

struct index_entry *
index_first(const struct index *all, uint64_t hash)
{
	return of_hash(all->nbuckets == 0 ? all->few :
	    all->bucket[number(all, hash)], hash);
}

struct index_entry *
index_next(const struct index_entry *entry)
{
	return of_hash(entry->next, entry->hash);
}

void
index_free(struct index *all)
{
	free(all->bucket);
	*all = (struct index){ 0 };
}

#include "ipc/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipc/shared_store.h"

#define CHAIN_MOST   1024 /* entries of a bucket; a good one has a few */
#define SCRATCH_KEEP 65536 /* bytes that are kept for the next value */
#define KEYS_BYTES   16384 /* shared_keys goes on without the lock after so
			      many bytes, */
#define KEYS_BUCKETS 1024  /* or buckets */

struct shared {
	struct store store;
	struct buf scratch;
	bool was_broken;
};

struct call { /* one operation */
	const struct shared_key *key;
	const struct shared_value *value, *initial;
	struct shared_value *result;
	int64_t ttl, *left;
	enum shared_how how;
	bool *forced;
	uint32_t hash, entry, *place; /* entry 0: there is none */
	struct buf *out;
	struct shared_figures *figures;
};

/* ---- hash ---------------------------------------------------------------- */

static inline uint64_t
rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
mix(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32) + v[3];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static inline uint64_t
seed_of(const struct store *store, size_t i)
{
	return store_get(store, STORE_SEED + 2 * i) |
	    (uint64_t)store_get(store, STORE_SEED + 2 * i + 1) << 32;
}

/* SipHash-1-3: clients choose keys, and must not be able to choose those of one
 * bucket (Aumasson and Bernstein, 2012). */
static uint32_t
hash_of(const struct store *store, const struct shared_key *key)
{
	uint64_t one = seed_of(store, 0), two = seed_of(store, 1), word;
	uint64_t v[4] = { one ^ 0x736f6d6570736575, two ^ 0x646f72616e646f6d,
		one ^ 0x6c7967656e657261, two ^ 0x7465646279746573 };
	size_t left = key->len;
	const char *at = key->text;

	for (; left >= 8; at += 8, left -= 8) {
		memcpy(&word, at, 8);
		v[3] ^= word;
		mix(v);
		v[0] ^= word;
	}
	word = 0;
	memcpy(&word, at, left);
	word |= (uint64_t)key->len << 56;
	v[3] ^= word;
	mix(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix(v);
	word = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (uint32_t)(word ^ word >> 32);
}

/* ---- entries ------------------------------------------------------------- */

/* It goes on while the machine sleeps, and never jumps. */
static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool
is_live(struct store *store, uint32_t entry)
{
	uint64_t until;

	if (store_field(store, entry, FIELD_ERA) !=
	    store_get(store, STORE_ERA))
		return false;
	until = store_field_wide(store, entry, FIELD_UNTIL);
	return until == 0 || until > now_ms();
}

static inline uint32_t
shape_of(size_t key_len, enum shared_type type)
{
	return (uint32_t)key_len | (uint32_t)type << 16;
}

static inline unsigned
type_of(struct store *store, uint32_t entry)
{
	return store_field(store, entry, FIELD_SHAPE) >> 16;
}

static inline size_t
key_len_of(struct store *store, uint32_t entry)
{
	return store_field(store, entry, FIELD_SHAPE) & 0xffff;
}

/* The length of its content: the key, and a string. */
static uint64_t
len_of(struct store *store, uint32_t entry)
{
	uint64_t len = key_len_of(store, entry), most, text;

	if (type_of(store, entry) != SHARED_STRING)
		return len;
	text = store_field_wide(store, entry, FIELD_NUMBER);
	most = (uint64_t)store->blocks * STORE_MORE;
	if (text > most) {
		store->broken = true;
		return 0;
	}
	return len + text;
}

/* The key's entry, live or not; 0: there is none. */
static void
look_up(struct store *store, struct call *c)
{
	uint32_t entry;
	int steps = 0;

	c->hash = hash_of(store, c->key);
	entry = store_get(store, store_bucket(store, c->hash));
	while (entry != 0 && !store->broken) {
		if (store_field(store, entry, FIELD_HASH) == c->hash &&
		    key_len_of(store, entry) == c->key->len &&
		    store_begins(store, entry, c->key->text, c->key->len))
			break;
		if (++steps > CHAIN_MOST)
			store->broken = true;
		entry = store_field(store, entry, FIELD_BUCKET);
	}
	c->entry = store->broken ? 0 : entry;
}

static bool
look_up_live(struct store *store, struct call *c)
{
	look_up(store, c);
	return c->entry != 0 && is_live(store, c->entry);
}

/* ---- the order of use ---------------------------------------------------- */

static void
leave_order(struct store *store, uint32_t entry)
{
	uint32_t newer = store_field(store, entry, FIELD_NEWER);
	uint32_t older = store_field(store, entry, FIELD_OLDER);

	if (newer != 0)
		store_put_field(store, newer, FIELD_OLDER, older);
	else
		store_put(store, STORE_NEWEST, older);
	if (older != 0)
		store_put_field(store, older, FIELD_NEWER, newer);
	else
		store_put(store, STORE_OLDEST, newer);
}

/* Its own links were set to 0 and to the newest one before. */
static void
become_newest(struct store *store, uint32_t entry, uint32_t older)
{
	if (older != 0)
		store_put_field(store, older, FIELD_NEWER, entry);
	else
		store_put(store, STORE_OLDEST, entry);
	store_put(store, STORE_NEWEST, entry);
}

static void
use(struct store *store, uint32_t entry)
{
	uint32_t newest;

	if (store_get(store, STORE_NEWEST) == entry)
		return;
	leave_order(store, entry);
	newest = store_get(store, STORE_NEWEST);
	store_put_field(store, entry, FIELD_NEWER, 0);
	store_put_field(store, entry, FIELD_OLDER, newest);
	become_newest(store, entry, newest);
}

/* ---- coming and going ---------------------------------------------------- */

static void
leave_bucket(struct store *store, uint32_t entry)
{
	size_t bucket = store_bucket(store,
	    store_field(store, entry, FIELD_HASH));
	uint32_t next = store_field(store, entry, FIELD_BUCKET);
	uint32_t at = store_get(store, bucket), before = 0;

	for (int steps = 0; at != entry && !store->broken; steps++) {
		if (steps > CHAIN_MOST)
			store->broken = true;
		before = at;
		at = store_field(store, at, FIELD_BUCKET);
	}
	if (before == 0)
		store_put(store, bucket, next);
	else
		store_put_field(store, before, FIELD_BUCKET, next);
}

static void
drop(struct store *store, uint32_t entry)
{
	leave_bucket(store, entry);
	leave_order(store, entry);
	store_give(store, entry, len_of(store, entry));
	store_put(store, STORE_ENTRIES, store_get(store, STORE_ENTRIES) - 1);
}

/* The oldest entry makes room.  True if its life was not over. */
static bool
evict(struct store *store)
{
	uint32_t oldest = store_get(store, STORE_OLDEST);
	bool live = is_live(store, oldest);

	drop(store, oldest);
	if (live)
		store_put(store, STORE_EVICTIONS,
		    store_get(store, STORE_EVICTIONS) + 1);
	store_commit(store);
	return live;
}

/* An entry that is to be replaced goes last, so that its value stays as long as
 * the new one is not written, if there is room for both. */
static int
make_room(struct store *store, struct call *c, uint64_t blocks)
{
	if (blocks > store->blocks) {
		errno = ENOSPC;
		return -1;
	}
	if (store_room(store) >= blocks)
		return 0;
	if (c->entry != 0)
		use(store, c->entry);
	store_commit(store);
	while (store_room(store) < blocks && !store->broken) {
		if (store_get(store, STORE_OLDEST) != c->entry)
			*c->forced |= evict(store);
		else {
			evict(store);
			c->entry = 0;
		}
	}
	return 0;
}

static uint64_t
end_of(int64_t ttl)
{
	return ttl == 0 ? 0 : now_ms() + (uint64_t)ttl;
}

static uint64_t
bits_of(const struct shared_value *value)
{
	uint64_t bits;

	switch (value->type) {
	case SHARED_STRING:
		return value->len;
	case SHARED_FLOAT:
		memcpy(&bits, &value->number, sizeof(bits));
		return bits;
	default:
		return (uint64_t)value->integer;
	}
}

static void
describe(struct store *store, const struct call *c,
    const struct shared_value *value, const struct store_chain *chain)
{
	uint32_t entry = chain->first;

	store_set_field(store, entry, FIELD_BUCKET,
	    store_get(store, store_bucket(store, c->hash)));
	store_set_field(store, entry, FIELD_NEWER, 0);
	store_set_field(store, entry, FIELD_OLDER,
	    store_get(store, STORE_NEWEST));
	store_set_field(store, entry, FIELD_HASH, c->hash);
	store_set_field(store, entry, FIELD_LAST, chain->last);
	store_set_wide(store, entry, FIELD_UNTIL, end_of(c->ttl));
	store_set_wide(store, entry, FIELD_NUMBER, bits_of(value));
	store_set_field(store, entry, FIELD_SHAPE,
	    shape_of(c->key->len, value->type));
	store_set_field(store, entry, FIELD_ERA, store_get(store, STORE_ERA));
}

/* A new entry in the place of c->entry, if that is there. */
static int
create(struct store *store, struct call *c, const struct shared_value *value)
{
	bool string = value->type == SHARED_STRING;
	size_t len = string ? value->len : 0;
	struct store_chain chain;

	if (make_room(store, c, store_blocks_for(c->key->len +
		(uint64_t)len)) == -1)
		return -1;
	store_write(store, &chain, c->key->text, c->key->len,
	    string ? value->text : "", len);
	store_take(store, &chain);
	if (c->entry != 0)
		drop(store, c->entry);
	describe(store, c, value, &chain);
	store_put(store, store_bucket(store, c->hash), chain.first);
	become_newest(store, chain.first, store_get(store, STORE_NEWEST));
	store_put(store, STORE_ENTRIES, store_get(store, STORE_ENTRIES) + 1);
	return 0;
}

static void
change(struct store *store, uint32_t entry, const struct shared_value *value,
    size_t key_len)
{
	uint32_t shape = shape_of(key_len, value->type);

	store_put_wide(store, entry, FIELD_NUMBER, bits_of(value));
	if (store_field(store, entry, FIELD_SHAPE) != shape)
		store_put_field(store, entry, FIELD_SHAPE, shape);
	use(store, entry);
}

static int
store_value(struct store *store, struct call *c,
    const struct shared_value *value)
{
	uint32_t era = store_get(store, STORE_ERA);
	uint64_t until;

	if (c->entry == 0 || value->type == SHARED_STRING ||
	    type_of(store, c->entry) == SHARED_STRING)
		return create(store, c, value);
	until = end_of(c->ttl);
	if (store_field_wide(store, c->entry, FIELD_UNTIL) != until)
		store_put_wide(store, c->entry, FIELD_UNTIL, until);
	if (store_field(store, c->entry, FIELD_ERA) != era)
		store_put_field(store, c->entry, FIELD_ERA, era);
	change(store, c->entry, value, c->key->len);
	return 0;
}

/* ---- values -------------------------------------------------------------- */

static void
take_number(struct store *store, uint32_t entry, struct shared_value *value)
{
	uint64_t bits = store_field_wide(store, entry, FIELD_NUMBER);

	value->type = (enum shared_type)type_of(store, entry);
	value->integer = (int64_t)bits;
	switch (value->type) {
	case SHARED_INTEGER:
		break;
	case SHARED_BOOLEAN:
		value->integer = bits != 0;
		break;
	case SHARED_FLOAT:
		memcpy(&value->number, &bits, sizeof(bits));
		break;
	default:
		store->broken = true;
	}
}

static int
take_string(struct shared *shared, uint32_t entry, struct shared_value *value)
{
	struct store *store = &shared->store;
	size_t key_len = key_len_of(store, entry);
	uint64_t len = len_of(store, entry);
	char *room;

	/* A hostile worker may change the entry between two looks. */
	len = len < key_len ? 0 : len - key_len;
	if (shared->scratch.cap > SCRATCH_KEEP)
		buf_free(&shared->scratch);
	buf_clear(&shared->scratch);
	room = buf_reserve(&shared->scratch, (size_t)len + 1);
	if (room == NULL)
		return -1;
	store_read(store, entry, key_len, room, (size_t)len);
	value->type = SHARED_STRING;
	value->text = room;
	value->len = (size_t)len;
	return 0;
}

static struct shared_value
sum_of(const struct shared_value *a, const struct shared_value *b)
{
	struct shared_value sum = { .type = SHARED_FLOAT };

	if (a->type == SHARED_INTEGER && b->type == SHARED_INTEGER) {
		sum.type = SHARED_INTEGER;
		sum.integer = (int64_t)((uint64_t)a->integer +
		    (uint64_t)b->integer);
	} else {
		sum.number = a->type == SHARED_INTEGER ? (double)a->integer :
							 a->number;
		sum.number += b->type == SHARED_INTEGER ? (double)b->integer :
							  b->number;
	}
	return sum;
}

/* ---- operations, under the lock ------------------------------------------ */

static int
fail(int error)
{
	errno = error;
	return -1;
}

static int
do_get(struct shared *shared, struct call *c)
{
	struct store *store = &shared->store;

	if (!look_up_live(store, c))
		return fail(ENOENT);
	use(store, c->entry);
	if (type_of(store, c->entry) == SHARED_STRING)
		return take_string(shared, c->entry, c->result);
	take_number(store, c->entry, c->result);
	return 0;
}

static int
do_set(struct shared *shared, struct call *c)
{
	bool live;

	if (c->how == SHARED_SET) {
		look_up(&shared->store, c);
		return store_value(&shared->store, c, c->value);
	}
	live = look_up_live(&shared->store, c);
	if (live && c->how == SHARED_ADD)
		return fail(EEXIST);
	if (!live && c->how == SHARED_REPLACE)
		return fail(ENOENT);
	return store_value(&shared->store, c, c->value);
}

static int
do_incr(struct shared *shared, struct call *c)
{
	struct store *store = &shared->store;
	struct shared_value before = { 0 };
	unsigned type;

	if (!look_up_live(store, c)) {
		if (c->initial == NULL)
			return fail(ENOENT);
		*c->result = sum_of(c->initial, c->value);
		return store_value(store, c, c->result);
	}
	type = type_of(store, c->entry);
	if (type == SHARED_STRING || type == SHARED_BOOLEAN)
		return fail(EINVAL);
	take_number(store, c->entry, &before);
	*c->result = sum_of(&before, c->value);
	change(store, c->entry, c->result, c->key->len);
	return 0;
}

static int
do_delete(struct shared *shared, struct call *c)
{
	look_up(&shared->store, c);
	if (c->entry != 0)
		drop(&shared->store, c->entry);
	return 0;
}

static int
do_ttl(struct shared *shared, struct call *c)
{
	struct store *store = &shared->store;
	uint64_t until, now = now_ms();

	if (!look_up_live(store, c))
		return fail(ENOENT);
	until = store_field_wide(store, c->entry, FIELD_UNTIL);
	*c->left = until == 0 ? 0 :
	    until <= now ? 1 :
	    until - now > INT64_MAX ? INT64_MAX :
				      (int64_t)(until - now);
	return 0;
}

static int
do_expire(struct shared *shared, struct call *c)
{
	if (!look_up_live(&shared->store, c))
		return fail(ENOENT);
	store_put_wide(&shared->store, c->entry, FIELD_UNTIL, end_of(c->ttl));
	return 0;
}

static int
add_key(struct store *store, uint32_t entry, struct buf *out)
{
	uint32_t len = (uint32_t)key_len_of(store, entry);
	char *room;

	if (buf_add(out, &len, sizeof(len)) == -1 ||
	    (room = buf_reserve(out, len + 1)) == NULL)
		return -1;
	store_read(store, entry, 0, room, len);
	out->len += len;
	return 0;
}

static int
do_keys(struct shared *shared, struct call *c)
{
	struct store *store = &shared->store;
	size_t most = c->out->len + KEYS_BYTES;
	uint32_t end = *c->place + KEYS_BUCKETS, entry;
	int steps;

	for (; *c->place < store->buckets && *c->place < end &&
	    c->out->len < most; ++*c->place) {
		entry = store_get(store, STORE_BUCKETS + *c->place);
		for (steps = 0; entry != 0 && !store->broken; steps++) {
			if (steps > CHAIN_MOST)
				store->broken = true;
			if (is_live(store, entry) &&
			    add_key(store, entry, c->out) == -1)
				return -1;
			entry = store_field(store, entry, FIELD_BUCKET);
		}
	}
	return *c->place < store->buckets;
}

static int
do_flush(struct shared *shared, struct call *c)
{
	struct store *store = &shared->store;

	(void)c;
	store_put(store, STORE_ERA, store_get(store, STORE_ERA) + 1);
	return 0;
}

static int
do_figures(struct shared *shared, struct call *c)
{
	struct store *store = &shared->store;
	uint32_t entries = store_get(store, STORE_ENTRIES);

	c->figures->room = (uint64_t)store->blocks * STORE_BLOCK;
	c->figures->free = (uint64_t)store_room(store) * STORE_BLOCK;
	c->figures->entries = entries < store->blocks ? entries :
							store->blocks;
	c->figures->evictions = store_get(store, STORE_EVICTIONS);
	return 0;
}

/* Run an operation; a second time if the memory was broken, and is empty by
 * then. */
static int
run(struct shared *shared, int (*operation)(struct shared *shared,
    struct call *c), struct call *c)
{
	size_t before = c->out != NULL ? c->out->len : 0;
	int result, error;

	for (int i = 0; i < 2; i++) {
		if (store_enter(&shared->store) == -1)
			return -1;
		result = operation(shared, c);
		error = errno;
		if (store_leave(&shared->store)) {
			errno = error;
			return result;
		}
		shared->was_broken = true;
		if (c->out != NULL)
			c->out->len = before;
		if (c->forced != NULL)
			*c->forced = false;
	}
	return fail(EPROTO);
}

/* ---- from outside -------------------------------------------------------- */

struct shared *
shared_open(int fd, size_t size)
{
	struct shared *shared = calloc(1, sizeof(*shared));

	if (shared != NULL && store_open(&shared->store, fd, size) == 0)
		return shared;
	free(shared);
	return NULL;
}

void
shared_close(struct shared *shared)
{
	if (shared == NULL)
		return;
	store_close(&shared->store);
	buf_free(&shared->scratch);
	free(shared);
}

int
shared_get(struct shared *shared, const struct shared_key *key,
    struct shared_value *value)
{
	struct call c = { .key = key, .result = value };

	return run(shared, do_get, &c);
}

int
shared_set(struct shared *shared, const struct shared_key *key,
    const struct shared_value *value, int64_t ttl, enum shared_how how,
    bool *forced)
{
	struct call c = { .key = key, .value = value, .ttl = ttl, .how = how,
		.forced = forced };

	*forced = false;
	return run(shared, do_set, &c);
}

int
shared_incr(struct shared *shared, const struct shared_key *key,
    const struct shared_value *by, const struct shared_value *initial,
    int64_t ttl, struct shared_value *value, bool *forced)
{
	struct call c = { .key = key, .value = by, .initial = initial,
		.ttl = ttl, .result = value, .forced = forced };

	*forced = false;
	return run(shared, do_incr, &c);
}

int
shared_delete(struct shared *shared, const struct shared_key *key)
{
	struct call c = { .key = key };

	return run(shared, do_delete, &c);
}

int
shared_ttl(struct shared *shared, const struct shared_key *key, int64_t *ttl)
{
	struct call c = { .key = key, .left = ttl };

	return run(shared, do_ttl, &c);
}

int
shared_expire(struct shared *shared, const struct shared_key *key, int64_t ttl)
{
	struct call c = { .key = key, .ttl = ttl };

	return run(shared, do_expire, &c);
}

int
shared_keys(struct shared *shared, uint32_t *place, struct buf *out)
{
	struct call c = { .place = place, .out = out };

	return run(shared, do_keys, &c);
}

int
shared_flush(struct shared *shared)
{
	struct call c = { 0 };

	return run(shared, do_flush, &c);
}

int
shared_figures(struct shared *shared, struct shared_figures *figures)
{
	struct call c = { .figures = figures };

	return run(shared, do_figures, &c);
}

bool
shared_was_broken(struct shared *shared)
{
	bool was = shared->was_broken;

	shared->was_broken = false;
	return was;
}

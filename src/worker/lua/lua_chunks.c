#include "worker/lua/lua_chunks.h"

#include <lauxlib.h>
#include <string.h>

#include "base/log.h"
#include "worker/lua/lua_error.h"

#define BUCKETS_FIRST 64
#define SCRATCH_MOST  ((size_t)64 * 1024) /* that stays for the next dump */

/* It stands in the extra space of the state and of each of its coroutines,
 * where not even the debug library finds it. */
static struct lua_chunks *
chunks_of(lua_State *L)
{
	return *(struct lua_chunks **)lua_getextraspace(L);
}

void
lua_chunks_begin(struct lua_chunks *chunks, lua_State *L)
{
	lua_chunks_free(chunks);
	chunks->alloc = lua_getallocf(L, &chunks->arg);
	*(struct lua_chunks **)lua_getextraspace(L) = chunks;
}

bool
lua_chunks_binary(const char *bytes, size_t len)
{
	return len > 0 && bytes[0] == LUA_SIGNATURE[0];
}

/* ---- the table ----------------------------------------------------------- */

/* Only to find a chunk fast: what decides is a comparison of all bytes. */
static uint64_t
hash(const char *bytes, size_t len)
{
	uint64_t h = len, word;

	for (; len >= sizeof(word); bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
		len -= sizeof(word);
	}
	word = 0;
	memcpy(&word, bytes, len);
	h = (h ^ word) * 0x9e3779b97f4a7c15;
	return h ^ h >> 32;
}

static struct lua_chunk *
find(const struct lua_chunks *chunks, uint64_t h, const char *bytes,
    size_t len)
{
	struct lua_chunk *chunk;

	if (chunks->nbuckets == 0)
		return NULL;
	chunk = chunks->bucket[h & (chunks->nbuckets - 1)];
	while (chunk != NULL && (chunk->hash != h || chunk->len != len ||
		memcmp(chunk->bytes, bytes, len) != 0))
		chunk = chunk->next;
	return chunk;
}

static void *
allocate(struct lua_chunks *chunks, size_t size)
{
	void *block = chunks->alloc(chunks->arg, NULL, 0, size);

	if (block != NULL)
		chunks->bytes += size;
	return block;
}

static void
give_back(struct lua_chunks *chunks, void *block, size_t size)
{
	if (block == NULL)
		return;
	chunks->alloc(chunks->arg, block, size, 0);
	chunks->bytes -= size;
}

static void
put(struct lua_chunks *chunks, struct lua_chunk *chunk)
{
	struct lua_chunk **bucket = &chunks->bucket[chunk->hash &
	    (chunks->nbuckets - 1)];

	chunk->next = *bucket;
	*bucket = chunk;
}

/* Make room for one more.  -1: no memory. */
static int
grow(struct lua_chunks *chunks)
{
	struct lua_chunk **old = chunks->bucket, *chunk, *next;
	size_t nold = chunks->nbuckets;
	size_t n = nold == 0 ? BUCKETS_FIRST : 2 * nold;

	if (chunks->n < nold)
		return 0;
	chunks->bucket = allocate(chunks, n * sizeof(*old));
	if (chunks->bucket == NULL) {
		chunks->bucket = old;
		return -1;
	}
	memset(chunks->bucket, 0, n * sizeof(*old));
	chunks->nbuckets = n;
	for (size_t i = 0; i < nold; i++) {
		for (chunk = old[i]; chunk != NULL; chunk = next) {
			next = chunk->next;
			put(chunks, chunk);
		}
	}
	give_back(chunks, old, nold * sizeof(*old));
	return 0;
}

void
lua_chunks_free(struct lua_chunks *chunks)
{
	struct lua_chunk *chunk, *next;

	for (size_t i = 0; i < chunks->nbuckets; i++) {
		for (chunk = chunks->bucket[i]; chunk != NULL; chunk = next) {
			next = chunk->next;
			give_back(chunks, chunk, sizeof(*chunk) + chunk->len);
		}
	}
	give_back(chunks, chunks->bucket,
	    chunks->nbuckets * sizeof(*chunks->bucket));
	buf_free(&chunks->dumped);
	*chunks = (struct lua_chunks) { 0 };
}

/* ---- string.dump --------------------------------------------------------- */

static int
write_chunk(lua_State *L, const void *data, size_t n, void *arg)
{
	(void)L;
	return buf_add(arg, data, n);
}

/* Once: many programs do not look why load fails. */
static void
tell_full(struct lua_chunks *chunks, lua_State *L)
{
	if (chunks->told)
		return;
	chunks->told = true;
	lua_error_place(L);
	log_warning("%sstring.dump has made %zu different chunks, %zu bytes: "
	    "load takes none that it makes from here on, as "
	    "lua.binary_chunks is false",
	    lua_tostring(L, -1), chunks->n, chunks->bytes);
	lua_pop(L, 1);
}

/* Keep what has been dumped, unless there is too much.  -1: no memory. */
static int
keep(struct lua_chunks *chunks)
{
	const struct buf *dumped = &chunks->dumped;
	uint64_t h = hash(dumped->data, dumped->len);
	size_t size = sizeof(struct lua_chunk) + dumped->len;
	struct lua_chunk *chunk;

	if (find(chunks, h, dumped->data, dumped->len) != NULL)
		return 0;
	if (chunks->n >= LUA_CHUNKS_MOST || size > LUA_CHUNKS_BYTES ||
	    chunks->bytes > LUA_CHUNKS_BYTES - size) {
		chunks->forgets = true;
		return 0;
	}
	if (grow(chunks) == -1 || (chunk = allocate(chunks, size)) == NULL)
		return -1;
	chunk->hash = h;
	chunk->len = dumped->len;
	memcpy(chunk->bytes, dumped->data, dumped->len);
	put(chunks, chunk);
	chunks->n++;
	return 0;
}

/*
 * Dump the function at index 1 and keep the bytes.  No Lua code runs in between
 * that could change them: no hook, as Lua's own string.dump is not called, and
 * no finalizer, as nothing of the state is allocated.  1: no function of Lua;
 * -1: no memory.
 */
static int
dump(struct lua_chunks *chunks, lua_State *L, int strip)
{
	int result;

	buf_clear(&chunks->dumped);
	lua_pushvalue(L, 1);
	result = lua_dump(L, write_chunk, &chunks->dumped, strip);
	lua_pop(L, 1);
	return result == 0 ? keep(chunks) : result;
}

int
lua_chunks_dump(lua_State *L)
{
	struct lua_chunks *chunks = chunks_of(L);
	const int strip = lua_toboolean(L, 2);
	int result;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	luaL_checkstack(L, 2, NULL);
	result = dump(chunks, L, strip);
	if (result == -1) { /* as Lua does: collect garbage, try again */
		lua_gc(L, LUA_GCCOLLECT);
		result = dump(chunks, L, strip);
	}
	if (result == 1)
		return luaL_error(L, "unable to dump given function");
	if (result == -1)
		return luaL_error(L, "not enough memory");
	lua_pushlstring(L, chunks->dumped.data, chunks->dumped.len);
	if (chunks->dumped.cap > SCRATCH_MOST)
		buf_free(&chunks->dumped);
	if (chunks->forgets)
		tell_full(chunks, L);
	return 1;
}

/* ---- load ---------------------------------------------------------------- */

bool
lua_chunks_load(lua_State *L, const char *bytes, size_t len, int *status)
{
	const struct lua_chunk *chunk = find(chunks_of(L), hash(bytes, len),
	    bytes, len);

	if (chunk == NULL)
		return false;
	*status = luaL_loadbufferx(L, chunk->bytes, chunk->len, "=(load)",
	    "b");
	return true;
}

#include "worker/lua/lua_heap.h"

#include <stdlib.h>

#define RESERVE ((size_t)64 * 1024)

static bool
fits(const struct lua_heap *heap, size_t growth)
{
	size_t limit = heap->limit + (heap->hit ? RESERVE : 0);

	return heap->used <= limit && growth <= limit - heap->used;
}

/*
 * When the core of Lua is refused memory, it collects garbage and asks for the
 * same size again; only if that is refused too, it raises an error.  Nothing
 * else grows in between.  So an error was raised if the next request is refused
 * as well, or is for another size.
 */
static void *
refuse(struct lua_heap *heap, const void *block, size_t size)
{
	if (heap->refused != 0)
		heap->hit = true;
	if (heap->refused == size && heap->raises != NULL)
		heap->raises(heap->arg, block == NULL);
	heap->refused = size;
	return NULL;
}

static void
grant(struct lua_heap *heap, size_t size)
{
	if (heap->refused != 0 && heap->refused != size)
		heap->hit = true;
	heap->refused = 0;
}

/* lua_Alloc.  If block is NULL, old is not a size.  Shrinking must not fail. */
static void *
allocate(void *arg, void *block, size_t old, size_t size)
{
	struct lua_heap *heap = arg;
	void *moved;

	if (block == NULL)
		old = 0;
	if (size > old && !fits(heap, size - old))
		return refuse(heap, block, size);
	if (size == 0) {
		free(block);
		heap->used -= old;
		return NULL;
	}
	moved = realloc(block, size);
	if (moved == NULL && size > old)
		return NULL;
	if (size > old)
		grant(heap, size);
	heap->used += size - old;
	return moved != NULL ? moved : block;
}

/* The blocks so far are those of luaL_newstate, which uses realloc(3) too. */
void
lua_heap_bound(struct lua_heap *heap, lua_State *L, size_t limit)
{
	if (limit == 0)
		return;
	heap->limit = limit;
	heap->used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 +
	    (size_t)lua_gc(L, LUA_GCCOUNTB);
	lua_setallocf(L, allocate, heap);
}

void
lua_heap_begin(struct lua_heap *heap)
{
	heap->hit = false;
	heap->refused = 0;
}

bool
lua_heap_hit(const struct lua_heap *heap)
{
	return heap->hit || heap->refused != 0;
}

void
lua_heap_settle(struct lua_heap *heap, lua_State *L)
{
	bool crowded = heap->used > heap->limit / 2 &&
	    heap->used > heap->settled + heap->limit / 8;

	if (heap->limit == 0 || !(crowded || lua_heap_hit(heap)))
		return;
	lua_gc(L, LUA_GCCOLLECT);
	heap->settled = heap->used;
}

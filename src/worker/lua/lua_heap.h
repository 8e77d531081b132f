#ifndef WORKER_LUA_LUA_HEAP_H
#define WORKER_LUA_LUA_HEAP_H

/*
 * The memory of a Lua state, counted and bounded by its allocator.  What
 * exceeds the limit is refused; Lua then collects garbage, tries once more,
 * and raises "not enough memory".  After that the limit is raised by a small
 * reserve until lua_heap_begin, so that there is memory to handle the error.
 * Knows nothing of requests.
 */

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct lua_heap { /* all zero: not bounded */
	size_t used;	/* bytes */
	size_t limit;	/* bytes */
	size_t settled; /* `used` after the last collection of settle */
	size_t refused; /* size that was refused and not tried again, 0: none */
	bool hit;	/* an error was raised for the limit */
	/* Called when the core of Lua is about to raise one; NULL: not called.
	 * Nothing may be allocated then.  sound: the state can be looked at,
	 * as it is not its own stack that was to grow. */
	void (*raises)(void *arg, bool sound);
	void *arg;
};

/* Bound the memory of an existing state to `limit` bytes; 0: do nothing.  heap
 * must live as long as the state. */
void lua_heap_bound(struct lua_heap *heap, lua_State *L, size_t limit);

/* A use of the state begins: forget whether the limit was hit. */
void lua_heap_begin(struct lua_heap *heap);

/* True if the limit has been hit since lua_heap_begin. */
bool lua_heap_hit(const struct lua_heap *heap);

/* Between two uses: collect garbage if the limit was hit, or if more than half
 * of it is used and the heap has grown since.  Not every allocation of Lua
 * collects before it fails: those of string buffers do not. */
void lua_heap_settle(struct lua_heap *heap, lua_State *L);

#endif

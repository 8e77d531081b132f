#ifndef WORKER_LUA_LUA_HEAP_H
#define WORKER_LUA_LUA_HEAP_H

/*
 * The memory of a Lua state, counted and bounded by its allocator.  What
 * exceeds the limit is refused; Lua then collects garbage, tries once more,
 * and raises "not enough memory".  Once that has happened a small reserve is
 * open until lua_heap_begin, so that whoever handles the error has something
 * to handle it with.  Knows nothing of requests.
 */

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct lua_heap { /* all zero: not bounded */
	size_t used;
	size_t limit;
	size_t settled; /* used, after garbage was last collected for it */
	size_t refused; /* asked for in vain and not tried again, 0: nothing */
	bool hit;
};

/* Bound a state that is there already.  heap must live as long as the state;
 * limit 0: nothing is done. */
void lua_heap_bound(struct lua_heap *heap, lua_State *L, size_t limit);

/* A use of the state begins.  Has the limit been hit since? */
void lua_heap_begin(struct lua_heap *heap);
bool lua_heap_hit(const struct lua_heap *heap);

/* Between two uses: collect garbage if it was hit, or if there is little room
 * and something to be gained.  Not every allocation within Lua collects
 * before it fails: those of string buffers do not. */
void lua_heap_settle(struct lua_heap *heap, lua_State *L);

#endif

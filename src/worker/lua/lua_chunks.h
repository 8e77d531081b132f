#ifndef WORKER_LUA_LUA_CHUNKS_H
#define WORKER_LUA_LUA_CHUNKS_H

/*
 * The precompiled chunks that string.dump has made in a Lua state, which load
 * takes back where lua.binary_chunks is false, and no others.  Their bytes are
 * kept here, out of reach of Lua code, and what is loaded is what is kept: a
 * chunk that differs in one bit is another.  They count as memory of the state
 * (lua_heap).
 */

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define LUA_CHUNKS_MOST	 10000
#define LUA_CHUNKS_BYTES ((size_t)32 * 1024 * 1024) /* of all of them */

struct lua_chunk {
	struct lua_chunk *next; /* of the same bucket */
	uint64_t hash;
	size_t len;
	char bytes[];
};

struct lua_chunks { /* all zero: none yet */
	struct lua_chunk **bucket; /* nbuckets, a power of two, or 0 */
	size_t nbuckets;
	size_t n;
	size_t bytes;	   /* allocated */
	bool forgets;	   /* what is dumped from here on, for want of room */
	bool told;	   /* of that */
	struct buf dumped; /* the last one */
	lua_Alloc alloc;
	void *arg;
};

/* Make chunks those of a fresh state, whose allocator it keeps.  It must live
 * longer than the state. */
void lua_chunks_begin(struct lua_chunks *chunks, lua_State *L);

/*
 * A lua_CFunction: string.dump, whose results are kept.  Beyond LUA_CHUNKS_MOST
 * different ones, or LUA_CHUNKS_BYTES, they are not, and the first of these has
 * a line in the error log.
 */
int lua_chunks_dump(lua_State *L);

/* True if a chunk of these bytes is precompiled, whatever else it is. */
bool lua_chunks_binary(const char *bytes, size_t len);

/*
 * Load the chunk that has just these bytes as lua_load does.  False if none is
 * kept, and the stack is as it was; else a function is on the stack, and
 * *status is LUA_OK, or a message.
 */
bool lua_chunks_load(lua_State *L, const char *bytes, size_t len, int *status);

/* Forget all, after the state has been closed. */
void lua_chunks_free(struct lua_chunks *chunks);

#endif

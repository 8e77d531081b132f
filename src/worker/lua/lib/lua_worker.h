#ifndef WORKER_LUA_LIB_LUA_WORKER_H
#define WORKER_LUA_LIB_LUA_WORKER_H

/*
 * fpm.core.worker: what the process is, and its log.
 *
 *   pool, index, generation  as of struct lua_worker, nil: not known
 *   pid()         of the process
 *   requests()    how many requests the application has begun
 *   retire()      the worker is to be replaced when its request is over
 *   log(level, text)  a line for the error log, about the present request if
 *                 there is one; level is "debug" to "error"
 *   logs(level)   true if such lines are written
 */

#include <lua.h>

struct lua_worker {
	const char *pool;
	unsigned index;	     /* from 1 on; 0: not known, or for timers */
	unsigned generation; /* of the pool, likewise */
};

/* Note what the state belongs to, which must outlive it; NULL: nothing is
 * known. */
void lua_worker_keep(const struct lua_worker *worker, lua_State *L);

int lua_worker_open(lua_State *L);

#endif

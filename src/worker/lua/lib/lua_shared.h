#ifndef WORKER_LUA_LIB_LUA_SHARED_H
#define WORKER_LUA_LIB_LUA_SHARED_H

/*
 * fpm.core.shared: the dictionaries of the pool (ipc/shared.h) for Lua code.
 * Its function open(name) returns a dictionary, or nil if the pool declares
 * none of that name; what that can do, and what its functions return, is in
 * fpm.shared(3lua).  A dictionary is mapped when it is first opened, and stays
 * so as long as the process.
 */

#include <lua.h>
#include <stddef.h>

#include "conf/conf.h"

/* Before any Lua code runs: the dictionaries that the pool declares
 * (conf_pool.shared) and the memory of each; those beyond nfds get memory of
 * this process.  Both must outlive the process. */
void lua_shared_offer(const struct conf_list *declared, const int *fds,
    size_t nfds);

/* The module, for lua_library.c. */
int lua_shared_open(lua_State *L);

#endif

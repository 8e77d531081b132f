#ifndef WORKER_LUA_LUA_FILES_H
#define WORKER_LUA_LUA_FILES_H

/*
 * The files that an application was loaded from, as they were then: its own
 * and those of every module that require found.  A reload of an application
 * that has changed on disk needs a fresh worker, whatever `restart` does.
 * Runs in the worker.
 */

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct lua_files { /* all zero: none yet */
	struct lua_file *item;
	size_t n;
};

/* Note a file as it is now, once; path is copied.  False, and it is left out, if
 * stat(2) fails on it or memory runs out. */
bool lua_files_add(struct lua_files *files, const char *path);

/* From here on, note what require loads.  To be called inside lua_state_call;
 * files must live as long as the state.  No effect without the library
 * package. */
void lua_files_watch(struct lua_files *files, lua_State *L);

/* Note also the file of every module that a searcher of the application itself
 * found, such as one for another language: require says which.  Likewise. */
void lua_files_watch_require(struct lua_files *files, lua_State *L);

/* The name of the file noted with that number, from 0 on; NULL: no more. */
const char *lua_files_name(const struct lua_files *files, size_t i);

/* True if one of them is not the file that was noted (device, inode, size,
 * time of change), or is gone. */
bool lua_files_changed(const struct lua_files *files);

/* Free the memory; all are forgotten. */
void lua_files_free(struct lua_files *files);

#endif

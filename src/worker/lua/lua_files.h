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

/* Note a file as it is now; path is copied.  A file is left out if stat(2)
 * fails on it or memory runs out. */
void lua_files_add(struct lua_files *files, const char *path);

/* From here on, note what require loads.  To be called inside lua_state_call;
 * files must live as long as the state.  No effect without the library
 * package. */
void lua_files_watch(struct lua_files *files, lua_State *L);

/* True if one of them is not the file that was noted (device, inode, size,
 * time of change), or is gone. */
bool lua_files_changed(const struct lua_files *files);

/* Free the memory; all are forgotten. */
void lua_files_free(struct lua_files *files);

#endif

#ifndef WORKER_LUA_LUA_ENTRY_H
#define WORKER_LUA_LUA_ENTRY_H

/*
 * The ways into Lua code.  Each has a limit of time: that of LUA_ACCEPT is the
 * request's (serve.c), those of the others are in entry.c.
 */

enum lua_entry {
	LUA_LOAD, /* the application's file */
	LUA_SETUP,
	LUA_START,
	LUA_ACCEPT,
	LUA_AFTER, /* what env:after was given */
	LUA_INTERVAL, /* for a timer */
	LUA_RESTART,
	LUA_STOP,
	LUA_CLOSE, /* of the state: __gc methods */
	LUA_ENTRIES
};

#endif

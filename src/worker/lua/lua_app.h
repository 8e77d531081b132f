#ifndef WORKER_LUA_LUA_APP_H
#define WORKER_LUA_LUA_APP_H

/*
 * An application: a Lua state with the file loaded, and its four functions
 * called under protection.  Runs in the worker (and in the throw-away
 * process of -t).  Knows requests, not FastCGI.
 */

#include "base/why.h"
#include "conf/conf.h"
#include "worker/lua/lua_entry.h"
#include "worker/serve/request.h"

struct lua_app;

struct lua_app_options {
	size_t memory;	       /* most bytes of the Lua heap, 0: any */
	int timeout_status;    /* answers a request whose time is over */
	bool errors_to_server; /* env.errors and errors go to FCGI_STDERR too */
	const struct conf_lua *lua; /* what its code may reach, NULL: the
				       defaults; lives as long */
	/* Called before and after every entry into Lua code but LUA_ACCEPT,
	 * whose time counts from before that; NULL: nobody wants to know. */
	void (*enter)(enum lua_entry entry);
	void (*leave)(void);
};

enum lua_end { /* of an entry */
	LUA_END_DONE,
	LUA_END_NONE,	   /* the application has no such function */
	LUA_END_RAISED,
	LUA_END_LATE,	   /* stopped, since its time was over */
	LUA_END_NO_MEMORY, /* its error is that limits.memory was hit */
};

/*
 * Create a state, cut it down to what options->lua allows, load `file` and run
 * it.  Whatever is wrong (no file, syntax, an error, not a table, no
 * accept, a field of the wrong type) is in why, with file and line as Lua
 * reports them, and with all the frames if its time was over; then NULL.
 */
struct lua_app *lua_app_load(const char *file,
    const struct lua_app_options *options, struct why *why);
void lua_app_free(struct lua_app *app); /* closes the state: __gc run */

/*
 * app.start.  0: ready.  1: it returned another integer, *code (0..255, what
 * exit(3) can carry; others become 1), and the process is to exit with it.
 * -1: it raised, was late or returned nonsense, why.
 */
int lua_app_start(struct lua_app *app, int *code, struct why *why);

/* app.restart.  An error is logged and the worker goes on with what it has;
 * but what was late has left nothing to rely on. */
enum lua_end lua_app_restart(struct lua_app *app);

/* Is a file that it was loaded from (its own, or a module's that require
 * found) no longer the one on disk?  Then restart is not enough. */
bool lua_app_changed(const struct lua_app *app);

/* Did it come with a restart? */
bool lua_app_restarts(const struct lua_app *app);

/* Has the limit of memory been hit while it served or in a hook?  What the
 * application made of that is not to be relied on. */
bool lua_app_exhausted(const struct lua_app *app);

/* Bytes of its Lua heap. */
size_t lua_app_memory(const struct lua_app *app);

/* app.stop.  True: leave (also if there is none, or it raised or was late,
 * which is logged).  False: it returned anything but nothing or 0 and declines. */
bool lua_app_stop(struct lua_app *app);

/*
 * Serve one request: call accept, send what it returned.  Never fails
 * towards its caller: whatever goes wrong is logged and, while nothing has
 * been sent, answered with a 500; after that the response ends where it is
 * with request->app_status set.
 */
void lua_app_serve(struct lua_app *app, struct request *request);

#endif

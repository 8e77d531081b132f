#ifndef WORKER_LUA_LUA_APP_H
#define WORKER_LUA_LUA_APP_H

/*
 * An application: a Lua state with the file loaded, and its functions
 * called under protection.  Runs in the worker (and in the throw-away
 * process of -t).  Knows requests, not FastCGI.
 */

#include "base/why.h"
#include "conf/conf.h"
#include "worker/lua/lua_entry.h"
#include "worker/net/hub_client.h"
#include "worker/serve/request.h"

struct lua_app;
struct lua_opening;
struct lua_worker;

struct lua_app_options {
	size_t memory;	       /* limit of the Lua heap in bytes, 0: none */
	size_t response_head;  /* bytes of a response's head, 0: any number */
	int timeout_status;    /* for a request whose time is over */
	bool errors_to_server; /* env.errors and errors go to FCGI_STDERR too */
	const struct conf_lua *lua; /* what its code may reach, NULL: the
				       defaults; must outlive the state */
	/* Whose interface the application is written for, and its options;
	 * NULL: native.  Must outlive the state. */
	const struct conf_pool *pool;
	const struct lua_worker *worker; /* NULL: nothing is known of it; must
					    outlive the state */
	/* Called before and after every entry into Lua code except LUA_ACCEPT,
	 * whose time the caller of lua_app_serve watches; NULL: not called. */
	void (*enter)(enum lua_entry entry);
	void (*leave)(void);
};

enum lua_end { /* how an entry ended */
	LUA_END_DONE,
	LUA_END_NONE,	   /* the application has no such function */
	LUA_END_RAISED,
	LUA_END_LATE,	   /* stopped, since its time was over */
	LUA_END_NO_MEMORY, /* raised, since limits.memory was hit */
};

/*
 * Create a state, cut it down to what options->lua allows, load `file` and run
 * it, through the interface it is written for.  NULL and why if anything is
 * wrong (no file, syntax, an error, not a table, no accept, no interval though
 * options->pool has timers, a field of the wrong type): with file and line as
 * Lua reports them, and with the traceback if its time was over.
 */
struct lua_app *lua_app_load(const char *file,
    const struct lua_app_options *options, struct why *why);

/*
 * If its pool has develop = true: when a file that it was loaded from has
 * changed, or if it is not loaded, stop it, close its state, and load and start
 * it in a fresh one.  Then an application that does not load or start is no
 * failure of lua_app_load, lua_app_start or this: its requests are answered with
 * the reason until it does.  To be called between two requests.
 */
void lua_app_refresh(struct lua_app *app);

/* Close the state, which runs __gc methods, and free it.  NULL: no effect. */
void lua_app_free(struct lua_app *app);

/*
 * Call app.setup, or app.start.  0: it succeeded; also if there is no such
 * function, or it returned nil or 0.  -1 and why, which is also logged: it
 * raised or was late, then logged with its traceback, or returned something
 * else; if that is an integer, it is in *code (0..255, as for exit(3); others
 * become 1), to exit with.
 */
int lua_app_setup(struct lua_app *app, int *code, struct why *why);
int lua_app_start(struct lua_app *app, int *code, struct why *why);

/* Call app.restart.  An error is logged, and the application stays usable as it
 * is; but not after LUA_END_LATE, as it may have been stopped anywhere. */
enum lua_end lua_app_restart(struct lua_app *app);

/*
 * Call app.interval with the name of a timer.  If it raised, was late or hit the
 * memory limit, that is logged with its traceback, why says it in one line, and
 * the application stays usable as after such a request.  LUA_END_NONE: it has
 * no such function any more, which is logged too.
 */
enum lua_end lua_app_interval(struct lua_app *app, const char *timer,
    struct why *why);

/* True if a file that it was loaded from (its own, or that of a module that
 * require found) has changed on disk.  Then restart is not enough. */
bool lua_app_changed(const struct lua_app *app);

/*
 * WebSockets.  True if it had `websocket` when it was loaded.  lua_app_open_socket
 * calls websocket.open for a request to upgrade: true, and *tells if there is a
 * websocket.close; false, and the request has been answered.  lua_app_deliver
 * calls websocket.message or .close: false if that failed, which is logged.
 */
bool lua_app_has_websocket(const struct lua_app *app);
bool lua_app_open_socket(struct lua_app *app, struct request *request,
    struct lua_opening *socket, bool *tells);
bool lua_app_deliver(struct lua_app *app, struct request *request,
    const struct hub_job *job);

/* True if it had a function setup, or restart, when it was loaded. */
bool lua_app_sets_up(const struct lua_app *app);
bool lua_app_restarts(const struct lua_app *app);

/* The roles that it serves, ROLE_BIT of each. */
unsigned lua_app_roles(const struct lua_app *app);

/* True if the memory limit has ever been hit: the application may be in any
 * state, and the worker is to be replaced. */
bool lua_app_exhausted(const struct lua_app *app);

/* True if it has asked for the worker to be replaced (fpm.worker). */
bool lua_app_retires(const struct lua_app *app);

/* Bytes of its Lua heap. */
size_t lua_app_memory(const struct lua_app *app);

/* Call app.stop.  True: the worker is to leave; also if there is no such
 * function, or if it raised or was late, which is logged.  False: it declined
 * by returning something other than nil or 0. */
bool lua_app_stop(struct lua_app *app);

/*
 * Serve one request: call accept, send what it returned.  The caller sees no
 * failure.  It is logged and, if nothing has been sent, answered: by app.error,
 * else 500; timeout_status, or 408 for a body that came too late, 413 for one
 * that is too long, 400 for a malformed one.  If part of a response has been
 * sent, it ends there and request->app_status is set.
 */
void lua_app_serve(struct lua_app *app, struct request *request);

/* True if the request that was served last has left functions to run when it
 * is over (env:after).  Then call lua_app_outlive before the request is
 * released, and lua_app_finish, which runs them, before anything else. */
bool lua_app_is_unfinished(const struct lua_app *app);
void lua_app_outlive(struct lua_app *app, const struct request *request);
void lua_app_finish(struct lua_app *app);

#endif

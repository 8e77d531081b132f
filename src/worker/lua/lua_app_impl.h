#ifndef WORKER_LUA_LUA_APP_IMPL_H
#define WORKER_LUA_LUA_APP_IMPL_H

/*
 * The inside of an application, for the files that begin with its name: run (an
 * entry into Lua), serve (requests), and what is loaded and called otherwise.
 */

#include "base/buf.h"
#include "worker/lua/lib/lua_reply.h"
#include "worker/lua/lib/lua_req.h"
#include "worker/lua/lua_app.h"
#include "worker/lua/lua_chunks.h"
#include "worker/lua/lua_files.h"
#include "worker/lua/lua_heap.h"
#include "worker/lua/lua_state.h"

#define APP_TABLE (LUA_STATE_HANDLER + 1) /* its slot on the stack */

struct lua_app {
	lua_State *L;
	char *file;
	int settled; /* see lua_state_settle */
	struct lua_heap heap;
	bool exhausted; /* its limit has been hit at some time */
	char *trace; /* where it was hit last in this entry, or "" */
	bool sets_up;	/* it had a setup when it was loaded */
	bool restarts;	/* and a restart, */
	bool answers;	/* and an error */
	bool websocket; /* and a websocket */
	bool develops;	/* see lua_app_develop.c */
	char *failure;	/* why it was not loaded or started, if develops */
	size_t failure_len;
	unsigned roles; /* that it serves, ROLE_BIT of each */
	struct lua_files files;
	struct lua_chunks chunks;
	struct lua_app_options options;
	struct lua_req req;
	struct lua_reply reply;
	enum lua_reply_end end; /* of the response, and why */
	struct why why;
};

/* ---- lua_app.c ------------------------------------------------------------ */

/* Make a state and load the application: 0; or -1 and why, and the state is
 * there but for want of memory.  Close it, and forget all of it. */
int lua_app_open(struct lua_app *app, struct why *why);
void lua_app_close(struct lua_app *app);

/* ---- lua_app_serve.c ------------------------------------------------------ */

/* Log the message of an entry that failed, or why its response is bad. */
void lua_app_log_failure(struct lua_app *app, const char *what,
    enum lua_end end);

/* The request ended with the error on the stack: log and answer it. */
void lua_app_handle_error(struct lua_app *app, enum lua_end end);

/* Nothing of the request is left to do. */
void lua_app_end_request(struct lua_app *app);

/* ---- lua_app_websocket.c -------------------------------------------------- */

/* True if the application at index 1 has a websocket; raises if that is not as
 * it should be. */
bool lua_app_check_websocket(lua_State *L, const char *file);

/* ---- lua_app_develop.c ---------------------------------------------------- */

/* If the pool is for development: watch what the application, which is being
 * loaded, requires; and what its requests make global, now that it is loaded. */
void lua_app_develop(struct lua_app *app, lua_State *L);
void lua_app_develop_loaded(struct lua_app *app, lua_State *L);

/* The application does not load or start, for that reason: if the pool is for
 * development keep the reason, and return true. */
bool lua_app_break(struct lua_app *app, const char *text, size_t len);

/* Push what makes the page of a failed request: of its env, a message and a
 * traceback. */
void lua_app_develop_page(lua_State *L);

/* ---- lua_app_run.c -------------------------------------------------------- */

/* Before and after every entry, which lua_app_run is one of. */
void lua_app_enter(struct lua_app *app, enum lua_entry entry);
void lua_app_leave(struct lua_app *app, enum lua_entry entry);

/* How an entry ended that lua_state_call had this result for. */
enum lua_end lua_app_judge(struct lua_app *app, int result);

/* One entry: call the C function with the application's table and `second`.
 * Afterwards its results, or a message, are on the stack. */
enum lua_end lua_app_run(struct lua_app *app, enum lua_entry entry,
    lua_CFunction function, const void *second, int nresults);

/* Between two entries: give back the memory that the last one took. */
void lua_app_settle(struct lua_app *app);

/* Append the message on the stack, with a traceback if one is known. */
void lua_app_add_message(struct lua_app *app, struct buf *out);

/* lua_heap.raises, whose argument is the struct lua_app. */
void lua_app_trace_memory(void *arg, bool sound);

#endif

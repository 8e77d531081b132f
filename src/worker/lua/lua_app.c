#include "worker/lua/lua_app_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "worker/lua/lib/lua_env.h"
#include "worker/lua/lib/lua_input.h"
#include "worker/lua/lib/lua_library.h"
#include "worker/lua/lib/lua_watch.h"
#include "worker/lua/lib/lua_websocket.h"
#include "worker/lua/lib/lua_worker.h"
#include "worker/lua/lua_check.h"
#include "worker/lua/lua_deadline.h"
#include "worker/lua/lua_interface.h"
#include "worker/lua/lua_process.h"
#include "worker/lua/lua_sandbox.h"
#include "worker/lua/lua_trace.h"

/* ---- loading ------------------------------------------------------------- */

static bool
has_root(const struct lua_app *app)
{
	return app->options.pool != NULL && conf_has_root(
	    (enum conf_interface)app->options.pool->interface);
}

/* A file in the directory in which modules are looked for first. */
static const char *
module_path(lua_State *L, const struct lua_app *app)
{
	if (!has_root(app))
		return app->file;
	return lua_pushfstring(L, "%s/", app->file);
}

static int
setup(lua_State *L)
{
	struct lua_app *app = lua_touserdata(L, 1);

	lua_input_setup(L);
	lua_env_setup(&app->req, L);
	lua_deadline_setup(L);
	lua_process_setup(L);
	lua_sandbox_apply(L, app->options.lua, module_path(L, app),
	    &app->chunks);
	lua_files_watch(&app->files, L);
	lua_app_develop(app, L);
	lua_library_setup(L);
	lua_worker_keep(app->options.worker, L);
	lua_watch_keep(&app->files, L);
	lua_websocket_setup(L);
	return 0;
}

static void
check_function(lua_State *L, const char *file, const char *name,
    bool required)
{
	lua_pushstring(L, name);
	lua_rawget(L, 1);
	if (!lua_state_callable(L, -1) && (required || !lua_isnil(L, -1)))
		luaL_error(L, "%s: %s is %s%s, expected a function", file,
		    name, lua_isnil(L, -1) ? "" : "a ", luaL_typename(L, -1));
	lua_pop(L, 1);
}

/* The role of the name at the top of the stack. */
static unsigned
check_role(lua_State *L, const char *file, lua_Integer i)
{
	const char *name = lua_tostring(L, -1);
	unsigned role = 0;

	while (role < REQUEST_ROLES &&
	    strcmp(request_role_name(role), name) != 0)
		role++;
	if (role == REQUEST_ROLES)
		luaL_error(L, "%s: roles[%d] is \"%s\", expected "
		    "\"responder\", \"authorizer\" or \"filter\"", file, (int)i,
		    name);
	return role;
}

/* The roles of the application at index 1. */
static unsigned
check_roles(lua_State *L, const char *file)
{
	lua_Integer i, n;
	unsigned roles = 0;
	struct why why;
	int list;

	lua_pushliteral(L, "roles");
	if (lua_rawget(L, 1) == LUA_TNIL)
		return ROLE_BIT(ROLE_RESPONDER);
	list = lua_gettop(L);
	if (!lua_istable(L, list))
		luaL_error(L, "%s: roles is a %s, expected an array of names",
		    file, luaL_typename(L, list));
	if (lua_check_list(L, list, "roles", &why) == -1)
		luaL_error(L, "%s: %s", file, why.text);
	n = (lua_Integer)lua_rawlen(L, list);
	for (i = 1; i <= n; i++) {
		lua_rawgeti(L, list, i);
		roles |= ROLE_BIT(check_role(L, file, i));
		lua_pop(L, 1);
	}
	if (roles == 0)
		luaL_error(L, "%s: roles is empty: nothing would be served",
		    file);
	return roles;
}

/* A pool with timers needs it. */
static void
check_interval(lua_State *L, const struct lua_app *app)
{
	const struct conf_pool *pool = app->options.pool;

	check_function(L, app->file, "interval", false);
	lua_pushliteral(L, "interval");
	if (lua_rawget(L, 1) == LUA_TNIL && pool != NULL &&
	    pool->timers.n > 0)
		luaL_error(L, "%s: interval is nil, expected a function, since "
		    "the pool has timers", app->file);
	lua_pop(L, 1);
}

/* Called with what the file returned.  Raises if that is not an application;
 * returns its roles, its setup, its restart and its error, and whether it has
 * WebSockets. */
static int
check_app(lua_State *L)
{
	const struct lua_app *app = lua_touserdata(L, 2);
	const char *file = app->file;

	lua_interface_judge(L, file);
	check_function(L, file, "accept", true);
	check_function(L, file, "setup", false);
	check_function(L, file, "start", false);
	check_function(L, file, "restart", false);
	check_function(L, file, "stop", false);
	check_function(L, file, "error", false);
	check_interval(L, app);
	lua_pushinteger(L, check_roles(L, file));
	lua_pushliteral(L, "setup");
	lua_rawget(L, 1);
	lua_pushliteral(L, "restart");
	lua_rawget(L, 1);
	lua_pushliteral(L, "error");
	lua_rawget(L, 1);
	lua_pushboolean(L, lua_app_check_websocket(L, file));
	return 5;
}

/* Append the limit and the place, if it is known: Lua's own message is only
 * "not enough memory". */
static void
blame_memory(struct lua_app *app, struct why *why)
{
	size_t len = strlen(why->text), frame = strcspn(app->trace, "\n");
	char limit[NUM_TEXT];

	if (lua_heap_hit(&app->heap))
		snprintf(why->text + len, sizeof(why->text) - len,
		    " (memory limit %s)%s%.*s",
		    num_size_text((int64_t)app->heap.limit, limit),
		    frame > 0 ? ": " : "", (int)frame, app->trace);
}

/* Put the message on the stack into why. */
static void
explain(struct lua_app *app, enum lua_end end, struct why *why)
{
	lua_state_why(app->L, app->file, end == LUA_END_LATE, why);
	if (end == LUA_END_NO_MEMORY)
		blame_memory(app, why);
}

/* The message on the stack is why the application does not load or start: true
 * if it goes on even so. */
static bool
fail(struct lua_app *app, enum lua_end end, struct why *why)
{
	size_t len;
	const char *text = lua_state_message(app->L, &len);
	bool goes_on = lua_app_break(app, text, len);

	explain(app, end, why);
	lua_settop(app->L, LUA_STATE_HANDLER);
	lua_pushnil(app->L);
	return goes_on;
}

/* 0: the application's table is on the stack, -1: a message. */
static int
load(struct lua_app *app)
{
	lua_State *L = app->L;

	lua_pushcfunction(L, setup);
	lua_pushlightuserdata(L, app);
	if (lua_state_call(L, 1, 0) == -1)
		return -1;
	/* Noted before it is read, so that a change in between is seen. */
	if (!has_root(app))
		lua_files_add(&app->files, app->file);
	if (lua_interface_load(L, app->file, app->options.pool) == -1)
		return -1;
	lua_pushcfunction(L, check_app);
	lua_pushvalue(L, APP_TABLE);
	lua_pushlightuserdata(L, app);
	if (lua_state_call(L, 2, 5) == -1)
		return -1;
	app->roles = (unsigned)lua_tointeger(L, -5);
	app->sets_up = !lua_isnil(L, -4);
	app->restarts = !lua_isnil(L, -3);
	app->answers = !lua_isnil(L, -2);
	app->websocket = lua_toboolean(L, -1);
	lua_settop(L, APP_TABLE);
	lua_app_develop_loaded(app, L);
	return 0;
}

int
lua_app_open(struct lua_app *app, struct why *why)
{
	enum lua_end end;
	int result;

	app->L = lua_state_open();
	if (app->L == NULL) {
		why_set(why, "%s: out of memory", app->file);
		return -1;
	}
	app->heap = (struct lua_heap){ .raises = lua_app_trace_memory,
		.arg = app };
	lua_heap_bound(&app->heap, app->L, app->options.memory);
	lua_app_enter(app, LUA_LOAD);
	result = load(app);
	lua_app_leave(app, LUA_LOAD);
	end = lua_app_judge(app, result);
	if (end == LUA_END_DONE)
		return 0;
	fail(app, end, why);
	return -1;
}

void
lua_app_close(struct lua_app *app)
{
	if (app->L != NULL) {
		lua_app_enter(app, LUA_CLOSE);
		lua_close(app->L);
		lua_app_leave(app, LUA_CLOSE);
	}
	app->L = NULL;
	app->settled = 0;
	app->sets_up = app->restarts = app->answers = app->websocket = false;
	app->roles = ROLE_BIT(ROLE_RESPONDER);
	lua_req_forget(&app->req);
	lua_files_free(&app->files);
	lua_chunks_free(&app->chunks);
}

struct lua_app *
lua_app_load(const char *file, const struct lua_app_options *options,
    struct why *why)
{
	struct lua_app *app = calloc(1, sizeof(*app));

	lua_deadline_init();
	if (app == NULL || (app->file = strdup(file)) == NULL ||
	    (app->trace = calloc(1, LUA_TRACE_SIZE)) == NULL) {
		why_set(why, "%s: out of memory", file);
		lua_app_free(app);
		return NULL;
	}
	app->req.reply = &app->reply;
	app->req.why = &app->why;
	app->req.errors_to_server = options->errors_to_server;
	app->reply.may_complain = options->errors_to_server;
	app->reply.head_most = options->response_head;
	app->options = *options;
	app->roles = ROLE_BIT(ROLE_RESPONDER);
	app->develops = options->pool != NULL && options->pool->develop &&
	    options->worker != NULL && options->worker->index > 0;
	if (lua_app_open(app, why) == 0)
		return app;
	if (app->develops && app->L != NULL) {
		log_error("%s", why->text);
		return app;
	}
	lua_app_free(app);
	return NULL;
}

/* The state is closed first: __gc methods may still use a kept env, which
 * needs app->req. */
void
lua_app_free(struct lua_app *app)
{
	if (app == NULL)
		return;
	lua_app_close(app);
	lua_req_free(&app->req);
	lua_reply_free(&app->reply);
	free(app->file);
	free(app->trace);
	free(app->failure);
	free(app);
}

/* ---- setup, start, restart, stop ----------------------------------------- */

/* Called with the application's table and a name: call its function of that
 * name.  Returns whether there is one, and what it returned. */
static int
call_hook(lua_State *L)
{
	lua_getfield(L, 1, lua_touserdata(L, 2));
	if (lua_isnil(L, -1)) {
		lua_pushboolean(L, 0);
		lua_pushnil(L);
		return 2;
	}
	lua_pushboolean(L, 1);
	lua_insert(L, -2);
	lua_call(L, 0, 1);
	return 2;
}

/* What a hook returned: an integer, or 0 for nil.  False if it is neither. */
static bool
hook_result(lua_State *L, lua_Integer *result)
{
	int integral = 1;

	*result = 0;
	if (lua_type(L, -1) == LUA_TNUMBER)
		*result = lua_tointegerx(L, -1, &integral);
	else
		integral = lua_isnil(L, -1);
	return integral;
}

/* The message stays on the stack. */
static void
log_hook_error(struct lua_app *app, const char *name)
{
	struct buf text = { 0 };

	buf_addf(&text, "%s: %s: ", app->file, name);
	lua_app_add_message(app, &text);
	if (buf_string(&text) == NULL)
		buf_clear(&text);
	log_about(LEVEL_ERROR, NULL, NULL, text.data, text.len);
	buf_free(&text);
}

/* What lua_app_setup and lua_app_start promise. */
static int
begin(struct lua_app *app, enum lua_entry entry, const char *name, int *code,
    struct why *why)
{
	lua_State *L = app->L;
	enum lua_end end = lua_app_run(app, entry, call_hook, name, 2);
	lua_Integer result;
	bool sane;

	if (end != LUA_END_DONE) {
		log_hook_error(app, name);
		return fail(app, end, why) && entry == LUA_START ? 0 : -1;
	}
	sane = hook_result(L, &result);
	if (sane)
		*code = result >= 0 && result <= 255 ? (int)result : 1;
	if (sane && result != 0)
		why_set(why, "%s: %s returned %d: leaving with it", app->file,
		    name, *code);
	else if (!sane)
		why_set(why, "%s: %s returned a %s, expected nothing or an "
		    "integer", app->file, name, luaL_typename(L, -1));
	lua_settop(L, APP_TABLE);
	if (sane && result == 0)
		return 0;
	log_error("%s", why->text);
	return entry == LUA_START &&
	    lua_app_break(app, why->text, strlen(why->text)) ? 0 : -1;
}

int
lua_app_setup(struct lua_app *app, int *code, struct why *why)
{
	return begin(app, LUA_SETUP, "setup", code, why);
}

int
lua_app_start(struct lua_app *app, int *code, struct why *why)
{
	if (app->failure != NULL)
		return 0;
	return begin(app, LUA_START, "start", code, why);
}

enum lua_end
lua_app_restart(struct lua_app *app)
{
	enum lua_end end;

	if (app->failure != NULL)
		return LUA_END_DONE;
	end = lua_app_run(app, LUA_RESTART, call_hook, "restart", 2);
	if (end != LUA_END_DONE) {
		log_hook_error(app, "restart");
		lua_settop(app->L, APP_TABLE);
		return end;
	}
	if (!lua_toboolean(app->L, -2))
		end = LUA_END_NONE;
	lua_settop(app->L, APP_TABLE);
	return end;
}

/* ---- timers -------------------------------------------------------------- */

/* Called with the application's table and the name of a timer.  Returns whether
 * there is an interval. */
static int
call_interval(lua_State *L)
{
	if (lua_getfield(L, 1, "interval") == LUA_TNIL) {
		lua_pushboolean(L, 0);
		return 1;
	}
	lua_pushstring(L, lua_touserdata(L, 2));
	lua_call(L, 1, 0);
	lua_pushboolean(L, 1);
	return 1;
}

static void
log_no_interval(struct lua_app *app, struct why *why)
{
	why_set(why, "%s: interval is nil: the application has removed it",
	    app->file);
	log_error("%s", why->text);
}

enum lua_end
lua_app_interval(struct lua_app *app, const char *timer, struct why *why)
{
	enum lua_end end = lua_app_run(app, LUA_INTERVAL, call_interval, timer,
	    1);
	char name[64];

	snprintf(name, sizeof(name), "interval(\"%s\")", timer);
	if (end != LUA_END_DONE) {
		log_hook_error(app, name);
		lua_state_why(app->L, app->file, false, why);
		if (end == LUA_END_NO_MEMORY)
			blame_memory(app, why);
	} else if (!lua_toboolean(app->L, -1)) {
		end = LUA_END_NONE;
		log_no_interval(app, why);
	}
	lua_settop(app->L, APP_TABLE);
	lua_app_settle(app);
	return end;
}

/* ---- what is known of it ------------------------------------------------- */

bool
lua_app_changed(const struct lua_app *app)
{
	return lua_files_changed(&app->files);
}

bool
lua_app_sets_up(const struct lua_app *app)
{
	return app->sets_up;
}

bool
lua_app_restarts(const struct lua_app *app)
{
	return app->restarts;
}

unsigned
lua_app_roles(const struct lua_app *app)
{
	return app->roles;
}

bool
lua_app_exhausted(const struct lua_app *app)
{
	return app->exhausted;
}

bool
lua_app_retires(const struct lua_app *app)
{
	return app->req.retires;
}

/* Rounded down to kilobytes, which saves a second call. */
size_t
lua_app_memory(const struct lua_app *app)
{
	return (size_t)lua_gc(app->L, LUA_GCCOUNT) * 1024 + app->chunks.bytes;
}

bool
lua_app_stop(struct lua_app *app)
{
	lua_Integer result;
	bool sane;

	if (app->failure != NULL)
		return true;
	if (lua_app_run(app, LUA_STOP, call_hook, "stop", 2) != LUA_END_DONE) {
		log_hook_error(app, "stop");
		lua_settop(app->L, APP_TABLE);
		return true;
	}
	sane = hook_result(app->L, &result);
	lua_settop(app->L, APP_TABLE);
	return sane && result == 0;
}

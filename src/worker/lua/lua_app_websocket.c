#include "worker/lua/lua_app_impl.h"

#include <stdio.h>
#include <string.h>

#include "net/ws_frame.h"
#include "worker/lua/lib/lua_env.h"
#include "worker/lua/lib/lua_websocket.h"
#include "worker/lua/lua_check.h"
#include "worker/process/forked.h"

static const char *const functions[] = { "open", "message", "close", NULL };

/* ---- what there is ----------------------------------------------------------- */

bool
lua_app_check_websocket(lua_State *L, const char *file)
{
	lua_pushliteral(L, "websocket");
	if (lua_rawget(L, 1) == LUA_TNIL) {
		lua_pop(L, 1);
		return false;
	}
	if (!lua_istable(L, -1))
		luaL_error(L, "%s: websocket is a %s, expected a table of "
		    "functions", file, luaL_typename(L, -1));
	for (size_t i = 0; functions[i] != NULL; i++) {
		lua_getfield(L, -1, functions[i]);
		if (!lua_state_callable(L, -1) && !lua_isnil(L, -1))
			luaL_error(L, "%s: websocket.%s is a %s, expected a "
			    "function", file, functions[i],
			    luaL_typename(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return true;
}

bool
lua_app_has_websocket(const struct lua_app *app)
{
	return app->websocket;
}

/* Push app.websocket[name], the application being at 1; nil if there is none. */
static bool
push_function(lua_State *L, const char *name)
{
	lua_getfield(L, 1, "websocket");
	if (lua_istable(L, -1))
		lua_getfield(L, -1, name);
	else
		lua_pushnil(L);
	lua_remove(L, -2);
	return !lua_isnil(L, -1);
}

/* ---- open ---------------------------------------------------------------------- */

struct opening {
	struct lua_app *app;
	struct lua_opening *socket;
	bool tells;
	int status; /* 101: it is accepted */
};

/* What open returned: nothing or true, false, or a status. */
static int
judge_result(lua_State *L)
{
	lua_Integer status = 0;
	int integral = 0;

	if (lua_isnil(L, -1))
		return 101;
	if (lua_isboolean(L, -1))
		return lua_toboolean(L, -1) ? 101 : 403;
	if (lua_type(L, -1) == LUA_TNUMBER)
		status = lua_tointegerx(L, -1, &integral);
	if (!integral || status < 400 || status > 599)
		luaL_error(L, "websocket.open returned a %s, expected nothing, "
		    "true, false, or a status from 400 to 599",
		    luaL_typename(L, -1));
	return (int)status;
}

static int
call_open(lua_State *L)
{
	struct opening *o = lua_touserdata(L, 2);
	struct hub_part none = { "", 0 };

	o->tells = push_function(L, "close");
	o->status = 101;
	if (!push_function(L, "open"))
		return 0;
	lua_websocket_push(L, o->socket->id, &none, 0, o->socket);
	lua_env_push(&o->app->req, L);
	if (o->app->answers || o->app->develops) {
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, o->app);
	}
	lua_call(L, 2, 1);
	forked_leave();
	o->status = judge_result(L);
	return 0;
}

/* True if it is to be opened, which *tells is about; else the request has been
 * answered. */
bool
lua_app_open_socket(struct lua_app *app, struct request *request,
    struct lua_opening *socket, bool *tells)
{
	struct opening o = { .app = app, .socket = socket };
	enum lua_end end;
	bool opens;

	lua_req_begin(&app->req, request);
	end = lua_app_run(app, LUA_ACCEPT, call_open, &o, 0);
	lua_websocket_opened();
	lua_env_flush(&app->req);
	opens = end == LUA_END_DONE && o.status == 101;
	*tells = o.tells;
	if (end != LUA_END_DONE)
		lua_app_handle_error(app, end);
	else if (!opens)
		lua_reply_error(&app->reply, request, o.status);
	lua_settop(app->L, APP_TABLE);
	lua_app_end_request(app);
	lua_app_settle(app);
	return opens;
}

/* ---- message and close ------------------------------------------------------------ */

struct delivery {
	const struct hub_job *job;
	bool heard; /* there is a function for it */
};

static int
deliver(lua_State *L)
{
	struct delivery *d = lua_touserdata(L, 2);
	const struct hub_job *job = d->job;

	d->heard = push_function(L, job->ended ? "close" : "message");
	if (!d->heard)
		return 0;
	lua_websocket_push(L, job->id, &job->session,
	    job->ended ? 0 : job->code, NULL);
	if (job->ended)
		lua_pushinteger(L, job->code);
	lua_pushlstring(L, job->data.data, job->data.len);
	if (!job->ended)
		lua_pushstring(L, job->kind == WS_TEXT ? "text" : "binary");
	lua_call(L, 3, 0);
	forked_leave();
	return 0;
}

/* The application has no `message` any more, or never had one. */
static void
close_unheard(uint64_t id)
{
	struct buf *out = hub_client_actions();
	size_t begun = hub_begin(out, HUB_CLOSE, 0, WS_CODE_GOING_AWAY, id);

	hub_part(out, "", 0);
	hub_end(out, begun);
}

bool
lua_app_deliver(struct lua_app *app, struct request *request,
    const struct hub_job *job)
{
	struct delivery d = { .job = job };
	enum lua_end end = LUA_END_DONE;

	lua_req_begin(&app->req, request);
	if (app->failure == NULL)
		end = lua_app_run(app, LUA_ACCEPT, deliver, &d, 0);
	if (end != LUA_END_DONE) {
		lua_app_log_failure(app, job->ended ? "websocket.close" :
						      "websocket.message", end);
		request->failed = true;
	} else if (!d.heard && !job->ended) {
		close_unheard(job->id);
	}
	request->status = request->failed ? 500 : 200;
	lua_settop(app->L, APP_TABLE);
	lua_app_end_request(app);
	lua_app_settle(app);
	return !request->failed;
}

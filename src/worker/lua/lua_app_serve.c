#include "worker/lua/lua_app_impl.h"

#include <string.h>

#include "base/num.h"
#include "worker/lua/lib/lua_after.h"
#include "worker/lua/lib/lua_env.h"
#include "worker/lua/lib/lua_form.h"
#include "worker/lua/lib/lua_input.h"
#include "worker/lua/lua_deadline.h"
#include "worker/process/forked.h"

/* Send the two values at the top of the stack, with that status if they have
 * none, unless the application responds piece by piece. */
static enum lua_reply_end
respond(struct lua_app *app, lua_State *L, int status)
{
	struct request *request = app->req.request;

	if (!app->req.responds)
		return lua_reply_send(&app->reply, L, status, request,
		    &app->why);
	if (app->reply.open)
		return lua_reply_close(&app->reply, request, &app->why);
	return (enum lua_reply_end)app->reply.ended;
}

/* All that may raise, from making env to the last piece of the body. */
static int
exchange(lua_State *L)
{
	struct lua_app *app = lua_touserdata(L, 2);

	lua_getfield(L, 1, "accept");
	lua_env_push(&app->req, L);
	if (app->answers || app->develops) {
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, app);
	}
	lua_call(L, 1, 2);
	forked_leave();
	app->end = respond(app, L, 200);
	return 0;
}

/* ---- app.error ----------------------------------------------------------- */

struct failure { /* of a request */
	struct lua_app *app;
	const char *text; /* a message, and maybe a traceback */
	size_t len;
};

/* Call app.error, whose response is sent as that of accept would be. */
static int
answer_failure(lua_State *L)
{
	const struct failure *failure = lua_touserdata(L, 2);
	struct lua_app *app = failure->app;
	size_t len = lua_state_message_len(failure->text, failure->len);

	if (app->develops)
		lua_app_develop_page(L);
	else
		lua_getfield(L, 1, "error");
	lua_rawgetp(L, LUA_REGISTRYINDEX, app);
	lua_pushlstring(L, failure->text, len);
	if (len < failure->len)
		lua_pushlstring(L, failure->text + len + 1,
		    failure->len - len - 1);
	else
		lua_pushnil(L);
	lua_call(L, 3, 2);
	forked_leave();
	app->end = respond(app, L, 500);
	return 0;
}

/* The message of an entry that failed, or why its response is bad. */
void
lua_app_log_failure(struct lua_app *app, const char *what, enum lua_end end)
{
	struct buf text = { 0 };

	buf_addf(&text, "%s: ", what);
	if (end != LUA_END_DONE)
		lua_app_add_message(app, &text);
	else
		buf_puts(&text, app->why.text);
	if (buf_string(&text) == NULL)
		buf_clear(&text);
	lua_req_log(&app->req, LEVEL_ERROR, text.data, text.len);
	buf_free(&text);
}

/* Let the application answer a request that has failed.  False if nothing has
 * been sent even so. */
static bool
answer_itself(struct lua_app *app, const char *text, size_t len)
{
	struct failure failure = { app, text, len };
	struct request *request = app->req.request;
	enum lua_end end;

	app->req.responds = false;
	end = lua_app_run(app, LUA_ACCEPT, answer_failure, &failure, 0);
	if (end != LUA_END_DONE || app->end == LUA_REPLY_BAD ||
	    app->end == LUA_REPLY_CUT)
		lua_app_log_failure(app, "error", end);
	if (request->sent &&
	    (end != LUA_END_DONE || app->end == LUA_REPLY_BAD))
		request->app_status = 1;
	return request->sent;
}

/* Log a text about the request and answer with that status; if a part of the
 * response has been sent, mark it as incomplete instead. */
static void
fail(struct lua_app *app, enum log_level level, int status, const char *text,
    size_t len)
{
	struct request *request = app->req.request;

	lua_req_log(&app->req, level, text, len);
	request->failed |= level >= LEVEL_ERROR;
	if (request->sent) {
		request->app_status = 1;
		return;
	}
	if ((app->answers || app->develops) && status == 500 && level >= LEVEL_ERROR &&
	    !lua_heap_hit(&app->heap) && !request->aborted &&
	    answer_itself(app, text, len))
		return;
	if (lua_deadline_expired())
		status = app->options.timeout_status;
	if (!request->aborted && app->options.pool != NULL &&
	    app->options.pool->interface == INTERFACE_FUNCTIONS)
		request->result = (uint32_t)status;
	if (!request->aborted)
		lua_reply_error(&app->reply, request, status);
}

/* The memory limit was hit.  raised: by the error that ended the request, whose
 * message is on the stack; else the application has caught the error, which is
 * only logged. */
static void
handle_memory(struct lua_app *app, bool raised)
{
	struct buf text = { 0 };
	char limit[NUM_TEXT];

	num_size_text((int64_t)app->heap.limit, limit);
	buf_addf(&text, "memory limit %s exceeded: ", limit);
	if (raised)
		lua_app_add_message(app, &text);
	else
		buf_puts(&text, "caught by the application");
	if (buf_string(&text) == NULL)
		buf_clear(&text);
	if (raised)
		fail(app, LEVEL_ERROR, 500, text.data, text.len);
	else
		lua_req_log(&app->req, LEVEL_WARNING, text.data, text.len);
	buf_free(&text);
}

/* The request ended with the error on the stack: the application's own, or
 * that of a client whose body did not come. */
void
lua_app_handle_error(struct lua_app *app, enum lua_end end)
{
	size_t n;
	const char *message = lua_state_message(app->L, &n);
	int error = lua_input_error(&app->req, message);
	int status = request_body_status(error);

	if (end == LUA_END_LATE)
		fail(app, LEVEL_ERROR, app->options.timeout_status, message,
		    n);
	else if (end == LUA_END_NO_MEMORY)
		handle_memory(app, true);
	else if (error != 0)
		fail(app, LEVEL_NOTICE, status != 0 ? status : 500, message,
		    lua_state_message_len(message, n));
	else
		fail(app, LEVEL_ERROR, 500, message, n);
}

static void
handle_end(struct lua_app *app)
{
	const char *text = app->why.text;

	switch (app->end) {
	case LUA_REPLY_DONE:
		break;
	case LUA_REPLY_CUT:
		lua_req_log(&app->req, LEVEL_ERROR, text, strlen(text));
		break;
	case LUA_REPLY_BAD:
		fail(app, LEVEL_ERROR, 500, text, strlen(text));
		break;
	case LUA_REPLY_GONE:
		text = "the client took no more of the response";
		lua_req_log(&app->req, LEVEL_INFO, text, strlen(text));
		break;
	}
}

void
lua_app_end_request(struct lua_app *app)
{
	lua_req_end(&app->req);
	lua_form_end();
}

/* env, for the page that says why the application was not loaded. */
static int
keep_env(lua_State *L)
{
	struct lua_app *app = lua_touserdata(L, 2);

	lua_env_push(&app->req, L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, app);
	return 0;
}

/* The application was not loaded, which is in the log. */
static void
serve_failure(struct lua_app *app)
{
	struct request *request = app->req.request;

	request->failed = true;
	if ((lua_app_run(app, LUA_ACCEPT, keep_env, app, 0) != LUA_END_DONE ||
		!answer_itself(app, app->failure, app->failure_len)) &&
	    !request->aborted)
		lua_reply_error(&app->reply, request, 500);
	lua_settop(app->L, APP_TABLE);
	lua_app_end_request(app);
}

void
lua_app_serve(struct lua_app *app, struct request *request)
{
	enum lua_end end;

	lua_req_begin(&app->req, request);
	if (app->failure != NULL) {
		serve_failure(app);
		return;
	}
	end = lua_app_run(app, LUA_ACCEPT, exchange, app, 0);
	lua_env_flush(&app->req);
	if (end != LUA_END_DONE)
		lua_app_handle_error(app, end);
	else
		handle_end(app);
	if (end == LUA_END_DONE && lua_heap_hit(&app->heap))
		handle_memory(app, false);
	lua_settop(app->L, APP_TABLE);
	if (app->req.nafter == 0)
		lua_app_end_request(app);
	lua_app_settle(app);
}

/* ---- after the response -------------------------------------------------- */

bool
lua_app_is_unfinished(const struct lua_app *app)
{
	return app->req.nafter > 0;
}

void
lua_app_outlive(struct lua_app *app, const struct request *request)
{
	lua_req_outlive(&app->req, request->aborted);
}

void
lua_app_finish(struct lua_app *app)
{
	enum lua_end end = lua_app_run(app, LUA_AFTER, lua_after_call, NULL, 0);

	lua_env_flush(&app->req);
	if (end != LUA_END_DONE)
		lua_app_log_failure(app, "after", end);
	lua_settop(app->L, APP_TABLE);
	lua_after_clear(&app->req, app->L);
	lua_app_end_request(app);
	lua_app_settle(app);
}

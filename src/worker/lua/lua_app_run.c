#include "worker/lua/lua_app_impl.h"

#include <string.h>

#include "base/locale.h"
#include "worker/lua/lua_deadline.h"
#include "worker/lua/lua_error.h"
#include "worker/lua/lua_trace.h"
#include "worker/process/forked.h"

void
lua_app_enter(struct lua_app *app, enum lua_entry entry)
{
	lua_heap_begin(&app->heap);
	*app->trace = '\0';
	if (entry != LUA_ACCEPT && app->options.enter != NULL)
		app->options.enter(entry);
	lua_deadline_begin(app->L, entry);
	locale_theirs();
}

/* A process that the application has forked during the entry ends here. */
void
lua_app_leave(struct lua_app *app, enum lua_entry entry)
{
	forked_leave();
	locale_ours();
	lua_deadline_end(app->L);
	if (entry != LUA_ACCEPT && app->options.leave != NULL)
		app->options.leave();
}

/* For lua_heap: Lua does not call the message handler for want of memory, and
 * the stack is gone when lua_pcall returns, so it is looked at before. */
void
lua_app_trace_memory(void *arg, bool sound)
{
	struct lua_app *app = arg;

	*app->trace = '\0';
	if (sound)
		lua_trace_look(app->trace, LUA_TRACE_SIZE);
}

enum lua_end
lua_app_judge(struct lua_app *app, int result)
{
	app->exhausted |= lua_heap_hit(&app->heap);
	if (result == 0)
		return LUA_END_DONE;
	if (lua_deadline_expired())
		return LUA_END_LATE;
	return lua_heap_hit(&app->heap) ? LUA_END_NO_MEMORY : LUA_END_RAISED;
}

void
lua_app_add_message(struct lua_app *app, struct buf *out)
{
	size_t n;
	const char *message = lua_state_message(app->L, &n);
	char *line = app->trace, *end;

	buf_add(out, message, n);
	if (lua_state_message_len(message, n) < n || *line == '\0' ||
	    !lua_heap_hit(&app->heap))
		return;
	buf_puts(out, LUA_ERROR_TRACEBACK);
	for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		buf_puts(out, "\n\t");
		buf_add(out, line, (size_t)(end - line));
	}
}

enum lua_end
lua_app_run(struct lua_app *app, enum lua_entry entry, lua_CFunction function,
    const void *second, int nresults)
{
	lua_State *L = app->L;
	int result;

	lua_pushcfunction(L, function);
	lua_pushvalue(L, APP_TABLE);
	lua_pushlightuserdata(L, (void *)second);
	lua_app_enter(app, entry);
	result = lua_state_call(L, 2, nresults);
	lua_app_leave(app, entry);
	return lua_app_judge(app, result);
}

void
lua_app_settle(struct lua_app *app)
{
	lua_heap_settle(&app->heap, app->L);
	lua_state_settle(app->L, &app->settled);
}

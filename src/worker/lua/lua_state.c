#include "worker/lua/lua_state.h"

#include <lauxlib.h>
#include <lualib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "worker/lua/lua_error.h"

#define SETTLE_MIN    (32 * 1024) /* KB of heap, below which it is left */
#define SETTLE_FACTOR 4 /* the collector keeps the heap within 2 by itself */

/* Memory ran out outside of a protected call.  Lua aborts after this. */
static int
panic(lua_State *L)
{
	const char *message = lua_tostring(L, -1);

	log_alert("Lua panics: %s",
	    message != NULL ? message : "error object is not a string");
	return 0;
}

static int
open_libraries(lua_State *L)
{
	luaL_openlibs(L);
	lua_warning(L, "@on", 0);
	return 0;
}

lua_State *
lua_state_open(void)
{
	lua_State *L = luaL_newstate();

	if (L == NULL)
		return NULL;
	lua_atpanic(L, panic);
	lua_pushcfunction(L, lua_error_handler);
	lua_pushcfunction(L, open_libraries);
	if (lua_state_call(L, 0, 0) == -1) {
		lua_close(L);
		return NULL;
	}
	return L;
}

int
lua_state_call(lua_State *L, int nargs, int nresults)
{
	int status;

	lua_error_forget(L);
	status = lua_pcall(L, nargs, nresults, LUA_STATE_HANDLER);
	return status == LUA_OK ? 0 : -1;
}

int
lua_state_callable(lua_State *L, int index)
{
	if (lua_isfunction(L, index))
		return 1;
	if (luaL_getmetafield(L, index, "__call") == LUA_TNIL)
		return 0;
	lua_pop(L, 1);
	return 1;
}

void
lua_state_settle(lua_State *L, int *settled)
{
	int now = lua_gc(L, LUA_GCCOUNT);

	if (now < SETTLE_MIN || now / SETTLE_FACTOR < *settled)
		return;
	lua_gc(L, LUA_GCCOLLECT);
	*settled = lua_gc(L, LUA_GCCOUNT);
}

void
lua_state_keep(lua_State *L, const void *key, const void *pointer)
{
	lua_pushlightuserdata(L, (void *)pointer);
	lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void *
lua_state_kept(lua_State *L, const void *key)
{
	void *pointer;

	lua_rawgetp(L, LUA_REGISTRYINDEX, key);
	pointer = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return pointer;
}

/* ---- loading ------------------------------------------------------------- */

static int
load_file(lua_State *L)
{
	if (luaL_loadfilex(L, lua_touserdata(L, 1), "t") != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 1);
	return 1;
}

int
lua_state_load(lua_State *L, const char *file)
{
	lua_pushcfunction(L, load_file);
	lua_pushlightuserdata(L, (void *)file);
	return lua_state_call(L, 1, 1);
}

/* ---- messages ------------------------------------------------------------ */

/* It is no string only if Lua could not run the handler. */
const char *
lua_state_message(lua_State *L, size_t *n)
{
	static const char other[] = "error object is not a string";
	const char *message = lua_tolstring(L, -1, n);

	if (message != NULL)
		return message;
	*n = sizeof(other) - 1;
	return other;
}

size_t
lua_state_message_len(const char *message, size_t n)
{
	const char *end = memmem(message, n, LUA_ERROR_TRACEBACK,
	    strlen(LUA_ERROR_TRACEBACK));

	return end != NULL ? (size_t)(end - message) : n;
}

/* Lua shows a long name as "..." and its last part.  Returns how many bytes
 * of the message are that, if it begins with `file` so shortened. */
static size_t
shortened_len(const char *message, const char *file)
{
	const size_t part = LUA_IDSIZE - sizeof("...");
	size_t len = strlen(file);

	if (len <= part || strncmp(message, "...", 3) != 0 ||
	    strncmp(message + 3, file + len - part, part) != 0)
		return 0;
	return 3 + part;
}

/* True if the message, which has n bytes, names its place. */
static bool
has_place(const char *message, size_t n, const char *file)
{
	size_t len = lua_state_message_len(message, n);
	int line;

	return sscanf(message, "%*[^:]:%d:", &line) == 1 ||
	    memmem(message, len, file, strlen(file)) != NULL;
}

/* Append the full name of the file, if the message has it shortened or names no
 * place.  Returns how many bytes of the message that replaces. */
static size_t
add_place(struct buf *out, const char *message, size_t n, const char *file)
{
	size_t skip = shortened_len(message, file);

	if (skip > 0)
		buf_puts(out, file);
	else if (!has_place(message, n, file))
		buf_addf(out, "%s: ", file);
	return skip;
}

/* A line break, and the blanks after it, become one blank.  A NUL, which
 * would end the text, is shown. */
static void
add_one_line(struct buf *out, const char *text, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (text[i] == '\0') {
			buf_puts(out, "\\x00");
			i++;
			continue;
		}
		if (text[i] != '\n') {
			buf_putc(out, text[i++]);
			continue;
		}
		i += strspn(text + i, "\n\t ");
		buf_putc(out, ' ');
	}
}

/* The number of a text that begins with "FILE:NUMBER", else 0. */
static int
line_in(const char *text, const char *file)
{
	size_t n = strlen(file);

	if (strncmp(text, file, n) != 0 || text[n] != ':')
		return 0;
	return atoi(text + n + 1);
}

void
lua_state_why(lua_State *L, const char *file, bool traced, struct why *why)
{
	struct buf text = { 0 };
	size_t skip, len;
	const char *message = lua_state_message(L, &len);

	skip = add_place(&text, message, len, file);
	if (!traced)
		len = lua_state_message_len(message, len);
	add_one_line(&text, message + skip, len - skip);
	if (buf_string(&text) != NULL) {
		why_set(why, "%s", text.data);
		why->line = line_in(text.data, file);
	} else {
		why_set(why, "%s: out of memory", file);
	}
	buf_free(&text);
	lua_pop(L, 1);
}

#include "worker/lua/lib/lua_form.h"

#include <lauxlib.h>
#include <lualib.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "worker/lua/lib/multipart.h"
#include "worker/lua/lib/upload.h"
#include "worker/lua/lib/urlencoded.h"

#define SCANNER "fpm.form.scanner"

/* ---- fields -------------------------------------------------------------- */

static void
push_decoded(lua_State *L, const char *text, size_t n, bool *malformed)
{
	luaL_Buffer b;

	if (memchr(text, '%', n) == NULL && memchr(text, '+', n) == NULL) {
		lua_pushlstring(L, text, n);
		return;
	}
	n = urlencoded_decode(text, n, luaL_buffinitsize(L, &b, n), malformed);
	luaL_pushresultsize(&b, n);
}

/* split(text[, most]) */
static int
split(lua_State *L)
{
	size_t len, n;
	const char *text = luaL_checklstring(L, 1, &len), *end = text + len;
	lua_Integer most = luaL_optinteger(L, 2, LUA_MAXINTEGER), i = 0;
	const char *stop, *equals;
	bool malformed = false;

	lua_settop(L, 1);
	lua_newtable(L);
	for (; text < end && i / 2 < most; text = stop + 1) {
		stop = memchr(text, '&', (size_t)(end - text));
		stop = stop != NULL ? stop : end;
		n = (size_t)(stop - text);
		if (n == 0)
			continue;
		equals = memchr(text, '=', n);
		n = equals != NULL ? (size_t)(equals - text) : n;
		push_decoded(L, text, n, &malformed);
		lua_rawseti(L, 2, ++i);
		text += equals != NULL ? n + 1 : n;
		push_decoded(L, text, (size_t)(stop - text), &malformed);
		lua_rawseti(L, 2, ++i);
	}
	lua_pushinteger(L, i / 2);
	lua_pushboolean(L, malformed);
	return 3;
}

/* is_utf8(text) */
static int
is_utf8(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 1, &n);

	lua_pushboolean(L, urlencoded_is_utf8(text, n));
	return 1;
}

/* ---- files --------------------------------------------------------------- */

struct file {
	luaL_Stream stream; /* all that io knows of it */
	struct file *next, **link;
};

static struct file *files; /* that are open, of this request */

static int
close_file(lua_State *L)
{
	struct file *file = luaL_checkudata(L, 1, LUA_FILEHANDLE);

	*file->link = file->next;
	if (file->next != NULL)
		file->next->link = file->link;
	return luaL_fileresult(L, fclose(file->stream.f) == 0, NULL);
}

void
lua_form_end(void)
{
	struct file *file;

	for (; files != NULL; files = file->next) {
		file = files;
		file->stream.closef = NULL; /* io takes it for closed */
		fclose(file->stream.f);
	}
}

static int
open_stream(const char *directory, FILE **stream)
{
	int fd = upload_open(directory), error;

	if (fd == -1)
		return -1;
	*stream = fdopen(fd, "w+");
	if (*stream != NULL)
		return 0;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static const char *
default_directory(void)
{
	const char *directory = getenv("TMPDIR");

	return directory != NULL && *directory != '\0' ? directory : "/tmp";
}

/* temporary([directory]) */
static int
temporary(lua_State *L)
{
	const char *directory = luaL_optstring(L, 1, default_directory());
	struct file *file = lua_newuserdatauv(L, sizeof(*file), 0);

	file->stream.closef = NULL;
	luaL_setmetatable(L, LUA_FILEHANDLE);
	if (open_stream(directory, &file->stream.f) == -1)
		return luaL_fileresult(L, 0, directory);
	file->stream.closef = close_file;
	file->next = files;
	file->link = &files;
	if (files != NULL)
		files->link = &file->next;
	files = file;
	return 1;
}

static FILE *
check_file(lua_State *L, int arg)
{
	luaL_Stream *stream = luaL_checkudata(L, arg, LUA_FILEHANDLE);

	luaL_argcheck(L, stream->closef != NULL, arg, "closed file");
	return stream->f;
}

/* move(file, path) */
static int
move(lua_State *L)
{
	FILE *f = check_file(L, 1);
	size_t len;
	const char *path = luaL_checklstring(L, 2, &len);
	int result;

	luaL_argcheck(L, strlen(path) == len, 2, "contains a NUL");
	result = fflush(f) == 0 ? upload_move(fileno(f), path) : -1;
	return luaL_fileresult(L, result == 0, path);
}

/* ---- multipart ----------------------------------------------------------- */

static const char *const events[] = {
	[MULTIPART_MORE] = "more",
	[MULTIPART_HEAD_END] = "head",
	[MULTIPART_DATA] = "data",
	[MULTIPART_PART_END] = "end",
	[MULTIPART_CLOSE] = "close",
	[MULTIPART_BAD] = "bad",
};

/* scanner(boundary) */
static int
scanner(lua_State *L)
{
	size_t len;
	const char *boundary = luaL_checklstring(L, 1, &len);
	struct multipart *m = lua_newuserdatauv(L, sizeof(*m), 0);

	luaL_argcheck(L, multipart_begin(m, boundary, len), 1,
	    "not a boundary");
	luaL_setmetatable(L, SCANNER);
	return 1;
}

static int
push_event(lua_State *L, const char *event, size_t at)
{
	lua_pushstring(L, event);
	lua_pushinteger(L, (lua_Integer)at + 1);
	lua_rotate(L, -3, 2);
	return 3;
}

/* scanner:next(piece, at[, into]) */
static int
scanner_next(lua_State *L)
{
	struct multipart *m = luaL_checkudata(L, 1, SCANNER);
	size_t len, n, at, sum = 0;
	const char *piece = luaL_checklstring(L, 2, &len), *data;
	lua_Integer from = luaL_checkinteger(L, 3);
	bool wanted = lua_isboolean(L, 4) && lua_toboolean(L, 4);
	int fd = lua_isuserdata(L, 4) ? fileno(check_file(L, 4)) : -1;
	enum multipart_event event;

	luaL_argcheck(L, from >= 1 && (size_t)from <= len + 1, 3,
	    "outside of the piece");
	at = (size_t)from - 1;
	while ((event = multipart_next(m, piece, len, &at, &data, &n)) ==
	    MULTIPART_DATA && !wanted) {
		if (fd != -1 && fd_write_all(fd, data, n) == -1) {
			lua_pushstring(L, strerror(errno));
			return push_event(L, "error", at);
		}
		sum += n;
	}
	if (event == MULTIPART_HEAD_END || event == MULTIPART_DATA)
		lua_pushlstring(L, data, n);
	else if (event == MULTIPART_BAD)
		lua_pushstring(L, m->fault);
	else
		lua_pushinteger(L, (lua_Integer)sum);
	return push_event(L, events[event], at);
}

int
lua_form_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "split", split },
		{ "is_utf8", is_utf8 }, { "temporary", temporary },
		{ "move", move }, { "scanner", scanner }, { NULL, NULL } };

	if (luaL_newmetatable(L, SCANNER)) {
		lua_newtable(L);
		lua_pushcfunction(L, scanner_next);
		lua_setfield(L, -2, "next");
		lua_setfield(L, -2, "__index");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	luaL_newlib(L, functions);
	return 1;
}

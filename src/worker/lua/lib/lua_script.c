#include "worker/lua/lib/lua_script.h"

#include <errno.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "worker/serve/script.h"

#define SOURCE_MOST (16 * 1024 * 1024) /* bytes of a file */

static struct script_text
optional(lua_State *L, int arg)
{
	struct script_text text = { NULL, 0 };

	text.text = luaL_optlstring(L, arg, NULL, &text.len);
	return text;
}

static int
refuse(lua_State *L, int status, const char *why, bool loud)
{
	luaL_pushfail(L);
	lua_pushinteger(L, status);
	lua_pushstring(L, why);
	lua_pushboolean(L, loud);
	return 4;
}

static void
push_stamp(lua_State *L, const struct stat *st)
{
	char stamp[160];
	int n = snprintf(stamp, sizeof(stamp), "%jx:%jx:%jd:%jd.%09ld:%jd.%09ld",
	    (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
	    (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec,
	    st->st_mtim.tv_nsec, (intmax_t)st->st_ctim.tv_sec,
	    st->st_ctim.tv_nsec);

	lua_pushlstring(L, stamp, (size_t)n);
}

/* What realpath(3) says; the name itself if that fails. */
static void
push_real(lua_State *L, const char *path)
{
	char real[PATH_MAX];

	lua_pushstring(L, realpath(path, real) != NULL ? real : path);
}

/* Push the text of the file, of at most n bytes.  0, or -1 with errno. */
static int
push_text(lua_State *L, int fd, size_t n)
{
	luaL_Buffer b;
	char *room = luaL_buffinitsize(L, &b, n);
	size_t len = 0;
	ssize_t got = 1;

	while (len < n && (got = read(fd, room + len, n - len)) > 0)
		len += (size_t)got;
	luaL_pushresultsize(&b, len);
	return got == -1 ? -1 : 0;
}

/* luaL_Buffer may raise for want of memory: the descriptor is then closed by
 * the handle in which it lies. */
static int
close_handle(lua_State *L)
{
	int *fd = lua_touserdata(L, 1);

	if (*fd != -1)
		close(*fd);
	*fd = -1;
	return 0;
}

static int *
push_handle(lua_State *L)
{
	int *fd = lua_newuserdatauv(L, sizeof(*fd), 0);

	*fd = -1;
	if (luaL_newmetatable(L, "lua-fpm.source")) {
		lua_pushcfunction(L, close_handle);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return fd;
}

/* Push the text of the script.  0, or -1 with errno. */
static int
read_script(lua_State *L, const char *root, const struct script *script)
{
	int *fd, result, error;

	if (script->st.st_size > SOURCE_MOST) {
		errno = EFBIG;
		return -1;
	}
	fd = push_handle(L);
	*fd = script_open(root, script);
	if (*fd == -1)
		return -1;
	result = push_text(L, *fd, (size_t)script->st.st_size);
	error = errno;
	close(*fd);
	*fd = -1;
	errno = error;
	return result;
}

static int
look(lua_State *L)
{
	const char *root = luaL_checkstring(L, 1);
	const struct script_names names = { optional(L, 2), optional(L, 3),
		optional(L, 4) };
	const char *known = luaL_optstring(L, 5, "");
	struct script *script = lua_newuserdatauv(L, sizeof(*script), 0);
	struct why why;
	bool loud;
	int status = script_find(root, &names, SCRIPT_SOURCE, script, &why,
	    &loud), at;

	if (status != 0)
		return refuse(L, status, why.text, loud);
	push_real(L, script->path);
	at = lua_gettop(L);
	lua_pushinteger(L, (lua_Integer)script->rest);
	push_stamp(L, &script->st);
	if (strcmp(lua_tostring(L, -1), known) == 0)
		return 3;
	if (read_script(L, root, script) == -1) {
		lua_pushfstring(L, "%s: %s", script->path, strerror(errno));
		return refuse(L, errno == EACCES ? 403 : 500,
		    lua_tostring(L, -1), true);
	}
	lua_replace(L, at + 3); /* the handle */
	lua_settop(L, at + 3);
	return 4;
}

static int
now(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)clock_ms());
	return 1;
}

int
lua_script_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "look", look },
		{ "now", now }, { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}

#include "worker/lua/lua_files.h"

#include <sys/stat.h>

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define SEARCHER_FIRST 2 /* of package.searchers (Lua manual, 6.3): the one */
#define SEARCHER_LAST  4 /* for Lua files, then those for C libraries */

struct lua_file {
	char *path;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

static int
look(const char *path, struct lua_file *file)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return -1;
	file->dev = st.st_dev;
	file->ino = st.st_ino;
	file->size = st.st_size;
	file->changed = st.st_mtim;
	return 0;
}

static bool
same(const struct lua_file *a, const struct lua_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	    a->changed.tv_sec == b->changed.tv_sec &&
	    a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool
is_noted(const struct lua_files *files, const char *path)
{
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->item[i].path, path) == 0)
			return true;
	return false;
}

bool
lua_files_add(struct lua_files *files, const char *path)
{
	struct lua_file file, *item;

	if (is_noted(files, path))
		return true;
	if (look(path, &file) == -1)
		return false;
	item = reallocarray(files->item, files->n + 1, sizeof(*item));
	if (item == NULL)
		return false;
	files->item = item;
	file.path = strdup(path);
	if (file.path != NULL)
		item[files->n++] = file;
	return file.path != NULL;
}

/* Replaces a searcher: returns what that one returns, and notes the file that
 * it found.  Upvalues: the searcher, files. */
static int
search(lua_State *L)
{
	struct lua_files *files = lua_touserdata(L, lua_upvalueindex(2));
	int nargs = lua_gettop(L);

	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, nargs, LUA_MULTRET);
	if (lua_gettop(L) == 2 && lua_isfunction(L, 1) &&
	    lua_type(L, 2) == LUA_TSTRING)
		lua_files_add(files, lua_tostring(L, 2));
	return lua_gettop(L);
}

void
lua_files_watch(struct lua_files *files, lua_State *L)
{
	const int top = lua_gettop(L);

	if (lua_getglobal(L, "package") == LUA_TTABLE)
		lua_getfield(L, -1, "searchers");
	for (int i = SEARCHER_FIRST; i <= SEARCHER_LAST && lua_istable(L, -1) &&
	    lua_geti(L, -1, i) != LUA_TNIL; i++) {
		lua_pushlightuserdata(L, files);
		lua_pushcclosure(L, search, 2);
		lua_seti(L, -2, i);
	}
	lua_settop(L, top);
}

/* Replaces require, whose second result is what a searcher told of the module,
 * most often its file.  Upvalues: require, files. */
static int
require(lua_State *L)
{
	struct lua_files *files = lua_touserdata(L, lua_upvalueindex(2));

	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	if (lua_gettop(L) == 2 && lua_type(L, 2) == LUA_TSTRING)
		lua_files_add(files, lua_tostring(L, 2));
	return lua_gettop(L);
}

void
lua_files_watch_require(struct lua_files *files, lua_State *L)
{
	if (lua_getglobal(L, "require") != LUA_TFUNCTION) {
		lua_pop(L, 1);
		return;
	}
	lua_pushlightuserdata(L, files);
	lua_pushcclosure(L, require, 2);
	lua_setglobal(L, "require");
}

const char *
lua_files_name(const struct lua_files *files, size_t i)
{
	return i < files->n ? files->item[i].path : NULL;
}

bool
lua_files_changed(const struct lua_files *files)
{
	struct lua_file now;

	for (size_t i = 0; i < files->n; i++)
		if (look(files->item[i].path, &now) == -1 ||
		    !same(&files->item[i], &now))
			return true;
	return false;
}

void
lua_files_free(struct lua_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->item[i].path);
	free(files->item);
	files->item = NULL;
	files->n = 0;
}

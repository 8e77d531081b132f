#include "worker/lua/lua_process.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

struct process { /* a file handle of Lua, and the process at its other end */
	luaL_Stream stream;
	pid_t pid;
};

/* No signal is blocked, and each has its default action. */
static void
fresh_signals(posix_spawnattr_t *attributes)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(attributes);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setflags(attributes,
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* sh -c command, with descriptor `to` (if not -1) being `from`.  The pid, or
 * -1 with errno. */
static pid_t
start(const char *command, int from, int to)
{
	const char *argv[] = { "sh", "-c", "--", command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid;
	int error;

	fresh_signals(&attributes);
	posix_spawn_file_actions_init(&actions);
	if (to != -1)
		posix_spawn_file_actions_adddup2(&actions, from, to);
	error = posix_spawn(&pid, "/bin/sh", &actions, &attributes,
	    (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	errno = error;
	return error == 0 ? pid : -1;
}

/* Wait for its end: the status as of waitpid(2), or -1 with errno. */
static int
await(pid_t pid)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(pid, &status, 0);
	while (ended == -1 && errno == EINTR);
	return ended == -1 ? -1 : status;
}

static int
execute(lua_State *L)
{
	const char *command = luaL_optstring(L, 1, NULL);
	pid_t pid;

	if (command == NULL) {
		lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
		return 1;
	}
	fflush(NULL); /* earlier output comes before the command's */
	errno = 0;
	pid = start(command, -1, -1);
	return luaL_execresult(L, pid == -1 ? -1 : await(pid));
}

static int
close_process(lua_State *L)
{
	struct process *p = luaL_checkudata(L, 1, LUA_FILEHANDLE);

	errno = 0;
	fclose(p->stream.f);
	return luaL_execresult(L, await(p->pid));
}

/* Push a handle that is closed for Lua (closef is NULL) until it is opened. */
static struct process *
new_handle(lua_State *L)
{
	struct process *p = lua_newuserdatauv(L, sizeof(*p), 0);

	memset(p, 0, sizeof(*p));
	luaL_setmetatable(L, LUA_FILEHANDLE);
	return p;
}

/* Open a stream to a process ('w') or from it, and start the process.  The
 * stream comes first: without one the process would never be waited for.  0,
 * or -1 with errno. */
static int
connect_process(struct process *p, const char *command, const char *mode)
{
	bool reads = *mode == 'r';
	int fds[2], error;
	FILE *stream;

	if (pipe2(fds, O_CLOEXEC) == -1)
		return -1;
	stream = fdopen(fds[!reads], mode);
	if (stream == NULL) {
		close(fds[!reads]);
	} else {
		fflush(NULL);
		p->pid = start(command, fds[reads], reads ? STDOUT_FILENO :
							    STDIN_FILENO);
	}
	error = errno;
	close(fds[reads]);
	if (stream != NULL && p->pid == -1)
		fclose(stream);
	else
		p->stream.f = stream;
	errno = error;
	return p->stream.f == NULL ? -1 : 0;
}

static int
open_process(lua_State *L)
{
	const char *command = luaL_checkstring(L, 1);
	const char *mode = luaL_optstring(L, 2, "r");
	struct process *p;

	luaL_argcheck(L, strcmp(mode, "r") == 0 || strcmp(mode, "w") == 0, 2,
	    "invalid mode");
	p = new_handle(L);
	if (connect_process(p, command, mode) == -1)
		return luaL_fileresult(L, 0, command);
	p->stream.closef = close_process;
	return 1;
}

/* As Lua's, but a line is one write, so that the output of children does not
 * come in the middle of it. */
static int
print(lua_State *L)
{
	int n = lua_gettop(L);
	const char *line;
	size_t len;
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&b, '\t');
		luaL_tolstring(L, i, NULL);
		luaL_addvalue(&b);
	}
	luaL_addchar(&b, '\n');
	luaL_pushresult(&b);
	line = lua_tolstring(L, -1, &len);
	fwrite(line, 1, len, stdout);
	fflush(stdout);
	return 0;
}

static void
replace(lua_State *L, const char *library, const char *name,
    lua_CFunction function)
{
	if (lua_getglobal(L, library) == LUA_TTABLE) {
		lua_pushcfunction(L, function);
		lua_setfield(L, -2, name);
	}
	lua_pop(L, 1);
}

void
lua_process_setup(lua_State *L)
{
	replace(L, LUA_GNAME, "print", print);
	replace(L, LUA_OSLIBNAME, "execute", execute);
	replace(L, LUA_IOLIBNAME, "popen", open_process);
}

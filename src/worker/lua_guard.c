#include "worker/lua_guard.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#define STEPS (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

static struct {
	pthread_t thread;
	struct lua_runner outermost;
	const struct lua_runner *_Atomic runner; /* NULL: none */
	volatile sig_atomic_t expired;
} self;

/* A coroutine may keep the hook into a later request: it takes it off. */
static void
raise_expired(lua_State *L, lua_Debug *where)
{
	(void)where;
	if (!self.expired)
		lua_sethook(L, NULL, 0, 0);
	else
		luaL_error(L, "the request exceeds timeouts.request");
}

const struct lua_runner *
lua_guard_runner(void)
{
	return atomic_load_explicit(&self.runner, memory_order_acquire);
}

/* A signal may come between any two instructions: whom the pointer leads to
 * is complete before it does. */
static void
run(const struct lua_runner *runner)
{
	atomic_store_explicit(&self.runner, runner, memory_order_release);
}

static void
expire(int signo)
{
	const struct lua_runner *runner = lua_guard_runner();

	(void)signo;
	if (runner == NULL)
		return;
	self.expired = 1;
	lua_sethook(runner->L, raise_expired, STEPS, 1);
}

void
lua_guard_expire(void)
{
	pthread_kill(self.thread, SIGRTMIN);
}

bool
lua_guard_expired(void)
{
	return self.expired;
}

void
lua_guard_begin(lua_State *L)
{
	self.expired = 0;
	self.outermost.L = L;
	run(&self.outermost);
}

void
lua_guard_end(lua_State *L)
{
	run(NULL);
	if (self.expired)
		lua_sethook(L, NULL, 0, 0);
}

/* ---- coroutines ---------------------------------------------------------- */

/*
 * Resume co with the nargs values on top of L.  Its results are on L and
 * their number is returned, or -1 and an error.  Whoever resumed a coroutine
 * whose time is over has no time either.
 */
static int
resume(lua_State *L, lua_State *co, int nargs)
{
	const struct lua_runner runner = { co, lua_guard_runner() };
	int status, n;

	if (!lua_checkstack(co, nargs)) {
		lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	lua_xmove(L, co, nargs);
	run(&runner);
	status = lua_resume(co, L, nargs, &n);
	run(runner.resumer);
	if (self.expired)
		lua_sethook(L, raise_expired, STEPS, 1);
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(co, L, 1);
		return -1;
	}
	if (!lua_checkstack(L, n + 1)) {
		lua_pop(co, n);
		lua_pushliteral(L, "too many results to resume");
		return -1;
	}
	lua_xmove(co, L, n);
	return n;
}

/* As coroutine.resume (Lua manual, 6.2). */
static int
coroutine_resume(lua_State *L)
{
	lua_State *co;
	int n;

	luaL_checktype(L, 1, LUA_TTHREAD);
	co = lua_tothread(L, 1);
	n = resume(L, co, lua_gettop(L) - 1);
	lua_pushboolean(L, n >= 0);
	lua_insert(L, n >= 0 ? -(n + 1) : -2);
	return n >= 0 ? n + 1 : 2;
}

/* What an error leaves open in a wrapped coroutine is closed. */
static int
wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	int n = resume(L, co, lua_gettop(L));
	int status;

	if (n >= 0)
		return n;
	status = lua_status(co);
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_resetthread(co);
		lua_xmove(co, L, 1);
	}
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/* As coroutine.wrap. */
static int
coroutine_wrap(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushcclosure(L, wrapped, 1);
	return 1;
}

void
lua_guard_setup(lua_State *L)
{
	struct sigaction action = { .sa_handler = expire,
		.sa_flags = SA_RESTART };

	self.thread = pthread_self();
	sigaction(SIGRTMIN, &action, NULL);
	lua_getglobal(L, "coroutine");
	lua_pushcfunction(L, coroutine_resume);
	lua_setfield(L, -2, "resume");
	lua_pushcfunction(L, coroutine_wrap);
	lua_setfield(L, -2, "wrap");
	lua_pop(L, 1);
}

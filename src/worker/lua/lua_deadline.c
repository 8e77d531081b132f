#include "worker/lua/lua_deadline.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "worker/lua/lua_error.h"

#define STEPS (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)

#if LUA_VERSION_RELEASE_NUM < 50406
#define close_thread(co, from) lua_resetthread(co)
#else
#define close_thread(co, from) lua_closethread(co, from)
#endif

const char *const lua_deadline_errors[] = {
	[LUA_LOAD] = "loading exceeds timeouts.start",
	[LUA_SETUP] = "setup exceeds timeouts.start",
	[LUA_START] = "start exceeds timeouts.start",
	[LUA_ACCEPT] = "the request exceeds timeouts.request",
	[LUA_AFTER] = "what follows the request exceeds timeouts.after",
	[LUA_INTERVAL] = "the run exceeds timeouts.request",
	[LUA_RESTART] = "restart exceeds timeouts.start",
	[LUA_STOP] = "stop exceeds timeouts.stop",
	[LUA_CLOSE] = "the end of the application exceeds timeouts.stop",
};

static struct {
	pthread_t thread;
	enum lua_entry entry;
	const char *text; /* see lua_deadline_say */
	struct lua_runner outermost;
	const struct lua_runner *_Atomic runner; /* NULL: none */
	volatile sig_atomic_t expired;
	atomic_uint round; /* of limits; a signal of one before it is late */
	atomic_uint asked; /* the round that lua_deadline_expire ends */
} self;

/* The hook.  A coroutine may still have it in a later entry, and drops it
 * then. */
static void
raise_expired(lua_State *L, lua_Debug *where)
{
	(void)where;
	if (!self.expired) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	lua_error_place(L);
	lua_pushstring(L, self.text != NULL ? self.text :
	    lua_deadline_errors[self.entry]);
	lua_concat(L, 2);
	lua_error(L);
}

const struct lua_runner *
lua_deadline_runner(void)
{
	return atomic_load_explicit(&self.runner, memory_order_acquire);
}

/* The signal handler may run between any two instructions: *runner is complete
 * before the pointer to it is stored. */
static void
run(const struct lua_runner *runner)
{
	atomic_store_explicit(&self.runner, runner, memory_order_release);
}

static void
expire(int signo)
{
	const struct lua_runner *runner = lua_deadline_runner();

	(void)signo;
	if (runner == NULL || atomic_load(&self.asked) !=
	    atomic_load(&self.round))
		return;
	self.expired = 1;
	lua_sethook(runner->L, raise_expired, STEPS, 1);
}

void
lua_deadline_expire(void)
{
	atomic_store(&self.asked, atomic_load(&self.round));
	pthread_kill(self.thread, SIGRTMIN);
}

bool
lua_deadline_expired(void)
{
	return self.expired;
}

const char *
lua_deadline_say(const char *text)
{
	const char *before = self.text;

	self.text = text;
	return before;
}

void
lua_deadline_forgive(lua_State *L)
{
	atomic_fetch_add(&self.round, 1);
	self.expired = 0;
	lua_sethook(L, NULL, 0, 0);
}

int
lua_deadline_raise(lua_State *L)
{
	lua_sethook(L, raise_expired, STEPS & ~(LUA_MASKCALL | LUA_MASKRET),
	    1);
	return lua_error(L);
}

void
lua_deadline_init(void)
{
	struct sigaction action = { .sa_handler = expire,
		.sa_flags = SA_RESTART };

	self.thread = pthread_self();
	sigaction(SIGRTMIN, &action, NULL);
}

void
lua_deadline_begin(lua_State *L, enum lua_entry entry)
{
	atomic_fetch_add(&self.round, 1);
	self.expired = 0;
	self.text = NULL;
	self.entry = entry;
	self.outermost.L = L;
	run(&self.outermost);
}

void
lua_deadline_end(lua_State *L)
{
	run(NULL);
	if (self.expired)
		lua_sethook(L, NULL, 0, 0);
}

/* ---- coroutines ---------------------------------------------------------- */

/* A coroutine has returned to L.  If its time is over, that of L is over
 * too. */
static void
return_to(lua_State *L, const struct lua_runner *runner)
{
	run(runner->resumer);
	if (self.expired)
		lua_sethook(L, raise_expired, STEPS, 1);
}

/* Resume co with the nargs values on top of L.  Returns the number of its
 * results, which are on L; or -1, and an error is on L. */
static int
resume(lua_State *L, lua_State *co, int nargs)
{
	const struct lua_runner runner = { co, lua_deadline_runner() };
	int status, n;

	if (!lua_checkstack(co, nargs)) {
		lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	lua_xmove(L, co, nargs);
	run(&runner);
	status = lua_resume(co, L, nargs, &n);
	return_to(L, &runner);
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_error_note(L, co);
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

/* Close co, which runs its __close methods.  LUA_OK; or another status, and an
 * error is on co. */
static int
close_coroutine(lua_State *L, lua_State *co)
{
	const struct lua_runner runner = { co, lua_deadline_runner() };
	int status;

	run(&runner);
	status = close_thread(co, L);
	return_to(L, &runner);
	return status;
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

/* The function that coroutine.wrap returns.  After an error it closes the
 * coroutine. */
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
		close_coroutine(L, co);
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

/* The name of co's state if it runs, or waits for one that it has resumed;
 * NULL if it is suspended or dead. */
static const char *
active(lua_State *L, lua_State *co)
{
	lua_Debug ar;

	if (L == co)
		return "running";
	return lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar) ?
	    "normal" : NULL;
}

/* As coroutine.close. */
static int
coroutine_close(lua_State *L)
{
	const char *state;
	lua_State *co;

	luaL_checktype(L, 1, LUA_TTHREAD);
	co = lua_tothread(L, 1);
	state = active(L, co);
	if (state != NULL)
		return luaL_error(L, "cannot close a %s coroutine", state);
	if (close_coroutine(L, co) == LUA_OK) {
		lua_pushboolean(L, 1);
		return 1;
	}
	lua_pushboolean(L, 0);
	lua_xmove(co, L, 1);
	return 2;
}

void
lua_deadline_setup(lua_State *L)
{
	static const luaL_Reg functions[] = { { "close", coroutine_close },
		{ "resume", coroutine_resume }, { "wrap", coroutine_wrap },
		{ NULL, NULL } };

	lua_getglobal(L, "coroutine");
	luaL_setfuncs(L, functions, 0);
	lua_pop(L, 1);
}

#include "worker/lua/lua_trace.h"

#include <lua.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker/lua/lua_deadline.h"

/*
 * Only the thread that runs a Lua state may touch it, so that thread has to
 * look itself: a signal handler sets a hook (which a handler may do: Lua
 * manual, 4.7), and the hook, at the next instruction of Lua, finds every frame
 * in order.
 *
 * A signal that comes during a system call would end many of them with EINTR in
 * spite of SA_RESTART (poll, nanosleep, all that have a time limit: signal(7)),
 * and an application must not notice that it is traced.  So the signal is sent
 * by a timer on the thread's own CPU time.  It expires while the thread
 * computes and never while it sleeps, and the kernel delivers the signal on the
 * way back to user mode.  (Before Linux 5.11 or so it came from the clock's
 * interrupt and could hit a call that is just about to sleep, with a chance of
 * less than one in a thousand.)
 *
 * Code that sleeps, or stays in a C function for long, never answers.  For such
 * code there is lua_trace_look in a copy of the process (snapshot.h).
 */

#define SIGNAL	 (SIGRTMIN + 1)
#define CPU_TIME 1000000 /* ns; the clock's tick is coarser */
#define NAME_MOST 80

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

struct text {
	char *at, *end;
	unsigned frames; /* that may still come */
};

static struct {
	timer_t timer;
	bool has_timer;
	unsigned depth;
	atomic_bool asked;
	atomic_bool answered;
	struct { /* the hook that ours has replaced */
		lua_State *L;
		lua_Hook hook;
		int mask, count;
	} before;
	char answer[LUA_TRACE_SIZE];
} self = { .depth = 20 };

/* ---- text ---------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
	size_t room = (size_t)(t->end - t->at);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->at += (size_t)n < room ? (size_t)n : room - 1;
}

/* Keep a frame on one line: names in it may have control characters. */
static void
end_line(char *line, struct text *t)
{
	for (; line < t->at; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
	add(t, "\n");
}

/* In the form of luaL_traceback, but without its search for global names. */
static void
add_frame(struct text *t, const lua_Debug *ar)
{
	char *line = t->at;

	if (ar->currentline > 0)
		add(t, "%s:%d: in ", ar->short_src, ar->currentline);
	else
		add(t, "%s: in ", ar->short_src);
	if (*ar->namewhat != '\0')
		add(t, "%s '%.*s'", ar->namewhat, NAME_MOST, ar->name);
	else if (*ar->what == 'm')
		add(t, "main chunk");
	else if (*ar->what != 'C')
		add(t, "function <%s:%d>", ar->short_src, ar->linedefined);
	else
		add(t, "?");
	if (ar->istailcall)
		add(t, " (after tail calls)");
	end_line(line, t);
}

/* False if the limit of frames is reached. */
static bool
add_state(struct text *t, const struct lua_runner *runner)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(runner->L, level, &ar); level++) {
		if (t->frames == 0) {
			add(t, "...\n");
			return false;
		}
		lua_getinfo(runner->L, "Slnt", &ar);
		add_frame(t, &ar);
		t->frames--;
	}
	return true;
}

size_t
lua_trace_look(char *out, size_t n)
{
	const struct lua_runner *runner = lua_deadline_runner();
	struct text t = { out, out + n, self.depth };

	*out = '\0';
	while (runner != NULL && add_state(&t, runner))
		runner = runner->resumer;
	return (size_t)(t.at - out);
}

/* ---- asking -------------------------------------------------------------- */

/* The hook.  A coroutine may still have it when the question was withdrawn. */
static void
answer(lua_State *L, lua_Debug *where)
{
	(void)where;
	if (self.before.L == L)
		lua_sethook(L, self.before.hook, self.before.mask,
		    self.before.count);
	else
		lua_sethook(L, NULL, 0, 0);
	if (!atomic_exchange(&self.asked, false))
		return;
	lua_trace_look(self.answer, sizeof(self.answer));
	atomic_store(&self.answered, true);
}

/* The signal handler.  A hook of the application is kept, for answer to set
 * again; the hook of lua_deadline, which ends a request, is left in place. */
static void
set_hook(int signo)
{
	const struct lua_runner *runner = lua_deadline_runner();
	lua_State *L;

	(void)signo;
	if (runner == NULL || lua_deadline_expired() ||
	    !atomic_load(&self.asked))
		return;
	L = runner->L;
	if (lua_gethook(L) != answer) {
		self.before.L = L;
		self.before.hook = lua_gethook(L);
		self.before.mask = lua_gethookmask(L);
		self.before.count = lua_gethookcount(L);
	}
	lua_sethook(L, answer, LUA_MASKCOUNT, 1);
}

bool
lua_trace_init(unsigned depth)
{
	struct sigaction action = { .sa_handler = set_hook,
		.sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGNAL };

	self.depth = depth;
	event.sigev_notify_thread_id = gettid();
	sigaction(SIGNAL, &action, NULL);
	self.has_timer = timer_create(CLOCK_THREAD_CPUTIME_ID, &event,
	    &self.timer) == 0;
	return self.has_timer;
}

void
lua_trace_ask(void)
{
	const struct itimerspec once = { .it_value.tv_nsec = CPU_TIME };

	atomic_store(&self.answered, false);
	atomic_store(&self.asked, true);
	if (self.has_timer)
		timer_settime(self.timer, 0, &once, NULL);
}

const char *
lua_trace_answer(void)
{
	return atomic_load(&self.answered) ? self.answer : NULL;
}

void
lua_trace_forget(void)
{
	atomic_store(&self.asked, false);
	atomic_store(&self.answered, false);
}

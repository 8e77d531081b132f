/* lua_trace and copy: where running Lua code is, seen from another thread. */

#include <sys/wait.h>

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "worker/lua/lua_deadline.h"
#include "worker/lua/lua_trace.h"
#include "worker/serve/snapshot.h"

#include "unit.h"

#define PATIENCE 20000 /* ms */

static struct {
	lua_State *L;
	atomic_bool over;      /* what the program asks with over() */
	atomic_bool there;     /* the program has called here() */
	atomic_int interrupted; /* system calls that failed with EINTR */
	char text[LUA_TRACE_SIZE];
} scene;

/* ---- what programs can call ---------------------------------------------- */

static int
over(lua_State *L)
{
	lua_pushboolean(L, atomic_load(&scene.over));
	return 1;
}

static int
here(lua_State *L)
{
	(void)L;
	atomic_store(&scene.there, true);
	return 0;
}

/* Sleep so many microseconds, in a call that a signal would end. */
static int
nap(lua_State *L)
{
	lua_Integer us = luaL_checkinteger(L, 1);
	const struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	if (nanosleep(&t, NULL) == -1 && errno == EINTR)
		atomic_fetch_add(&scene.interrupted, 1);
	return 0;
}

/* Sleep until over. */
static int
sleep_over(lua_State *L)
{
	here(L);
	while (!atomic_load(&scene.over)) {
		lua_pushinteger(L, 1000);
		lua_replace(L, 1);
		nap(L);
	}
	return 0;
}

/* Compute until over, where no Lua code is. */
static int
spin_over(lua_State *L)
{
	here(L);
	while (!atomic_load(&scene.over))
		;
	return 0;
}

static int
set_up_state(lua_State *L)
{
	static const luaL_Reg functions[] = { { "over", over },
		{ "here", here }, { "nap", nap }, { "sleep_over", sleep_over },
		{ "spin_over", spin_over }, { NULL, NULL } };

	luaL_openlibs(L);
	lua_pushglobaltable(L);
	luaL_setfuncs(L, functions, 0);
	lua_deadline_setup(L);
	return 0;
}

static void
setup(void)
{
	memset(&scene, 0, sizeof(scene));
	scene.L = luaL_newstate();
	lua_pushcfunction(scene.L, set_up_state);
	ck_assert_int_eq(lua_pcall(scene.L, 0, 0, 0), LUA_OK);
	ck_assert(lua_trace_init(20));
}

static void
teardown(void)
{
	lua_close(scene.L);
}

/* ---- running a program, and a thread beside it --------------------------- */

static void
load(const char *program)
{
	char name[] = "=program";

	if (luaL_loadbuffer(scene.L, program, strlen(program), name) != LUA_OK)
		ck_abort_msg("%s", lua_tostring(scene.L, -1));
}

/* Its result, which is a number. */
static lua_Integer
run(const char *program, void *(*beside)(void *))
{
	lua_Integer result;
	pthread_t thread;

	load(program);
	ck_assert_int_eq(pthread_create(&thread, NULL, beside, NULL), 0);
	lua_deadline_begin(scene.L, LUA_ACCEPT);
	if (lua_pcall(scene.L, 0, 1, 0) != LUA_OK)
		ck_abort_msg("%s", lua_tostring(scene.L, -1));
	lua_deadline_end(scene.L);
	pthread_join(thread, NULL);
	result = lua_tointeger(scene.L, -1);
	lua_settop(scene.L, 0);
	return result;
}

static void
wait_there(void)
{
	int64_t until = clock_ms() + PATIENCE;

	while (!atomic_load(&scene.there) && clock_ms() < until)
		usleep(100);
}

/* Ask until there is an answer. */
static void *
ask(void *unused)
{
	int64_t until = clock_ms() + PATIENCE;
	const char *text = NULL;

	wait_there();
	while (text == NULL && clock_ms() < until) {
		lua_trace_ask();
		for (int i = 0; i < 50 && text == NULL; i++) {
			usleep(1000);
			text = lua_trace_answer();
		}
	}
	if (text != NULL)
		snprintf(scene.text, sizeof(scene.text), "%s", text);
	atomic_store(&scene.over, true);
	return unused;
}

/* On a busy machine a copy may take longer than its time. */
static ssize_t
copy_patiently(size_t (*what)(char *, size_t), char *out, size_t n)
{
	ssize_t len = -1;

	for (int i = 0; i < 20 && len == -1; i++)
		len = snapshot_look(what, out, n);
	return len;
}

/* Ask in vain, then look at a copy. */
static void *
look(void *unused)
{
	wait_there();
	lua_trace_ask();
	usleep(20000);
	if (lua_trace_answer() != NULL)
		snprintf(scene.text, sizeof(scene.text), "answered");
	else if (copy_patiently(lua_trace_look, scene.text,
		     sizeof(scene.text)) == -1)
		snprintf(scene.text, sizeof(scene.text), "%s",
		    strerror(errno));
	atomic_store(&scene.over, true);
	return unused;
}

/* ---- what is to be seen -------------------------------------------------- */

START_TEST(in_a_loop)
{
	run("local function work()\n"
	    "  here()\n"
	    "  while not over() do\n"
	    "  end\n"
	    "end\n"
	    "work()\n", ask);
	ck_assert_ptr_nonnull(strstr(scene.text,
	    "program:3: in local 'work'\nprogram:6: in "));
}
END_TEST

START_TEST(in_coroutines)
{
	run("local function deep(n)\n"
	    "  if n > 0 then coroutine.wrap(deep)(n - 1) return end\n"
	    "  here()\n"
	    "  while not over() do end\n"
	    "end\n"
	    "function outer() coroutine.resume(coroutine.create(deep), 2) end\n"
	    "outer()\n", ask);
	ck_assert_str_eq(scene.text,
	    "program:4: in function <program:1>\n"
	    "[C]: in ?\n"
	    "program:2: in function <program:1>\n"
	    "[C]: in ?\n"
	    "program:2: in function <program:1>\n"
	    "[C]: in field 'resume'\n"
	    "program:6: in global 'outer'\n"
	    "program:7: in main chunk\n");
}
END_TEST

START_TEST(in_pcall_and_error)
{
	run("here()\n"
	    "local function fail() error('x') end\n"
	    "while not over() do\n"
	    "  pcall(fail)\n"
	    "end\n", ask);
	ck_assert_ptr_nonnull(strstr(scene.text, "in main chunk\n"));
}
END_TEST

START_TEST(asleep_in_c)
{
	run("local function wait()\n"
	    "  sleep_over(0)\n"
	    "end\n"
	    "local inner = coroutine.wrap(function()\n"
	    "  wait()\n"
	    "end)\n"
	    "inner()\n", look);
	ck_assert_str_eq(scene.text,
	    "[C]: in global 'sleep_over'\n"
	    "program:2: in upvalue 'wait'\n"
	    "program:5: in function <program:4>\n"
	    "[C]: in local 'inner'\n"
	    "program:7: in main chunk\n");
	ck_assert_int_eq(atomic_load(&scene.interrupted), 0);
}
END_TEST

START_TEST(busy_in_c)
{
	run("local function work()\n"
	    "  spin_over()\n"
	    "end\n"
	    "work()\n", look);
	ck_assert_str_eq(scene.text,
	    "[C]: in global 'spin_over'\n"
	    "program:2: in local 'work'\n"
	    "program:4: in main chunk\n");
}
END_TEST

/* Text of the application's making stays on its line. */
START_TEST(odd_names)
{
	run("local t = { ['a\\nb\\27[0m'] = function() sleep_over(0) end }\n"
	    "t['a\\nb\\27[0m']()\n", look);
	ck_assert_ptr_nonnull(strstr(scene.text, "in field 'a?b?[0m'\n"));
	teardown();
	setup();
	run("local f = load('sleep_over(0)', '=x\\ny')\n"
	    "f()\n", look);
	ck_assert_ptr_nonnull(strstr(scene.text, "x?y:1: in "));
}
END_TEST

START_TEST(deep)
{
	static const char frame[] = "program:1: in upvalue 'f'\n";
	const char *p = scene.text;
	int n = 0;

	run("local function f(n) if n == 0 then sleep_over(0) else f(n - 1) "
	    "end return 1 end\n"
	    "f(150)\n", look);
	p = strchr(p, '\n') + 1;
	for (; strncmp(p, frame, sizeof(frame) - 1) == 0; n++)
		p += sizeof(frame) - 1;
	ck_assert_int_eq(n, 19);
	ck_assert_str_eq(p, "...\n");
}
END_TEST

/* A hook of the application's own is there again afterwards. */
START_TEST(own_hook)
{
	ck_assert_int_gt(run("local n = 0\n"
	    "debug.sethook(function() n = n + 1 end, '', 100)\n"
	    "here()\n"
	    "while not over() do end\n"
	    "local before = n\n"
	    "for i = 1, 100000 do local x = i * i end\n"
	    "return n - before\n", ask), 100);
	ck_assert_ptr_nonnull(strstr(scene.text, "program:4: in main chunk\n"));
}
END_TEST

/* Asked, but nothing runs: no harm to what runs later. */
START_TEST(nothing_runs)
{
	char text[64];

	lua_trace_ask();
	for (int64_t until = clock_ms() + 50; clock_ms() < until;)
		;
	ck_assert_ptr_null(lua_trace_answer());
	ck_assert_uint_eq(lua_trace_look(text, sizeof(text)), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

/* ---- at random moments --------------------------------------------------- */

#define MIX \
	"local sum, rounds = 0, 0\n" \
	"local function fib(n)\n" \
	"  return n < 2 and n or fib(n - 1) + fib(n - 2)\n" \
	"end\n" \
	"local function gen(n) return coroutine.wrap(function()\n" \
	"  for i = 1, n do coroutine.yield(i) end end) end\n" \
	"local function fail(n)\n" \
	"  if n == 0 then error({ 'x' }) end fail(n - 1) return 0\n" \
	"end\n" \
	"local function round()\n" \
	"  local t = {}\n" \
	"  for i in gen(20) do t[i] = { tostring(i):rep(i) } end\n" \
	"  table.sort(t, function(a, b) return #a[1] > #b[1] end)\n" \
	"  local ok, e = pcall(fail, 30)\n" \
	"  assert(not ok and e[1] == 'x')\n" \
	"  local co = coroutine.create(function()\n" \
	"    for i in gen(3) do nap(20) pcall(fail, i) end error('y') end)\n" \
	"  ok, e = coroutine.resume(co)\n" \
	"  assert(not ok and e:find('y'))\n" \
	"  setmetatable({}, { __gc = function() fib(3) end })\n" \
	"  local s = #string.rep('ab', 1000):gsub('a', function(c)\n" \
	"    return c .. c end)\n" \
	"  collectgarbage('step')\n" \
	"  return fib(8) + #t + s\n" \
	"end\n" \
	"here()\n" \
	"repeat\n" \
	"  sum = sum + round()\n" \
	"  rounds = rounds + 1\n" \
	"until over()\n" \
	"return sum == rounds * 3041 and rounds or -sum / rounds\n"


static struct {
	int looks; /* to be made */
	int answers, copies, failures, strange;
} seen;

/* Each line is a frame; "..." ends them. */
static bool
is_trace(const char *text)
{
	const char *end;

	for (; *text != '\0'; text = end + 1) {
		end = strchr(text, '\n');
		if (end == NULL)
			return false;
		if (strncmp(text, "...\n", 4) == 0)
			return end[1] == '\0';
		if (memmem(text, (size_t)(end - text), ": in ", 5) == NULL)
			return false;
	}
	return true;
}

static void
look_once(unsigned *random)
{
	const char *text;

	lua_trace_ask();
	usleep((useconds_t)(rand_r(random) % 10000));
	text = lua_trace_answer();
	if (text != NULL) {
		seen.answers++;
	} else if (snapshot_look(lua_trace_look, scene.text,
		       sizeof(scene.text)) != -1) {
		seen.copies++;
		text = scene.text;
	} else {
		seen.failures++;
		return;
	}
	if (!is_trace(text))
		seen.strange++;
}

static void *
look_often(void *unused)
{
	unsigned random = (unsigned)getpid();

	wait_there();
	for (int i = 0; i < seen.looks; i++)
		look_once(&random);
	atomic_store(&scene.over, true);
	return unused;
}

/* The answers are whole; what a copy was torn by is not told. */
START_TEST(at_random)
{
	seen.looks = unit_is_slow() ? 20 : 300;
	ck_assert_int_gt(run(MIX, look_often), 0);
	ck_assert_int_eq(atomic_load(&scene.interrupted), 0);
	ck_assert_int_eq(seen.strange, 0);
	ck_assert_int_gt(seen.answers + seen.copies, seen.looks / 2);
	printf("# %d %d %d\n", seen.answers, seen.copies, seen.failures);
}
END_TEST

/* ---- copies -------------------------------------------------------------- */

static size_t
die(char *out, size_t n)
{
	*out = 'x';
	raise(SIGSEGV);
	return n;
}

static size_t
hang(char *out, size_t n)
{
	*out = 'x';
	for (;;)
		pause();
	return n;
}

static size_t
much(char *out, size_t n)
{
	memset(out, 'x', n - 1);
	return n - 1;
}

START_TEST(copies)
{
	static char text[200000];

	ck_assert_int_eq(copy_patiently(much, text, sizeof(text)),
	    sizeof(text) - 1);
	ck_assert_uint_eq(strspn(text, "x"), sizeof(text) - 1);
	ck_assert_int_eq(snapshot_look(die, text, sizeof(text)), -1);
	ck_assert(errno == EFAULT || errno == ETIMEDOUT);
	ck_assert_int_eq(snapshot_look(hang, text, sizeof(text)), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	/* Nobody is left, and nobody was to be seen. */
	ck_assert_int_eq(waitpid(-1, NULL, __WALL), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

static size_t
rest(char *out, size_t n)
{
	(void)n;
	*out = 'x';
	usleep(20000);
	return 1;
}

/* Any child that it finds is one too many. */
static void *
wait_for_any(void *found)
{
	atomic_int *children = found;

	while (!atomic_load(&scene.over)) {
		if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
			atomic_fetch_add(children, 1);
		usleep(100);
	}
	return NULL;
}

START_TEST(unseen)
{
	atomic_int children = 0;
	pthread_t thread;
	char text[8];

	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_any,
	    &children), 0);
	ck_assert_int_eq(copy_patiently(rest, text, sizeof(text)), 1);
	atomic_store(&scene.over, true);
	pthread_join(thread, NULL);
	ck_assert_int_eq(atomic_load(&children), 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("lua_trace");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 240);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, in_a_loop);
	tcase_add_test(tc, in_coroutines);
	tcase_add_test(tc, in_pcall_and_error);
	tcase_add_test(tc, asleep_in_c);
	tcase_add_test(tc, busy_in_c);
	tcase_add_test(tc, odd_names);
	tcase_add_test(tc, deep);
	tcase_add_test(tc, own_hook);
	tcase_add_test(tc, nothing_runs);
	tcase_add_test(tc, at_random);
	tcase_add_test(tc, copies);
	tcase_add_test(tc, unseen);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

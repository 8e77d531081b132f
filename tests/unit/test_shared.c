/* Dictionaries that workers share (ipc/shared.h). */

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sealed.h"
#include "base/tuning.h"
#include "ipc/shared.h"
#include "ipc/shared_store.h"
#include "unit.h"

#define SMALL 4096

static struct shared *dict;
static int room = -1;
static size_t room_size;
static bool forced;

static void
begin(size_t size)
{
	room = sealed_room("test", size);
	ck_assert_int_ne(room, -1);
	dict = shared_open(room, size);
	ck_assert_ptr_nonnull(dict);
	room_size = size;
}

static void
end(void)
{
	shared_close(dict);
	close(room);
}

static struct shared_key
key(const char *text)
{
	return (struct shared_key){ text, strlen(text) };
}

static struct shared_value
string(const char *text)
{
	return (struct shared_value){ .type = SHARED_STRING, .text = text,
		.len = strlen(text) };
}

static struct shared_value
integer(int64_t n)
{
	return (struct shared_value){ .type = SHARED_INTEGER, .integer = n };
}

static struct shared_value
number(double n)
{
	return (struct shared_value){ .type = SHARED_FLOAT, .number = n };
}

static int
put(const char *name, struct shared_value value)
{
	struct shared_key k = key(name);

	return shared_set(dict, &k, &value, 0, SHARED_SET, &forced);
}

static int
add(const char *name, int64_t n)
{
	struct shared_key k = key(name);
	struct shared_value by = integer(n), zero = integer(0), out;

	return shared_incr(dict, &k, &by, &zero, 0, &out, &forced);
}

/* The value as text, to be compared at once: "s:...", "i:...". */
static const char *
got(const char *name)
{
	static char text[300];
	struct shared_key k = key(name);
	struct shared_value v;

	if (shared_get(dict, &k, &v) == -1)
		return strerror(errno);
	switch (v.type) {
	case SHARED_STRING:
		snprintf(text, sizeof(text), "s:%.*s", (int)v.len, v.text);
		break;
	case SHARED_FLOAT:
		snprintf(text, sizeof(text), "f:%g", v.number);
		break;
	case SHARED_BOOLEAN:
		return v.integer != 0 ? "true" : "false";
	default:
		snprintf(text, sizeof(text), "i:%lld", (long long)v.integer);
	}
	return text;
}

static const char *
none(void)
{
	return strerror(ENOENT);
}

/* ---- is the memory whole? ------------------------------------------------ */

static unsigned
blocks_of(struct store *s, uint32_t first)
{
	unsigned n = 0;

	for (; first != 0; first = store_field(s, first, FIELD_NEXT))
		ck_assert_uint_le(++n, s->blocks);
	return n;
}

static uint64_t
content_of(struct store *s, uint32_t entry)
{
	uint32_t shape = store_field(s, entry, FIELD_SHAPE);
	uint64_t len = shape & 0xffff;

	if (shape >> 16 == SHARED_STRING)
		len += store_field_wide(s, entry, FIELD_NUMBER);
	return len;
}

/* Each block is free, or of one entry; each entry is in its bucket and in the
 * order of use, once. */
static void
check_whole(int fd, size_t size)
{
	uint32_t at, before = 0, entries = 0, found = 0, used = 0, n;
	struct store s;

	ck_assert_int_eq(store_open(&s, fd, size), 0);
	ck_assert_int_eq(store_enter(&s), 0);
	for (at = store_get(&s, STORE_NEWEST); at != 0; before = at,
	    at = store_field(&s, at, FIELD_OLDER)) {
		ck_assert_uint_le(++entries, s.blocks);
		ck_assert_uint_eq(store_field(&s, at, FIELD_NEWER), before);
		n = blocks_of(&s, at);
		ck_assert_uint_eq(n, store_blocks_for(content_of(&s, at)));
		used += n;
	}
	ck_assert_uint_eq(store_get(&s, STORE_OLDEST), before);
	ck_assert_uint_eq(store_get(&s, STORE_ENTRIES), entries);
	for (uint32_t i = 0; i < s.buckets; i++)
		for (at = store_get(&s, STORE_BUCKETS + i); at != 0;
		    at = store_field(&s, at, FIELD_BUCKET)) {
			ck_assert_uint_eq(store_field(&s, at, FIELD_HASH) &
			    (s.buckets - 1), i);
			found++;
		}
	ck_assert_uint_eq(found, entries);
	n = blocks_of(&s, store_get(&s, STORE_FREE));
	ck_assert_uint_eq(n, store_get(&s, STORE_SPARE));
	ck_assert_uint_eq(n + used, store_get(&s, STORE_FRESH));
	ck_assert(store_leave(&s));
	store_close(&s);
}

/* ---- values -------------------------------------------------------------- */

START_TEST(values)
{
	struct shared_value yes = { .type = SHARED_BOOLEAN, .integer = 1 };

	begin(1 << 20);
	ck_assert_str_eq(got("a"), none());
	ck_assert_int_eq(put("a", string("text")), 0);
	ck_assert_str_eq(got("a"), "s:text");
	ck_assert_int_eq(put("a", integer(INT64_MIN)), 0);
	ck_assert_str_eq(got("a"), "i:-9223372036854775808");
	ck_assert_int_eq(put("a", number(0.5)), 0);
	ck_assert_str_eq(got("a"), "f:0.5");
	ck_assert_int_eq(put("a", number((double)NAN)), 0);
	ck_assert_ptr_nonnull(strstr(got("a"), "nan"));
	ck_assert_int_eq(put("a", yes), 0);
	ck_assert_str_eq(got("a"), "true");
	yes.integer = 0;
	ck_assert_int_eq(put("a", yes), 0);
	ck_assert_str_eq(got("a"), "false");
	ck_assert_int_eq(put("a", string("")), 0);
	ck_assert_str_eq(got("a"), "s:");
	check_whole(room, room_size);
	end();
}
END_TEST

/* Every length around the ends of blocks, of keys and of values. */
START_TEST(lengths)
{
	static char text[400], name[400];
	struct shared_key k = { name, 0 };
	struct shared_value v = { .type = SHARED_STRING, .text = text }, out;

	begin(1 << 20);
	for (size_t i = 0; i < sizeof(text); i++) {
		text[i] = (char)('a' + i % 26);
		name[i] = (char)('A' + i % 26);
	}
	for (k.len = 1; k.len < 150; k.len++)
		for (v.len = 0; v.len < 300; v.len += 1 + k.len % 7)
			ck_assert_int_eq(shared_set(dict, &k, &v, 0,
			    SHARED_SET, &forced), 0);
	for (k.len = 1; k.len < 150; k.len++) {
		ck_assert_int_eq(shared_get(dict, &k, &out), 0);
		ck_assert_uint_ge(out.len, 292);
		ck_assert_int_eq(memcmp(out.text, text, out.len), 0);
	}
	check_whole(room, room_size);
	end();
}
END_TEST

START_TEST(add_and_replace)
{
	struct shared_key k = key("k");
	struct shared_value one = integer(1), two = string("two");

	begin(SMALL);
	ck_assert_int_eq(shared_set(dict, &k, &one, 0, SHARED_REPLACE,
	    &forced), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(shared_set(dict, &k, &one, 0, SHARED_ADD, &forced),
	    0);
	ck_assert_int_eq(shared_set(dict, &k, &two, 0, SHARED_ADD, &forced),
	    -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_str_eq(got("k"), "i:1");
	ck_assert_int_eq(shared_set(dict, &k, &two, 0, SHARED_REPLACE,
	    &forced), 0);
	ck_assert_str_eq(got("k"), "s:two");
	ck_assert_int_eq(shared_delete(dict, &k), 0);
	ck_assert_int_eq(shared_delete(dict, &k), 0);
	ck_assert_str_eq(got("k"), none());
	check_whole(room, room_size);
	end();
}
END_TEST

START_TEST(increments)
{
	struct shared_key k = key("k");
	struct shared_value by = integer(2), half = number(0.5), out;

	begin(SMALL);
	ck_assert_int_eq(shared_incr(dict, &k, &by, NULL, 0, &out, &forced),
	    -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(shared_incr(dict, &k, &by, &by, 0, &out, &forced), 0);
	ck_assert_int_eq(out.integer, 4);
	ck_assert_int_eq(shared_incr(dict, &k, &half, NULL, 0, &out, &forced),
	    0);
	ck_assert(out.type == SHARED_FLOAT && out.number > 4.4);
	ck_assert_str_eq(got("k"), "f:4.5");
	put("k", integer(INT64_MAX));
	ck_assert_int_eq(shared_incr(dict, &k, &by, NULL, 0, &out, &forced),
	    0);
	ck_assert_int_eq(out.integer, INT64_MIN + 1);
	put("k", string("5"));
	ck_assert_int_eq(shared_incr(dict, &k, &by, &by, 0, &out, &forced),
	    -1);
	ck_assert_int_eq(errno, EINVAL);
	end();
}
END_TEST

/* ---- time ---------------------------------------------------------------- */

static void
pass(int ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000L };

	nanosleep(&time, NULL);
}

START_TEST(lives)
{
	struct shared_key k = key("k"), other = key("other");
	struct shared_value v = string("v");
	int64_t left = -1;

	begin(SMALL);
	ck_assert_int_eq(shared_set(dict, &k, &v, 20, SHARED_SET, &forced), 0);
	ck_assert_int_eq(shared_set(dict, &other, &v, 1 << 30, SHARED_SET,
	    &forced), 0);
	ck_assert_int_eq(shared_ttl(dict, &other, &left), 0);
	ck_assert(left > (1 << 30) - 10000 && left <= 1 << 30);
	pass(30);
	ck_assert_str_eq(got("k"), none());
	ck_assert_int_eq(shared_ttl(dict, &k, &left), -1);
	ck_assert_int_eq(shared_set(dict, &k, &v, 0, SHARED_REPLACE, &forced),
	    -1);
	ck_assert_int_eq(shared_set(dict, &k, &v, 0, SHARED_ADD, &forced), 0);
	ck_assert_int_eq(shared_ttl(dict, &k, &left), 0);
	ck_assert_int_eq(left, 0);
	ck_assert_int_eq(shared_expire(dict, &k, INT64_MAX / 2), 0);
	ck_assert_int_eq(shared_ttl(dict, &k, &left), 0);
	ck_assert_int_gt(left, INT64_MAX / 4);
	ck_assert_int_eq(shared_expire(dict, &k, 1), 0);
	pass(10);
	ck_assert_int_eq(shared_expire(dict, &k, 1), -1);
	ck_assert_int_eq(add("k", 3), 0);
	ck_assert_str_eq(got("k"), "i:3");
	check_whole(room, room_size);
	end();
}
END_TEST

/* ---- full ---------------------------------------------------------------- */

START_TEST(least_recently_used_go)
{
	char name[16];
	int n;

	begin(SMALL);
	for (n = 0; !forced && n < 1000; n++) {
		snprintf(name, sizeof(name), "key%d", n);
		ck_assert_int_eq(put(name, integer(n)), 0);
	}
	ck_assert_int_gt(n, 30);
	ck_assert_str_eq(got("key0"), none());
	for (int i = 1; i < n; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		ck_assert_str_ne(got(name), none());
	}
	/* "key1" is the oldest, until it is used. */
	got("key1");
	put("another", integer(0));
	ck_assert(forced);
	ck_assert_str_eq(got("key1"), "i:1");
	ck_assert_str_eq(got("key2"), none());
	check_whole(room, room_size);
	end();
}
END_TEST

START_TEST(large_values)
{
	static char text[2 * SMALL];
	struct shared_value v = { .type = SHARED_STRING, .text = text,
		.len = SMALL };
	struct shared_key k = key("big");
	struct shared_figures figures;

	begin(SMALL);
	memset(text, 'x', sizeof(text));
	put("small", integer(1));
	ck_assert_int_eq(shared_set(dict, &k, &v, 0, SHARED_SET, &forced), -1);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_str_eq(got("small"), "i:1");
	ck_assert_int_eq(shared_figures(dict, &figures), 0);
	v.len = figures.room / 64 * 60 - 44 - k.len;
	ck_assert_int_eq(shared_set(dict, &k, &v, 0, SHARED_SET, &forced), 0);
	ck_assert(forced);
	ck_assert_str_eq(got("small"), none());
	ck_assert_str_ne(got("big"), none());
	text[0] = 'y';
	ck_assert_int_eq(shared_set(dict, &k, &v, 0, SHARED_SET, &forced), 0);
	ck_assert(!forced);
	ck_assert_int_eq(strncmp(got("big"), "s:yx", 4), 0);
	v.len++;
	ck_assert_int_eq(shared_set(dict, &k, &v, 0, SHARED_SET, &forced), -1);
	ck_assert_int_eq(strncmp(got("big"), "s:yx", 4), 0);
	check_whole(room, room_size);
	end();
}
END_TEST

START_TEST(no_such_memory)
{
	int fd = sealed_room("test", 1024);

	ck_assert_ptr_null(shared_open(fd, 1024));
	ck_assert_ptr_null(shared_open(fd, SMALL));
	ck_assert_ptr_null(shared_open(-1, SMALL));
	close(fd);
}
END_TEST

/* ---- keys and flush ------------------------------------------------------ */

static unsigned
count_keys(void)
{
	struct buf out = { 0 };
	uint32_t place = 0, len;
	unsigned n = 0;
	int more;

	do {
		more = shared_keys(dict, &place, &out);
		ck_assert_int_ne(more, -1);
	} while (more == 1);
	for (size_t at = 0; at < out.len; at += sizeof(len) + len, n++) {
		memcpy(&len, out.data + at, sizeof(len));
		ck_assert_int_eq(memcmp(out.data + at + sizeof(len), "key",
		    3), 0);
	}
	buf_free(&out);
	return n;
}

START_TEST(keys_and_flush)
{
	char name[16];

	begin(1 << 20);
	ck_assert_uint_eq(count_keys(), 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		put(name, i % 2 ? integer(i) : string("a value"));
	}
	ck_assert_uint_eq(count_keys(), 5000);
	ck_assert_int_eq(shared_flush(dict), 0);
	ck_assert_uint_eq(count_keys(), 0);
	ck_assert_str_eq(got("key7"), none());
	add("key7", 1);
	ck_assert_str_eq(got("key7"), "i:1");
	put("key8", string("other"));
	ck_assert_str_eq(got("key8"), "s:other");
	ck_assert_uint_eq(count_keys(), 2);
	/* What was flushed makes room without being missed. */
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		put(name, integer(i));
		ck_assert(!forced);
	}
	check_whole(room, room_size);
	end();
}
END_TEST

/* ---- processes ----------------------------------------------------------- */

/* A child that runs `work` with the dictionary mapped anew. */
static pid_t
start(void (*work)(int n), int n)
{
	pid_t pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		work(n);
		_exit(0);
	}
	return pid;
}

static void
finish(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

#define TIMES 20000

static void
count(int n)
{
	(void)n;
	for (int i = 0; i < TIMES; i++)
		if (add("counter", 1) == -1)
			_exit(1);
}

START_TEST(counts_are_exact)
{
	pid_t pids[4];
	char text[32];

	begin(SMALL);
	for (int i = 0; i < 4; i++)
		pids[i] = start(count, i);
	for (int i = 0; i < 4; i++)
		finish(pids[i]);
	snprintf(text, sizeof(text), "i:%d", 4 * TIMES);
	ck_assert_str_eq(got("counter"), text);
	end();
}
END_TEST

/* Every value is its key, and a number of any length. */
static void
make(char name[32], char value[200], unsigned random)
{
	int n = snprintf(name, 32, "key%u", random % 40);

	memset(value, '0' + (int)(random >> 8) % 10, 199);
	memcpy(value, name, (size_t)n);
	value[n + (int)(random >> 12) % 150] = '\0';
}

static void
storm(int n)
{
	unsigned random = (unsigned)n * 2654435761u + 1;
	char name[32], value[200];
	struct shared_key k = { name, 0 };

	for (;;) {
		random = random * 1103515245u + 12345u;
		make(name, value, random >> 3);
		k.len = strlen(name);
		switch (random >> 28) {
		case 0:
			shared_delete(dict, &k);
			break;
		case 1:
		case 2:
			got(name);
			break;
		case 3:
			add("number", 1);
			break;
		default:
			if (put(name, string(value)) == -1)
				_exit(1);
		}
	}
}

static void
check_values(void)
{
	char name[32];
	const char *text;

	for (int i = 0; i < 40; i++) {
		int n = snprintf(name, sizeof(name), "key%d", i);

		text = got(name);
		if (strcmp(text, none()) == 0)
			continue;
		ck_assert_int_eq(strncmp(text, "s:", 2), 0);
		ck_assert_int_eq(strncmp(text + 2, name, (size_t)n), 0);
		text += 2 + n;
		ck_assert_uint_eq(strspn(text, (char[]){ *text, '\0' }),
		    strlen(text));
	}
	check_whole(room, room_size);
	ck_assert(!shared_was_broken(dict));
}

START_TEST(killed)
{
	int rounds = getenv("FULL") != NULL ? 1000 : 60, status;
	pid_t pids[2];

	begin(SMALL);
	for (int i = 0; i < 2; i++)
		pids[i] = start(storm, i);
	for (int i = 0; i < rounds; i++) {
		pass(1);
		ck_assert_int_eq(kill(pids[i % 2], SIGKILL), 0);
		ck_assert_int_eq(waitpid(pids[i % 2], &status, 0),
		    pids[i % 2]);
		ck_assert(WIFSIGNALED(status));
		check_values();
		pids[i % 2] = start(storm, i + 2);
	}
	for (int i = 0; i < 2; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
	check_values();
	end();
}
END_TEST

static void
hold(int n)
{
	struct store s;

	if (store_open(&s, room, room_size) == 0 && store_enter(&s) == 0)
		kill(getpid(), n);
}

START_TEST(dead_owner)
{
	int status;
	pid_t pid;

	begin(SMALL);
	put("a", integer(1));
	pid = start(hold, SIGKILL);
	waitpid(pid, &status, 0);
	ck_assert_str_eq(got("a"), "i:1");
	end();
}
END_TEST

/* One that lives but does not go on is waited for as long as tuning.lock
 * says; a second time hardly at all. */
START_TEST(stopped_owner)
{
	struct shared_key k = key("a");
	struct shared_value v;
	int64_t begun;
	int status;
	pid_t pid;

	begin(SMALL);
	put("a", integer(1));
	pid = start(hold, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(shared_get(dict, &k, &v), -1);
	ck_assert_int_eq(errno, ETIMEDOUT);
	begun = clock_ms();
	ck_assert_int_eq(shared_get(dict, &k, &v), -1);
	ck_assert_int_lt(clock_ms() - begun, tuning.lock / 2);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	ck_assert_str_eq(got("a"), "i:1");
	end();
}
END_TEST

/* A process that the application has forked. */
static void
use_it(int n)
{
	(void)n;
	if (put("child", integer(getpid())) == -1)
		_exit(1);
	_exit(strcmp(got("parent"), "i:1") == 0 ? 0 : 1);
}

START_TEST(forked)
{
	begin(SMALL);
	put("parent", integer(1));
	finish(start(use_it, 0));
	ck_assert_str_ne(got("child"), none());
	end();
}
END_TEST

/* ---- ended at every instruction ------------------------------------------ */

static void
prepare(void)
{
	char name[16];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "fill%d", i);
		put(name, integer(i));
	}
	put("text", string("old, in more than one block of the memory, so that "
	    "there is a chain"));
	put("number", integer(41));
	got("text");
}

static void
step_set(void)
{
	put("text", string("new, and in as many blocks as the one before, but "
	    "not the same ones"));
}

static void
step_new(void)
{
	put("another", string("which has to make room, as there is none left, "
	    "and evicts more than one other entry, each of which is gone or "
	    "is there; this takes several blocks, five or six of them, and "
	    "some more, so that it is really long"));
}

static void
step_add(void)
{
	add("number", 1);
}

static void
step_float(void)
{
	put("number", number(0.5));
}

static void
step_delete(void)
{
	struct shared_key k = key("text");

	shared_delete(dict, &k);
}

static void
step_get(void)
{
	got("number");
}

static void
step_flush(void)
{
	shared_flush(dict);
}

static void
step_undo(void)
{
	got("text");
}

static const struct step {
	void (*run)(void);
	const char *name, *before, *after;
	bool half; /* the process before was ended in the middle of step_set */
} steps[] = {
	{ step_set, "text", "s:old", "s:new", false },
	{ step_new, "another", "No ", "s:which", false },
	{ step_add, "number", "i:41", "i:42", false },
	{ step_float, "number", "i:41", "f:0.5", false },
	{ step_delete, "text", "s:old", "No ", false },
	{ step_get, "number", "i:41", "i:41", false },
	{ step_flush, "text", "s:old", "No ", false },
	{ step_undo, "text", "s:old", "s:old", true },
};

static void
work(int n)
{
	if (!steps[n].half)
		got("text"); /* it is known to the lock */
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	steps[n].run();
	raise(SIGSTOP);
}

/* As the next owner would find the memory if the process ended now. */
static void
judge(const struct step *step, const char *memory, struct shared *copy,
    char *there, int fd)
{
	struct shared *own = dict;
	const char *text;

	memcpy(there, memory, room_size);
	memset(there, 0, 4); /* the lock */
	check_whole(fd, room_size);
	dict = copy;
	text = got(step->name);
	dict = own;
	if (strncmp(text, step->before, strlen(step->before)) != 0 &&
	    strncmp(text, step->after, strlen(step->after)) != 0)
		ck_abort_msg("neither old nor new: %s", text);
	ck_assert(!shared_was_broken(copy));
}

static char *
map(int fd)
{
	char *memory = mmap(NULL, room_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

/* Only where a step goes on into a pair of instructions that makes up an atomic
 * operation, and where a process may be traced. */
static bool
can_step(void)
{
#ifdef __x86_64__
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (!WIFSTOPPED(status))
		return false;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return getenv("VALGRIND") == NULL;
#else
	return false;
#endif
}

static bool
step_on(pid_t pid)
{
	int status;

	return ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 &&
	    waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) &&
	    WSTOPSIG(status) == SIGTRAP;
}

/* A process ends when it has changed eight words. */
static void
end_in_the_middle(const char *memory)
{
	const uint32_t *words = (const uint32_t *)(const void *)memory;
	pid_t pid = start(work, 0);
	int status;

	waitpid(pid, &status, 0);
	while (words[STORE_LOGGED] < 8)
		ck_assert(step_on(pid));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

START_TEST(every_instruction)
{
	const struct step *step = &steps[_i];
	int fd = sealed_room("copy", SMALL), status, n = 0;
	struct shared *copy = shared_open(fd, SMALL);
	char *memory, *there, seen[SMALL] = { 0 };
	const uint32_t *words;
	pid_t pid;

	if (!can_step())
		return;
	begin(SMALL);
	prepare();
	memory = map(room);
	there = map(fd);
	words = (const uint32_t *)(const void *)memory;
	if (step->half)
		end_in_the_middle(memory);
	pid = start(work, _i);
	waitpid(pid, &status, 0);
	ck_assert(WIFSTOPPED(status));
	ck_assert_uint_eq(words[STORE_LOGGED], step->half ? 8 : 0);
	while (step_on(pid)) {
		if (memcmp(seen, memory, SMALL) == 0)
			continue;
		memcpy(seen, memory, SMALL);
		judge(step, memory, copy, there, fd);
		n++;
	}
	ck_assert_int_gt(n, 5);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	waitpid(pid, &status, 0);
	ck_assert_int_eq(strncmp(got(step->name), step->after,
	    strlen(step->after)), 0);
	munmap(memory, SMALL);
	munmap(there, SMALL);
	shared_close(copy);
	close(fd);
	end();
}
END_TEST

/* ---- broken -------------------------------------------------------------- */

START_TEST(broken_is_emptied)
{
	uint32_t *memory;

	begin(SMALL);
	memory = (uint32_t *)(void *)map(room);
	put("a", string("value"));
	memory[STORE_NEWEST] = 0xfffffff0;
	memory[STORE_OLDEST] = 0xfffffff0;
	memory[STORE_FRESH] = 1;
	memory[STORE_SPARE] = 77;
	ck_assert_int_eq(put("b", string("value")), 0);
	ck_assert(shared_was_broken(dict));
	ck_assert(!shared_was_broken(dict));
	ck_assert_str_eq(got("a"), none());
	ck_assert_str_eq(got("b"), "s:value");
	check_whole(room, room_size);
	/* A process ended while it emptied it. */
	memory[STORE_WIPED] = 1;
	memory[STORE_FREE] = 12345;
	ck_assert_str_eq(got("b"), none());
	check_whole(room, room_size);
	munmap(memory, SMALL);
	end();
}
END_TEST

static Suite *
shared_suite(void)
{
	Suite *suite = suite_create("shared");
	TCase *tcase = tcase_create("shared");

	tcase_set_timeout(tcase, getenv("FULL") != NULL ? 60 : 10);
	tcase_add_test(tcase, values);
	tcase_add_test(tcase, lengths);
	tcase_add_test(tcase, add_and_replace);
	tcase_add_test(tcase, increments);
	tcase_add_test(tcase, lives);
	tcase_add_test(tcase, least_recently_used_go);
	tcase_add_test(tcase, large_values);
	tcase_add_test(tcase, no_such_memory);
	tcase_add_test(tcase, keys_and_flush);
	tcase_add_test(tcase, counts_are_exact);
	tcase_add_test(tcase, killed);
	tcase_add_test(tcase, dead_owner);
	tcase_add_test(tcase, stopped_owner);
	tcase_add_test(tcase, forked);
	tcase_add_loop_test(tcase, every_instruction, 0,
	    sizeof(steps) / sizeof(steps[0]));
	tcase_add_test(tcase, broken_is_emptied);
	suite_add_tcase(suite, tcase);
	return suite;
}

int
main(void)
{
	return unit_run(shared_suite());
}

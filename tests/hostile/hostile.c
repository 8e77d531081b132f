/*
 * A Lua module that does what a hostile application could do with native code:
 * look for what is not its own in its memory, overwrite all that it shares
 * with others, try to get at more (tests/run/isolation.py), and say and do what
 * no worker does on the sockets that it has (tests/run/channel.py).
 */

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <dirent.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST ((size_t)1 << 30) /* larger ones are a sanitizer's */
#define CHUNK ((size_t)4096)
#define DESCRIPTORS 253 /* in one message, at most */
#define MASK 0x55 /* what is looked for must not stand in memory itself */

struct mapping {
	char *start;
	size_t size;
	char rights[5];
	char name[256];
};

static bool
next_mapping(FILE *maps, struct mapping *m)
{
	char line[512];
	unsigned long from, to;

	if (fgets(line, sizeof(line), maps) == NULL)
		return false;
	*m->name = '\0';
	if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %255[^\n]", &from, &to,
		m->rights, m->name) < 3)
		return false;
	m->start = (char *)from;
	m->size = to - from;
	return true;
}

/* ---- looking ------------------------------------------------------------- */

static bool
is_here(const char *p, const char *masked, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] ^ MASK) != masked[i])
			return false;
	return true;
}

/* By way of the kernel, which says where there is nothing behind a page. */
static bool
has_text(const struct mapping *m, const char *masked, size_t n)
{
	static char chunk[2 * CHUNK];
	struct iovec here = { chunk + CHUNK, CHUNK }, there;
	size_t kept = 0;
	ssize_t got;

	for (size_t at = 0; at < m->size; at += CHUNK) {
		there = (struct iovec){ m->start + at, CHUNK };
		got = m->start + at < chunk + sizeof(chunk) &&
		    m->start + at + CHUNK > chunk ? -1 :
		    process_vm_readv(getpid(), &here, 1, &there, 1, 0);
		if (got <= 0)
			continue;
		for (char *p = chunk + CHUNK - kept;
		    p + n <= chunk + CHUNK + got; p++)
			if (is_here(p, masked, n))
				return true;
		kept = n;
		memcpy(chunk + CHUNK - kept, chunk + CHUNK + got - kept, kept);
	}
	memset(chunk, 0, sizeof(chunk));
	return false;
}

/* find(masked): names of the mappings that have the text. */
static int
find(lua_State *L)
{
	size_t n;
	const char *masked = luaL_checklstring(L, 1, &n);
	FILE *maps = fopen("/proc/self/maps", "r");
	struct mapping m;
	luaL_Buffer out;

	luaL_buffinit(L, &out);
	while (next_mapping(maps, &m)) {
		if (m.rights[0] != 'r' || m.size > MOST ||
		    !has_text(&m, masked, n))
			continue;
		luaL_addstring(&out, *m.name != '\0' ? m.name : "?");
		luaL_addchar(&out, '\n');
	}
	fclose(maps);
	luaL_pushresult(&out);
	return 1;
}

/* ---- overwriting --------------------------------------------------------- */

static void
overwrite(struct mapping *m, long round)
{
	size_t from = 0, n = m->size;

	if (round % 8 >= 4) { /* a part of it */
		from = (size_t)random() % m->size;
		n = 1 + (size_t)random() % (m->size - from);
	}
	switch (round % 4) {
	case 0:
		memset(m->start + from, 0, n);
		break;
	case 1:
		memset(m->start + from, 0xff, n);
		break;
	case 2:
		for (size_t i = 0; i < n; i++)
			m->start[from + i] = (char)random();
		break;
	default: /* one false word after another */
		from = (size_t)round * 8 % (m->size - 8) & ~(size_t)7;
		*(uint64_t *)(m->start + from) = (uint64_t)random() << 32 |
		    (uint64_t)random();
		break;
	}
}

/* scribble(round): how many mappings were overwritten. */
static int
scribble(lua_State *L)
{
	long round = (long)luaL_checkinteger(L, 1);
	FILE *maps = fopen("/proc/self/maps", "r");
	struct mapping all[64];
	int n = 0;

	while (n < 64 && next_mapping(maps, &all[n]))
		n += strcmp(all[n].rights, "rw-s") == 0;
	fclose(maps);
	for (int i = 0; i < n; i++)
		overwrite(&all[i], round);
	lua_pushinteger(L, n);
	return 1;
}

/* ---- getting at more ----------------------------------------------------- */

static luaL_Buffer got;

static void
note(const char *what, const char *name)
{
	luaL_addstring(&got, what);
	luaL_addstring(&got, " ");
	luaL_addstring(&got, name);
	luaL_addstring(&got, "\n");
}

/* Is there memory behind the address?  A system call says so without a
 * signal. */
static bool
is_there(const char *p)
{
	int fds[2];
	bool there;

	if (pipe(fds) == -1)
		return false;
	there = write(fds[1], p, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return there;
}

static void
try_mapping(struct mapping *m)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), i;
	char *larger;

	if (strchr(m->rights, 's') == NULL)
		return;
	if (strcmp(m->rights, "r--s") == 0 &&
	    mprotect(m->start, m->size, PROT_READ | PROT_WRITE) == 0)
		note("mprotect", m->name);
	for (i = 1; i < 64; i++)
		if (syscall(SYS_remap_file_pages, m->start, page, 0, i, 0) ==
		    0 && is_there(m->start) && i * page >= m->size) {
			note("remap_file_pages", m->name);
			break;
		}
	syscall(SYS_remap_file_pages, m->start, page, 0, 0, 0);
	larger = mremap(m->start, m->size, m->size + 64 * page,
	    MREMAP_MAYMOVE);
	if (larger == MAP_FAILED)
		return;
	for (i = m->size; i < m->size + 64 * page; i += page)
		if (is_there(larger + i)) {
			note("mremap", m->name);
			break;
		}
	munmap(larger + m->size, 64 * page);
	if (larger != m->start)
		mremap(larger, m->size, m->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		    m->start);
}

/* Whatever in that directory leads to memory can be opened for writing? */
static void
try_links(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	char path[512], target[256];
	ssize_t n;
	int fd;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", directory,
		    entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strstr(target, "memfd:") == NULL)
			continue;
		fd = open(path, O_RDWR);
		if (fd == -1)
			continue;
		note("open", target);
		close(fd);
	}
	if (dir != NULL)
		closedir(dir);
}

static void
try_process(long pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/mem", pid);
	fd = open(path, O_RDONLY);
	if (fd != -1) {
		note("open", path);
		close(fd);
	}
	snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	try_links(path);
	snprintf(path, sizeof(path), "/proc/%ld/map_files", pid);
	try_links(path);
}

/* reach(pid...): what of these processes or beyond its own memory it got. */
static int
reach(lua_State *L)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	struct mapping all[64];
	int n = 0;

	luaL_buffinit(L, &got);
	while (n < 64 && next_mapping(maps, &all[n]))
		n += strchr(all[n].rights, 's') != NULL;
	fclose(maps);
	for (int i = 0; i < n; i++)
		try_mapping(&all[i]);
	try_links("/proc/self/fd");
	try_links("/proc/self/map_files");
	for (int i = 1; i <= lua_gettop(L); i++)
		if (lua_isinteger(L, i))
			try_process((long)lua_tointeger(L, i));
	luaL_pushresult(&got);
	return 1;
}

/* ---- the sockets of a worker ----------------------------------------------- */

static int
number(lua_State *L, int i)
{
	return (int)luaL_checkinteger(L, i);
}

/* say(fd, text, ms): again and again, as fast as it goes; how often. */
static int
say(lua_State *L)
{
	size_t n;
	const char *text = luaL_checklstring(L, 2, &n);
	struct timespec begun, now;
	lua_Integer went = 0;
	long passed;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	do {
		went += send(number(L, 1), text, n, MSG_NOSIGNAL) != -1;
		clock_gettime(CLOCK_MONOTONIC, &now);
		passed = (now.tv_sec - begun.tv_sec) * 1000 +
		    (now.tv_nsec - begun.tv_nsec) / 1000000;
	} while (passed < number(L, 3));
	lua_pushinteger(L, went);
	return 1;
}

static ssize_t
send_with(int to, const char *text, int fd, int copies)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(DESCRIPTORS *
	    sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = CMSG_SPACE((size_t)copies * sizeof(int)) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN((size_t)copies * sizeof(int));
	for (int i = 0; i < copies; i++)
		memcpy(CMSG_DATA(head) + (size_t)i * sizeof(int), &fd,
		    sizeof(int));
	return sendmsg(to, &msg, MSG_NOSIGNAL);
}

/* pass(fd, text, n): with so many descriptors. */
static int
pass(lua_State *L)
{
	int null = open("/dev/null", O_RDONLY);

	lua_pushboolean(L, send_with(number(L, 1), luaL_checkstring(L, 2),
	    null, number(L, 3)) != -1);
	close(null);
	return 1;
}

/* A connection to that port whose last owner waits at close(2) until all that
 * was written to it has been taken. */
static int
slow_connection(int port)
{
	const struct linger slow = { 1, 600 };
	const struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	connect(fd, (const struct sockaddr *)&at, sizeof(at));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &slow, sizeof(slow));
	while (send(fd, &at, sizeof(at), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* The end of a pair in whose queue a descriptor lies, which is closed here. */
static int
wrapped(int fd)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return fd;
	send_with(pair[0], "x", fd, 1);
	close(pair[0]);
	close(fd);
	return pair[1];
}

/* pass_slow(fd, text, port, depth): with a connection as above, that lies in as
 * many sockets. */
static int
pass_slow(lua_State *L)
{
	int fd = slow_connection(number(L, 3));

	for (int depth = number(L, 4); depth > 0; depth--)
		fd = wrapped(fd);
	lua_pushboolean(L, send_with(number(L, 1), luaL_checkstring(L, 2), fd,
	    1) != -1);
	close(fd);
	return 1;
}

/* let_go(fd): close it. */
static int
let_go(lua_State *L)
{
	lua_pushboolean(L, close(number(L, 1)) == 0);
	return 1;
}

/* block(fd): have all who have it wait at it. */
static int
block(lua_State *L)
{
	int fd = number(L, 1);

	lua_pushboolean(L, fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) &
	    ~O_NONBLOCK) == 0);
	return 1;
}

/* shut(fd): for all who have it. */
static int
shut(lua_State *L)
{
	lua_pushboolean(L, shutdown(number(L, 1), SHUT_RDWR) == 0);
	return 1;
}

int luaopen_hostile(lua_State *L);

int
luaopen_hostile(lua_State *L)
{
	static const luaL_Reg functions[] = { { "find", find },
		{ "scribble", scribble }, { "reach", reach },
		{ "say", say }, { "pass", pass }, { "pass_slow", pass_slow },
		{ "let_go", let_go }, { "block", block },
		{ "shut", shut },
		{ NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}

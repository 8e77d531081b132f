/*
 * A library to preload: calls that fail on command.  The orders lie in a file
 * that every process maps (LD_FAULT_FILE: as all that begins so it reaches
 * workers too) and the test writes while they run
 * (faults.py); so a fault begins and ends with an event.  Calls that libc
 * makes for itself are out of reach.
 */

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { WHO_ALL, WHO_MASTER, WHO_WORKERS }; /* else: one pid */

/* As faults.py packs it. */
struct order {
	_Atomic int64_t error; /* errno to fail with; 0: none (clock: jump, s) */
	_Atomic int64_t who;
	_Atomic int64_t fd;   /* for calls on one; -1: any */
	_Atomic int64_t skip; /* calls that go well before the first failure */
	_Atomic int64_t left; /* failures to come, -1: until told otherwise */
	_Atomic int64_t seen; /* calls while the order stood */
	_Atomic int64_t failed;
};

enum { FORK, ACCEPT4, ALLOC, MMAP, MEMFD_CREATE, SOCKETPAIR, PIPE2, SOCKET,
	OPEN, EPOLL_CTL, PTHREAD_CREATE, WRITE, SEND, SENDMSG, PPOLL, CLOCK,
	CALLS };

static struct order none[CALLS], *orders = none;
static pid_t master;

__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("LD_FAULT_FILE");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	char number[16];
	void *map;

	if (getenv("LD_FAULT_MASTER") != NULL) {
		master = (pid_t)atol(getenv("LD_FAULT_MASTER"));
	} else {
		master = getpid();
		snprintf(number, sizeof(number), "%d", (int)master);
		setenv("LD_FAULT_MASTER", number, 1);
	}
	if (fd == -1)
		return;
	map = mmap(NULL, sizeof(none), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);
	close(fd);
	if (map != MAP_FAILED)
		orders = map;
}

static bool
concerns(const struct order *o, int fd)
{
	int64_t who = o->who;

	if (o->fd != -1 && o->fd != fd)
		return false;
	if (who == WHO_ALL)
		return true;
	if (who == WHO_MASTER || who == WHO_WORKERS)
		return (getpid() == master) == (who == WHO_MASTER);
	return getpid() == (pid_t)who;
}

/* libconfig does not survive a failing allocation; whoever calls it sees
 * beforehand that there is memory.  Nor do glibc's look-ups of users, when
 * they set themselves up, and the sanitizer's looks at a thread.  Theirs do not
 * fail. */
static __thread int spared;

/* Whether this call is to fail, with errno set. */
static bool
fails(int call, int fd)
{
	struct order *o = &orders[call];
	int64_t left, error = o->error; /* once: the test may end it */

	if (error == 0 || !concerns(o, fd) || (call == ALLOC && spared > 0))
		return false;
	o->seen++;
	if (o->skip > 0 && o->skip-- > 0)
		return false;
	left = o->left;
	do
		if (left == 0)
			return false;
	while (left > 0 &&
	    !atomic_compare_exchange_weak(&o->left, &left, left - 1));
	o->failed++;
	errno = (int)error;
	return true;
}

/* The function that is hidden by one of ours. */
#define REAL(name) ((__typeof__(&name))real(#name, &real_##name))
#define HIDDEN(name) static void *real_##name

static void *
real(const char *name, void **cache)
{
	if (*cache == NULL)
		*cache = dlsym(RTLD_NEXT, name);
	return *cache;
}

/* ---- memory -------------------------------------------------------------- */

/* What dlsym itself asks for while it looks for the allocator. */
static char early[8192];
static size_t early_used;
static bool resolving;

HIDDEN(malloc);
HIDDEN(calloc);
HIDDEN(realloc);

static void *
early_alloc(size_t n)
{
	void *room = early + early_used;

	early_used += (n + 15) / 16 * 16;
	return early_used <= sizeof(early) ? room : NULL;
}

static bool
allocator(void)
{
	if (real_realloc != NULL)
		return true;
	if (resolving)
		return false;
	resolving = true;
	REAL(malloc);
	REAL(calloc);
	REAL(realloc);
	resolving = false;
	return true;
}

void *
malloc(size_t n)
{
	if (!allocator())
		return early_alloc(n);
	return fails(ALLOC, -1) ? NULL : REAL(malloc)(n);
}

void *
calloc(size_t n, size_t size)
{
	if (!allocator())
		return early_alloc(n * size);
	return fails(ALLOC, -1) ? NULL : REAL(calloc)(n, size);
}

void *
realloc(void *old, size_t n)
{
	if (!allocator())
		return early_alloc(n);
	return fails(ALLOC, -1) ? NULL : REAL(realloc)(old, n);
}

/* ---- calls --------------------------------------------------------------- */

#define CALL(result, failure, call, fd, name, params, args) \
	HIDDEN(name); \
	result name params \
	{ \
		return fails(call, fd) ? failure : REAL(name) args; \
	}

CALL(pid_t, -1, FORK, -1, fork, (void), ())

/* A function cannot pass on that vfork returns twice, and fork does as well. */
pid_t
vfork(void)
{
	return fork();
}
CALL(int, -1, ACCEPT4, fd, accept4,
    (int fd, __SOCKADDR_ARG address, socklen_t *len, int flags),
    (fd, address, len, flags))
CALL(void *, MAP_FAILED, MMAP, fd, mmap,
    (void *at, size_t n, int protection, int flags, int fd, off_t offset),
    (at, n, protection, flags, fd, offset))
CALL(int, -1, MEMFD_CREATE, -1, memfd_create, (const char *name, unsigned flags),
    (name, flags))
CALL(int, -1, SOCKETPAIR, -1, socketpair,
    (int domain, int type, int protocol, int fds[2]),
    (domain, type, protocol, fds))
CALL(int, -1, PIPE2, -1, pipe2, (int fds[2], int flags), (fds, flags))
CALL(int, -1, SOCKET, -1, socket, (int domain, int type, int protocol),
    (domain, type, protocol))
CALL(int, -1, EPOLL_CTL, fd, epoll_ctl,
    (int set, int verb, int fd, struct epoll_event *event),
    (set, verb, fd, event))
CALL(ssize_t, -1, WRITE, fd, write, (int fd, const void *data, size_t n),
    (fd, data, n))
CALL(ssize_t, -1, SEND, fd, send,
    (int fd, const void *data, size_t n, int flags), (fd, data, n, flags))
CALL(int, -1, PPOLL, -1, ppoll,
    (struct pollfd *fds, nfds_t n, const struct timespec *limit,
     const sigset_t *mask), (fds, n, limit, mask))
CALL(int, errno, PTHREAD_CREATE, -1, pthread_create,
    (pthread_t *thread, const pthread_attr_t *attributes,
     void *(*start_routine)(void *), void *arg),
    (thread, attributes, start_routine, arg))

#define SPARE(result, name, params, args) \
	result name params; \
	HIDDEN(name); \
	result name params \
	{ \
		result value; \
		spared++; \
		value = REAL(name) args; \
		spared--; \
		return value; \
	}

SPARE(int, config_read_string, (void *config, const char *text),
    (config, text))
SPARE(struct passwd *, getpwnam, (const char *name), (name))
SPARE(struct passwd *, getpwuid, (uid_t id), (id))
SPARE(struct group *, getgrnam, (const char *name), (name))
SPARE(int, initgroups, (const char *user, gid_t group), (user, group))
SPARE(int, pthread_getattr_np, (pthread_t thread, pthread_attr_t *attributes),
    (thread, attributes))

HIDDEN(config_init);
void config_init(void *config);

void
config_init(void *config)
{
	spared++;
	REAL(config_init)(config);
	spared--;
}

HIDDEN(sendmsg);

/* Only those with descriptors, of which there can be too many in transit. */
ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	return message->msg_controllen > 0 && fails(SENDMSG, fd) ? -1 :
	    REAL(sendmsg)(fd, message, flags);
}

HIDDEN(open);

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	__builtin_va_list ap;

	__builtin_va_start(ap, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = __builtin_va_arg(ap, mode_t);
	__builtin_va_end(ap);
	return fails(OPEN, -1) ? -1 : REAL(open)(path, flags, mode);
}

HIDDEN(clock_gettime);

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	struct order *o = &orders[CLOCK];
	int result = REAL(clock_gettime)(clock, now);

	if (clock == CLOCK_REALTIME && o->error != 0) {
		o->seen++;
		now->tv_sec += o->error;
	}
	return result;
}

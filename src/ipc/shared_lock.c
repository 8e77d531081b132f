#include "ipc/shared_lock.h"

#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/tuning.h"

#define WAITS	   0x80000000U /* some process sleeps until it is free */
#define SPINS	   100	       /* looks before it sleeps: most holders are
				  quick */
#define SLICE_LEAST 1	       /* ms of sleep before it looks for the owner */
#define SLICE_MOST  16
#define BLAMED	   20 /* part of the time for one who does not let go */

static atomic_uint births; /* forks of this process and those before it */

static void
count_birth(void)
{
	atomic_fetch_add(&births, 1);
}

static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_birth);
}

void
shared_lock_init(struct shared_lock *lock, _Atomic uint32_t *word, int fd)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	*lock = (struct shared_lock){ .word = word, .fd = fd };
}

/* ---- which processes live ------------------------------------------------ */

static struct flock
byte_of(uint32_t pid)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET,
		.l_start = pid, .l_len = 1 };
}

/* A child that the application has forked does not inherit its lock.  That
 * another process has locked this byte is its own fault: then it stands for
 * this one. */
static int
sign_in(struct shared_lock *lock)
{
	unsigned now = atomic_load(&births);
	uint32_t pid = (uint32_t)getpid();
	struct flock byte = byte_of(pid);

	if (fcntl(lock->fd, F_SETLK, &byte) == -1 && errno != EAGAIN &&
	    errno != EACCES)
		return -1;
	lock->me = pid;
	lock->births = now;
	return 0;
}

static bool
lives(const struct shared_lock *lock, uint32_t pid)
{
	struct flock byte = byte_of(pid);

	return fcntl(lock->fd, F_GETLK, &byte) == -1 ||
	    byte.l_type != F_UNLCK;
}

/* ---- waiting ------------------------------------------------------------- */

static inline bool
swap(struct shared_lock *lock, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong_explicit(lock->word, &from, to,
	    memory_order_acq_rel, memory_order_relaxed);
}

static inline void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static bool
spin(struct shared_lock *lock)
{
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(lock->word, memory_order_relaxed) ==
			0 && swap(lock, 0, lock->me))
			return true;
		relax();
	}
	return false;
}

/* Sleep while the word is `value`.  True: for all of the slice. */
static bool
sleep_on(struct shared_lock *lock, uint32_t value, int64_t slice)
{
	struct timespec time = { .tv_nsec = slice * 1000000 };

	return syscall(SYS_futex, lock->word, FUTEX_WAIT, value, &time, NULL,
	    0) == -1 && errno == ETIMEDOUT;
}

/* The word says that this process owns it: then one that had the pid before
 * has died, or somebody lies. */
static bool
is_ownerless(const struct shared_lock *lock, uint32_t value)
{
	uint32_t owner = value & ~WAITS;

	return owner == 0 || owner == lock->me;
}

/* One that did not let go the last time, and still does not, is hardly waited
 * for, so that an application does not spend its time on it. */
static int64_t
patience_for(const struct shared_lock *lock)
{
	uint32_t owner = atomic_load_explicit(lock->word,
	    memory_order_relaxed) & ~WAITS;

	return owner == lock->blamed ? tuning.lock / BLAMED : tuning.lock;
}

/* As others may sleep too, whoever has slept takes it with WAITS. */
static int
wait_for(struct shared_lock *lock)
{
	int64_t until = clock_ms() + patience_for(lock), slice = SLICE_LEAST;
	uint32_t value, mine = lock->me | WAITS;

	do {
		value = atomic_load_explicit(lock->word,
		    memory_order_relaxed);
		if (is_ownerless(lock, value)) {
			if (swap(lock, value, mine))
				return 0;
			continue;
		}
		if ((value & WAITS) == 0 &&
		    !swap(lock, value, value | WAITS))
			continue;
		if (!sleep_on(lock, value | WAITS, slice))
			continue;
		if (!lives(lock, value & ~WAITS) &&
		    swap(lock, value | WAITS, mine))
			return 0;
		if (slice < SLICE_MOST)
			slice *= 2;
	} while (clock_ms() < until);
	lock->blamed = value & ~WAITS;
	errno = ETIMEDOUT;
	return -1;
}

int
shared_lock_take(struct shared_lock *lock)
{
	if ((lock->me == 0 ||
		lock->births != atomic_load_explicit(&births,
		    memory_order_relaxed)) && sign_in(lock) == -1)
		return -1;
	if (swap(lock, 0, lock->me) || spin(lock))
		return 0;
	return wait_for(lock);
}

void
shared_lock_give(struct shared_lock *lock)
{
	uint32_t value;

	if (swap(lock, lock->me, 0))
		return;
	value = lock->me | WAITS;
	if (swap(lock, value, 0))
		syscall(SYS_futex, lock->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#include "worker/guard.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"

#define STACK_SIZE (128 * 1024)
#define INSISTENCE 5 /* an interpreter may miss a hook that is set in the
			middle of an instruction: it is set again */

static struct {
	pthread_mutex_t lock;
	sem_t wake;
	atomic_bool asleep;   /* the guard waits for `wake` */
	atomic_uint serial;   /* odd: a request is running */
	atomic_llong begun;   /* of that, clock_us() */
	struct guard_options options;
} self = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
tick(void)
{
	const struct timespec pause = { .tv_nsec = GUARD_TICK * 1000000L };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static struct timespec
in(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

/*
 * Sleep until another request begins, at most ms (-1: for ever).  True: the
 * time is over and nothing has begun or ended.  Whoever enters after `asleep`
 * is set posts; who entered before is seen.
 */
static bool
sleep_after(unsigned seen, int64_t ms)
{
	const struct timespec until = in(ms);
	int result;

	atomic_store(&self.asleep, true);
	if (atomic_load(&self.serial) != seen &&
	    atomic_exchange(&self.asleep, false))
		return false;
	do
		result = ms == -1 ? sem_wait(&self.wake) :
				    sem_clockwait(&self.wake, CLOCK_MONOTONIC,
					&until);
	while (result == -1 && errno == EINTR);
	/* It may have been posted just after the time was over. */
	if (result == -1 && !atomic_exchange(&self.asleep, false))
		while (sem_wait(&self.wake) == -1 && errno == EINTR)
			;
	return atomic_load(&self.serial) == seen;
}

/* Only while that request is running; it cannot end meanwhile. */
static void
act(unsigned running, void (*what)(void))
{
	pthread_mutex_lock(&self.lock);
	if (atomic_load(&self.serial) == running)
		what();
	pthread_mutex_unlock(&self.lock);
}

/* Sleep until it has been running for ms.  False: it has ended. */
static bool
reach(unsigned running, int64_t ms)
{
	int64_t left = atomic_load(&self.begun) / 1000 + ms - clock_ms();

	return left <= 0 || sleep_after(running, left);
}

/* False: it has ended. */
static bool
look(unsigned running)
{
	bool again = false;

	do {
		pthread_mutex_lock(&self.lock);
		if (atomic_load(&self.serial) == running)
			again = self.options.look();
		pthread_mutex_unlock(&self.lock);
		if (again && !sleep_after(running, GUARD_TICK))
			return false;
	} while (again);
	return true;
}

/* Its time is over. */
static void
stop(unsigned running)
{
	for (int i = 0; i < INSISTENCE; i++) {
		act(running, self.options.overdue);
		if (!sleep_after(running, GUARD_GRACE / INSISTENCE))
			return;
	}
	act(running, self.options.stuck);
}

/* A request that has been running for a while. */
static void
accompany(unsigned running)
{
	const struct guard_options *options = &self.options;

	act(running, options->late);
	if (options->slow > 0 &&
	    !(reach(running, options->slow) && look(running)))
		return;
	if (options->limit == 0)
		sleep_after(running, -1);
	else if (reach(running, options->limit))
		stop(running);
}

static void *
watch(void *unused)
{
	unsigned before = 0, now;

	(void)unused;
	for (;;) {
		tick();
		now = atomic_load(&self.serial);
		if (now != before)
			before = now;
		else if (now % 2 == 1)
			accompany(now);
		else
			sleep_after(now, -1);
	}
	return NULL;
}

int
guard_start(const struct guard_options *options)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	self.options = *options;
	if (sem_init(&self.wake, 0, 0) == -1)
		return -1;
	pthread_mutex_lock(&self.lock);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, &attributes, watch, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	errno = error;
	return error == 0 ? 0 : -1;
}

void
guard_enter(int64_t begun)
{
	atomic_store_explicit(&self.begun, begun, memory_order_relaxed);
	atomic_fetch_add(&self.serial, 1);
	if (atomic_load(&self.asleep) && atomic_exchange(&self.asleep, false))
		sem_post(&self.wake);
	pthread_mutex_unlock(&self.lock);
}

void
guard_leave(void)
{
	pthread_mutex_lock(&self.lock);
	atomic_fetch_add(&self.serial, 1);
}

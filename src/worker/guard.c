#include "worker/guard.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#define STACK_SIZE (128 * 1024)

static struct {
	pthread_mutex_t lock;
	sem_t wake;
	atomic_bool asleep;   /* the guard waits for `wake` */
	atomic_uint serial;   /* odd: a request is running */
	void (*late)(void);
} self = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
tick(void)
{
	const struct timespec pause = { .tv_nsec = GUARD_TICK * 1000000L };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* Nothing begins or ends: there is nothing to watch until something does.
 * Whoever enters after `asleep` is set posts; who entered before is seen. */
static void
sleep_after(unsigned seen)
{
	atomic_store(&self.asleep, true);
	if (atomic_load(&self.serial) != seen &&
	    atomic_exchange(&self.asleep, false))
		return;
	while (sem_wait(&self.wake) == -1 && errno == EINTR)
		;
}

static void *
watch(void *unused)
{
	unsigned before = 0, now;

	(void)unused;
	for (;;) {
		tick();
		now = atomic_load(&self.serial);
		if (now != before) {
			before = now;
			continue;
		}
		if (now % 2 == 1) {
			pthread_mutex_lock(&self.lock);
			if (atomic_load(&self.serial) == now)
				self.late();
			pthread_mutex_unlock(&self.lock);
		}
		sleep_after(now);
	}
	return NULL;
}

int
guard_start(void (*late)(void))
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	self.late = late;
	if (sem_init(&self.wake, 0, 0) == -1)
		return -1;
	pthread_mutex_lock(&self.lock);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, watch, NULL);
	pthread_attr_destroy(&attributes);
	errno = error;
	return error == 0 ? 0 : -1;
}

void
guard_enter(void)
{
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

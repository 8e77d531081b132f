#include "worker/serve/watchdog.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/clock.h"
#include "base/locale.h"
#include "base/tuning.h"

#define SIGNAL	    (SIGRTMIN + 2) /* wakes the guard */
#define STACK_SIZE  (128 * 1024)
#define CHECK_TICKS 20 /* between two checks, while there are entries */
#define INSISTENCE  5 /* calls of overdue: the interpreter may miss a hook that
			 is set in the middle of an instruction */

static struct {
	pthread_mutex_t lock;
	pthread_t thread;
	sigset_t mask;	      /* of the guard while it sleeps */
	atomic_bool asleep;   /* the guard: the next entry has to wake it */
	atomic_uint serial;   /* odd: an entry is running */
	atomic_llong begun;   /* clock_us() of that entry */
	const struct watchdog_watch *_Atomic watch; /* of that entry */
	atomic_llong limit;   /* of it, in ms; 0: none */
	atomic_bool soft;     /* and whether it may go on beyond that */
	atomic_uint changes;  /* of the limit, ever */
	struct watchdog_options options;
	int64_t until; /* clock_ms() at which the process ends, as the master
			  has gone; -1: it has not */
} self = { .lock = PTHREAD_MUTEX_INITIALIZER, .until = -1 };

static struct timespec
span(int64_t ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
}

/* Take the lock.  False if the main thread has held it until self.until. */
static bool
lock_in_time(void)
{
	const struct timespec until = span(self.until);

	return pthread_mutex_clocklock(&self.lock, CLOCK_MONOTONIC,
	    &until) == 0;
}

/* The master has gone.  Between entries the main thread notices that by itself,
 * so orphaned waits for an entry. */
static void
hung_up(void)
{
	self.until = clock_ms() + self.options.patience;
	self.options.channel = -1;
	if (!lock_in_time()) {
		self.options.end();
		return;
	}
	self.options.orphaned();
	pthread_mutex_unlock(&self.lock);
}

/* Sleep until clock_ms() `due` (-1: no limit), a signal, or the end of the
 * master.  A channel that the application has closed is no longer polled;
 * options.check reports it. */
static void
doze(int64_t due)
{
	const struct timespec rest = span(WATCHDOG_TICK);
	struct pollfd channel = { .fd = self.options.channel };
	struct timespec left;
	int64_t now = clock_ms();
	int n;

	if (self.until != -1 && now >= self.until)
		self.options.end();
	if (self.until != -1 && (due == -1 || due > self.until))
		due = self.until;
	left = span(due > now ? due - now : 0);
	n = ppoll(&channel, 1, due == -1 ? NULL : &left, &self.mask);
	if (n == 1 && (channel.revents & POLLNVAL))
		self.options.channel = -1;
	else if (n == 1)
		hung_up();
	else if (n == -1 && errno != EINTR)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL);
}

enum woken { BY_TIME, BY_ENTRY, BY_CHANGE };

/*
 * Sleep until an entry begins or ends, at most until clock_ms() `due` (-1: no
 * limit), or until the limit has changed more than *changes times (NULL: any
 * change is ignored).  Nothing is missed: what happens after `asleep` is set
 * sends the signal, which stays pending until the next doze; what happened
 * before has changed serial, or changes.
 */
static enum woken
sleep_until(unsigned seen, int64_t due, const unsigned *changes)
{
	enum woken by = BY_TIME;

	for (;;) {
		atomic_store(&self.asleep, true);
		if (atomic_load(&self.serial) != seen)
			by = BY_ENTRY;
		else if (changes != NULL &&
		    atomic_load(&self.changes) != *changes)
			by = BY_CHANGE;
		else if (due == -1 || clock_ms() < due) {
			doze(due);
			continue;
		}
		break;
	}
	atomic_store(&self.asleep, false);
	return by;
}

/* True: the time is over, and no entry has begun or ended since serial was
 * `seen`. */
static bool
sleep_after(unsigned seen, int64_t due)
{
	return sleep_until(seen, due, NULL) == BY_TIME;
}

/* Sleep for a tick.  `asleep` is not set, so quick requests do not wake the
 * guard. */
static void
tick(void)
{
	int64_t due = clock_ms() + WATCHDOG_TICK;

	while (clock_ms() < due)
		doze(due);
}

/* Call what() with the lock if that entry is still running: it cannot end
 * meanwhile. */
static void
act(unsigned running, void (*what)(void))
{
	pthread_mutex_lock(&self.lock);
	if (atomic_load(&self.serial) == running && what != NULL)
		what();
	pthread_mutex_unlock(&self.lock);
}

/* The same, unless the limit that is over has changed. */
static void
enforce(unsigned running, unsigned changes, void (*what)(void))
{
	pthread_mutex_lock(&self.lock);
	if (atomic_load(&self.serial) == running &&
	    atomic_load(&self.changes) == changes && what != NULL)
		what();
	pthread_mutex_unlock(&self.lock);
}

/* Sleep until that entry has been running for ms (0: any time). */
static enum woken
reach(unsigned running, int64_t ms, unsigned changes)
{
	int64_t due = ms > 0 ? atomic_load(&self.begun) / 1000 + ms : -1;

	return sleep_until(running, due, &changes);
}

/* Call at() with the lock, once a tick while it returns true.  False: the entry
 * has ended. */
static bool
look(unsigned running, bool (*at)(void))
{
	bool again = false;

	do {
		pthread_mutex_lock(&self.lock);
		if (atomic_load(&self.serial) == running)
			again = at();
		pthread_mutex_unlock(&self.lock);
		if (again && !sleep_after(running, clock_ms() + WATCHDOG_TICK))
			return false;
	} while (again);
	return true;
}

/* The time of that entry is over: stop it, or end the process; beyond a soft
 * limit leave it.  False: it has ended. */
static bool
stop(unsigned running, const struct watchdog_watch *watch, unsigned changes)
{
	for (int i = 0; i < INSISTENCE && watch->overdue != NULL; i++) {
		enforce(running, changes, watch->overdue);
		switch (sleep_until(running,
		    clock_ms() + tuning.overdue / INSISTENCE, &changes)) {
		case BY_ENTRY:
			return false;
		case BY_CHANGE:
			return true;
		case BY_TIME:
			break;
		}
	}
	if (atomic_load(&self.soft))
		return sleep_until(running, -1, &changes) == BY_CHANGE;
	enforce(running, changes, watch->stuck);
	return true;
}

/* Watch an entry that has been running for a tick, until it ends. */
static void
accompany(unsigned running)
{
	const struct watchdog_watch *watch = atomic_load(&self.watch);
	int64_t slow = watch->slow, limit;
	enum woken by;
	unsigned changes;
	bool looks;

	if (atomic_load(&self.serial) != running)
		return; /* self.watch may be that of another entry */
	act(running, watch->late);
	do {
		changes = atomic_load(&self.changes);
		limit = atomic_load(&self.limit);
		looks = slow > 0 && (limit == 0 || slow < limit);
		by = reach(running, looks ? slow : limit, changes);
		if (by == BY_TIME && looks) {
			slow = 0;
			if (!look(running, watch->look))
				return;
		} else if (by == BY_TIME &&
		    !stop(running, watch, changes)) {
			return;
		}
	} while (by != BY_ENTRY);
}

static void *
watch(void *unused)
{
	unsigned before = 0, now, ticks = 0;
	bool again = false;

	(void)unused;
	locale_ours();
	for (;;) {
		tick();
		now = atomic_load(&self.serial);
		if (now % 2 == 1 && now == before) {
			accompany(now);
		} else if (again || now == before || ++ticks >= CHECK_TICKS) {
			again = self.options.check();
			ticks = 0;
			if (now == before && !again)
				sleep_after(now, -1);
		}
		before = now;
	}
	return NULL;
}

static void
wake(int signo)
{
	(void)signo;
}

/* The guard blocks all signals, so that the main thread gets those of the
 * process; it unblocks SIGNAL only while it sleeps.  *main becomes the mask of
 * the main thread, in which SIGNAL is blocked. */
static void
divide_signals(sigset_t *main)
{
	struct sigaction action = { .sa_handler = wake };
	sigset_t all;

	sigaction(SIGNAL, &action, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, main);
	self.mask = all;
	sigdelset(&self.mask, SIGNAL);
	sigaddset(main, SIGNAL);
}

int
watchdog_start(const struct watchdog_options *options)
{
	pthread_attr_t attributes;
	sigset_t before;
	int error;

	self.options = *options;
	pthread_mutex_lock(&self.lock);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	divide_signals(&before);
	error = pthread_create(&self.thread, &attributes, watch, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	errno = error;
	return error == 0 ? 0 : -1;
}

void
watchdog_enter(const struct watchdog_watch *watch, int64_t begun)
{
	atomic_store_explicit(&self.watch, watch, memory_order_relaxed);
	atomic_store_explicit(&self.begun, begun, memory_order_relaxed);
	atomic_store_explicit(&self.limit, watch->limit, memory_order_relaxed);
	atomic_store_explicit(&self.soft, false, memory_order_relaxed);
	atomic_fetch_add(&self.serial, 1);
	if (atomic_load(&self.asleep) && atomic_exchange(&self.asleep, false))
		pthread_kill(self.thread, SIGNAL);
	pthread_mutex_unlock(&self.lock);
}

void
watchdog_leave(void)
{
	pthread_mutex_lock(&self.lock);
	atomic_fetch_add(&self.serial, 1);
}

struct watchdog_limit
watchdog_limit(void)
{
	return (struct watchdog_limit){ atomic_load(&self.limit),
		atomic_load(&self.soft) };
}

void
watchdog_set_limit(struct watchdog_limit limit)
{
	pthread_mutex_lock(&self.lock);
	atomic_store(&self.limit, limit.ms);
	atomic_store(&self.soft, limit.soft);
	atomic_fetch_add(&self.changes, 1);
	pthread_mutex_unlock(&self.lock);
	if (atomic_load(&self.asleep) && atomic_exchange(&self.asleep, false))
		pthread_kill(self.thread, SIGNAL);
}

int64_t
watchdog_own_limit(void)
{
	return atomic_load(&self.watch)->limit;
}

int64_t
watchdog_elapsed(void)
{
	return (clock_us() - atomic_load(&self.begun)) / 1000;
}

unsigned
watchdog_entry(void)
{
	return atomic_load(&self.serial);
}

#include "worker/net/acceptor.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/sock.h"
#include "worker/net/allow.h"
#include "worker/net/conn.h"
#include "worker/net/handoff.h"
#include "worker/net/poller.h"

#define REST 100 /* ms that a pause lasts */

static struct {
	const struct worker_args *args;
	int wait_set;
	uint64_t key;
	int64_t until; /* clock_ms() at which the pause ends, -1: no pause */
	bool told;     /* a failure to accept has been logged */
	bool opened;   /* acceptor_open has been called */
	bool stays;    /* was marked as leaving, and declined */
	bool ended;    /* the exchange has been shut down */
} self = { .until = -1 };

void
acceptor_init(const struct worker_args *args, int wait_set, uint64_t key)
{
	self.args = args;
	self.wait_set = wait_set;
	self.key = key;
}

static void
withdraw(void)
{
	const struct worker_args *b = self.args;

	for (size_t i = 0; i < b->nlisteners; i++)
		poller_remove(self.wait_set, b->listeners[i]);
	if (b->exchange[0] != -1)
		poller_remove(self.wait_set, b->exchange[0]);
}

static int
attend(void)
{
	const struct worker_args *b = self.args;
	int result = 0;

	for (size_t i = 0; i < b->nlisteners; i++)
		if (!fd_is_shut(b->listeners[i]))
			result |= poller_add(self.wait_set, b->listeners[i],
			    self.key + 1 + i, true);
	if (b->exchange[0] != -1 && !self.ended)
		result |= poller_add(self.wait_set, b->exchange[0], self.key,
		    true);
	return result;
}

/* A client waits that this worker does not take. */
static void
call_others(void)
{
	if (self.args->exchange[1] != -1)
		handoff_nudge(self.args->exchange[1]);
}

/* Pause: what errno says is lacking may be lacking for many turns. */
static void
rest(void)
{
	if (!self.told)
		log_warning("cannot take connections for now: %s",
		    strerror(errno));
	self.told = true;
	withdraw();
	self.until = clock_ms() + REST;
	call_others();
}

static bool
is_leaving(void)
{
	return score_is_leaving(self.args->score);
}

static void
unlock(void)
{
	self.until = -1;
	if (attend() == -1)
		rest();
}

void
acceptor_open(void)
{
	self.opened = true;
	self.stays = is_leaving();
	unlock();
}

void
acceptor_shut(void)
{
	self.until = -1;
	withdraw();
}

/* What is in the queue now.  What arrives meanwhile might never end. */
static void
gather(int listener, unsigned kind)
{
	int fd, n;

	for (n = sock_queue_length(listener); n != 0; n--) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd == -1)
			return;
		sock_hear(fd);
		if (allow_admit(fd))
			conn_park(conn_add(fd, kind), CONN_HEAD);
		else
			close(fd);
	}
}

/*
 * The numbers of the descriptors stay in use, by a socket to which no client
 * can connect: the main thread may be about to use them.  The wait set would
 * go on reporting the listeners, since other processes have them open, so they
 * are removed from it first.
 */
void
acceptor_abandon(void)
{
	int hole = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct worker_args *b = self.args;

	if (b == NULL)
		return; /* before acceptor_init */
	acceptor_shut();
	for (size_t i = 0; i < b->nlisteners; i++) {
		if (self.opened)
			gather(b->listeners[i], b->protocols[i]);
		if (hole == -1 || dup3(hole, b->listeners[i], O_CLOEXEC) == -1)
			close(b->listeners[i]);
	}
	if (hole != -1)
		close(hole);
}

bool
acceptor_passes_on(void)
{
	return !self.stays && is_leaving() && self.args->exchange[1] != -1 &&
	    score_heirs(self.args->score);
}

bool
acceptor_admits(void)
{
	if (!acceptor_passes_on())
		return true;
	/* Otherwise the same client would wake this worker, and it would nudge
	 * the others, again and again until TERM comes. */
	withdraw();
	call_others();
	return false;
}

/* A socket that has been shut down is readable for ever. */
static void
forget_exchange(void)
{
	log_warning("connections can no longer be handed over: the exchange "
	    "has been shut down");
	poller_remove(self.wait_set, self.args->exchange[0]);
	self.ended = true;
}

void
acceptor_failed(void)
{
	if (errno == EPIPE && !self.ended)
		forget_exchange();
	else if (self.until == -1 && (errno == EMFILE || errno == ENFILE ||
	    errno == ENOMEM || errno == ENOBUFS))
		rest();
}

/* The master shuts down what it has told its workers to leave. */
void
acceptor_lose(int listener)
{
	poller_remove(self.wait_set, listener);
	if (is_leaving())
		return;
	log_warning("a socket where it listens has been shut down: another "
	    "worker takes the place of this one");
	worker_say(self.args, WORD_REPLACE);
}

void
acceptor_passed(void)
{
	if (!self.told)
		return;
	self.told = false;
	log_notice("takes connections again");
}

int64_t
acceptor_due(void)
{
	return self.until;
}

void
acceptor_tick(int64_t now)
{
	if (self.until != -1 && self.until <= now)
		unlock();
}

#include "worker/net/hub_client.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sealed.h"
#include "ipc/hub_claim.h"
#include "worker/net/poller.h"

#define RECEIVE	 (64 * 1024)
#define STARTS	 2000 /* ms that a hub may need until it answers */
#define PAUSE	 200	     /* ms until the worker knocks again */
#define MANY	 (32 * 1024) /* bytes of actions that do not wait for the end */
#define OLD	 5	     /* ms; likewise */
#define PATIENCE 5000 /* ms for a hub that takes nothing: it waits for nobody,
			 so it is gone or stopped */
#define KEEP	 (256 * 1024) /* bytes of a buffer that is kept */

static struct {
	int door;
	int wait_set;
	uint64_t key;
	bool wanted; /* hub_client_open was called */
	int fd;	     /* -1: not connected */
	dev_t device; /* by which the application's hands are seen on it */
	ino_t inode;
	bool lost; /* it has closed it, or put something else in its place, or
		      there is no way to the hub any more */
	int64_t knock; /* clock_ms() at which to knock again, 0: never */
	int64_t knocked; /* clock_ms() at which it did */
	struct hub_claim *claim;
	bool greeted; /* the hub has answered */
	bool full;
	bool away;    /* as the hub has been told */
	bool leaves;
	unsigned returns; /* HUB_TAKEN that are to come: work before them was
			     returned, and is dropped */
	bool works; /* between hub_client_next and hub_client_done */
	uint64_t received; /* works, in all */
	size_t at;	   /* bytes of `in` that have been taken */
	struct buf in, out;
	int64_t oldest;	 /* clock_ms() at which the first of `out` came */
	uint64_t prefix; /* of ids, random */
	uint64_t serial;
	/* Records of two threads must not be mixed. */
	pthread_mutex_t writing;
} self = { .door = -1, .fd = -1, .writing = PTHREAD_MUTEX_INITIALIZER };

void
hub_client_init(int door, int wait_set, uint64_t key)
{
	self.door = door;
	self.wait_set = wait_set;
	self.key = key;
	if (getrandom(&self.prefix, sizeof(self.prefix), 0) !=
	    sizeof(self.prefix))
		self.prefix = (uint64_t)clock_us() << 20 ^ (uint64_t)getpid();
}

/* ---- what becomes of its descriptor ----------------------------------------------- */

static bool
is_ours(void)
{
	struct stat st;

	return self.fd == -1 || (fstat(self.fd, &st) == 0 &&
	    st.st_dev == self.device && st.st_ino == self.inode);
}

bool
hub_client_is_whole(void)
{
	bool whole;

	if (pthread_mutex_trylock(&self.writing) != 0)
		return true; /* to be seen the next time */
	whole = !self.lost && is_ours();
	pthread_mutex_unlock(&self.writing);
	return whole;
}

/* With the lock: what is not ours is not closed. */
static void
let_go(void)
{
	if (!is_ours()) {
		self.lost = true;
	} else if (self.fd != -1) {
		poller_remove(self.wait_set, self.fd);
		close(self.fd);
	}
	self.fd = -1;
}

static void
take(int fd)
{
	struct stat st;

	pthread_mutex_lock(&self.writing);
	if (fstat(fd, &st) == 0) {
		self.device = st.st_dev;
		self.inode = st.st_ino;
	}
	self.fd = fd;
	pthread_mutex_unlock(&self.writing);
}

/* ---- connecting -------------------------------------------------------------- */

static void
disconnect(int64_t pause)
{
	pthread_mutex_lock(&self.writing);
	let_go();
	pthread_mutex_unlock(&self.writing);
	self.knock = self.wanted && !self.lost ? clock_ms() + pause : 0;
	self.greeted = self.full = self.away = false;
	self.returns = 0;
	self.received = 0;
	self.at = 0;
	atomic_store(&self.claim->work, 0);
	self.in.len = 0; /* work in hand still points to what was there */
	buf_free(&self.out);
}

/* The page stays the same over all hubs. */
static int
make_claim(void)
{
	int fd = sealed_room("lua-fpm-claim", sizeof(*self.claim));
	void *claim;

	if (fd == -1)
		return -1;
	claim = mmap(NULL, sizeof(*self.claim), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (claim == MAP_FAILED) {
		close(fd);
		return -1;
	}
	if (self.claim != NULL)
		munmap(self.claim, sizeof(*self.claim));
	self.claim = claim;
	return fd;
}

static int
greet(int fd, int claim)
{
	struct buf text = { 0 };
	long n;

	hub_end(&text, hub_begin(&text, HUB_HELLO, 0, HUB_VERSION, 0));
	n = text.failed ? -1 : fd_send(fd, claim, text.data, text.len);
	if (self.leaves && n > 0) {
		buf_clear(&text);
		hub_end(&text, hub_begin(&text, HUB_AWAY, 0, 0, 0));
		n = text.failed ? -1 : fd_send(fd, -1, text.data, text.len);
	}
	buf_free(&text);
	return n == -1 ? -1 : 0;
}

static int
connect_pair(int pair[2])
{
	int claim = make_claim(), result;

	if (claim == -1)
		return -1;
	result = greet(pair[1], claim) == 0 &&
	    fd_send(self.door, pair[0], "knock", 5) == 5 &&
	    poller_add(self.wait_set, pair[1], self.key, false) == 0 ? 0 : -1;
	close(claim);
	return result;
}

static void
knock(void)
{
	int pair[2];

	self.knock = clock_ms() + PAUSE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    pair) == -1)
		return;
	if (connect_pair(pair) == 0) {
		take(pair[1]);
		self.knock = 0;
		self.knocked = clock_ms();
	} else {
		self.lost |= errno == EPIPE; /* the door was shut down */
		close(pair[1]);
	}
	close(pair[0]);
}

void
hub_client_open(void)
{
	if (self.door == -1)
		return;
	self.wanted = true;
	knock();
}

int64_t
hub_client_due(void)
{
	return self.knock == 0 ? -1 : self.knock;
}

void
hub_client_tick(int64_t now)
{
	if (self.knock != 0 && self.knock <= now)
		knock();
}

/* What is sent to a hub that starts waits for it. */
static bool
is_there(void)
{
	return self.fd != -1 &&
	    (self.greeted || clock_ms() - self.knocked < STARTS);
}

bool
hub_client_takes(void)
{
	return is_there() && !self.full;
}

/* ---- sending ------------------------------------------------------------------- */

/* Send it all, waiting for the hub if need be.  A hub that takes nothing at all
 * is given up. */
static int
send_all(const char *data, size_t n, int fd)
{
	struct pollfd p = { .fd = self.fd, .events = POLLOUT };
	int result = 0;
	long sent;

	pthread_mutex_lock(&self.writing);
	while (n > 0) {
		sent = fd_send(self.fd, fd, data, n);
		if (sent > 0) {
			fd = -1; /* it went along with the first byte */
			data += sent;
			n -= (size_t)sent;
		} else if (errno != EAGAIN || poll(&p, 1, PATIENCE) == 0) {
			result = -1;
			break;
		}
	}
	pthread_mutex_unlock(&self.writing);
	return result;
}

static int
flush(void)
{
	int result;

	if (self.out.len == 0)
		return 0;
	result = self.out.failed ? -1 :
	    send_all(self.out.data, self.out.len, -1);
	if (self.out.cap > KEEP)
		buf_free(&self.out);
	buf_clear(&self.out);
	if (result == -1)
		disconnect(PAUSE);
	return result;
}

struct buf *
hub_client_actions(void)
{
	return &self.out;
}

int
hub_client_act(void)
{
	int64_t now;

	if (!is_there() && !self.works) /* it may have answered meanwhile */
		hub_client_receive();
	if (!is_there()) {
		buf_clear(&self.out);
		errno = ENOTCONN;
		return -1;
	}
	if (!self.works)
		return flush();
	now = clock_ms();
	if (self.oldest == 0)
		self.oldest = now;
	if (self.out.len < MANY && now - self.oldest < OLD)
		return 0;
	self.oldest = now;
	return flush();
}

uint64_t
hub_client_id(void)
{
	uint64_t x = self.prefix + ++self.serial * UINT64_C(0x9e3779b97f4a7c15);

	/* Mixed, so that ids tell nothing of each other. */
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

int
hub_client_hand_over(const struct hub_handover *s)
{
	struct buf record = { 0 };
	size_t begun;
	int result = -1;

	begun = hub_begin(&record, HUB_OPEN, s->tells ? HUB_WANTS_CLOSE : 0, 0,
	    s->id);
	hub_part(&record, s->answer.data, s->answer.len);
	hub_part(&record, s->input.data, s->input.len);
	hub_part(&record, s->session.data, s->session.len);
	hub_part(&record, s->context.data, s->context.len);
	hub_end(&record, begun);
	if (s->first != NULL)
		buf_add(&record, s->first->data, s->first->len);
	errno = record.failed ? ENOMEM : ENOTCONN;
	if (!record.failed && hub_client_takes() && flush() == 0)
		result = send_all(record.data, record.len, s->fd);
	buf_free(&record);
	return result;
}

/* ---- work ---------------------------------------------------------------------- */

void
hub_client_receive(void)
{
	char *room;
	long n;

	if (self.fd == -1)
		return;
	buf_consume(&self.in, self.at);
	self.at = 0;
	room = buf_reserve(&self.in, RECEIVE);
	if (room == NULL) {
		disconnect(PAUSE);
		return;
	}
	n = fd_receive_bytes(self.fd, room, RECEIVE);
	if (n > 0)
		self.in.len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		disconnect(0);
	/* The answer to the greeting is told before anybody asks for work. */
	if (self.fd != -1 && !self.greeted && self.in.len >= HUB_HEAD) {
		self.greeted = true;
		self.full = self.in.data[4] == HUB_FULL;
	}
}

/* True if the record is a piece of work; else it has been heeded. */
static bool
is_work(struct hub_record *r, struct hub_job *job)
{
	*job = (struct hub_job){ .ended = r->type == HUB_CLOSED,
		.kind = r->kind, .code = r->code, .id = r->id };
	switch (r->type) {
	case HUB_FULL:
	case HUB_ROOM:
		self.full = r->type == HUB_FULL;
		return false;
	case HUB_TAKEN:
		self.returns -= self.returns > 0;
		return false;
	case HUB_MESSAGE:
	case HUB_CLOSED:
		self.received++;
		return self.returns == 0 && hub_take_part(r, &job->context) &&
		    hub_take_part(r, &job->session) &&
		    hub_take_part(r, &job->data);
	default:
		return false;
	}
}

bool
hub_client_next(struct hub_job *job)
{
	struct hub_record record;
	size_t need;
	long n;

	while ((n = hub_take(self.in.data + self.at, self.in.len - self.at,
		    &record, &need)) > 0) {
		self.at += (size_t)n;
		if (!is_work(&record, job))
			continue;
		self.works = true;
		self.oldest = 0;
		atomic_store(&self.claim->work, self.received);
		return true;
	}
	if (n == -1) {
		log_warning("the hub says what is no record");
		disconnect(PAUSE);
	}
	return false;
}

void
hub_client_done(bool failed)
{
	self.works = false;
	if (self.fd == -1)
		return;
	if (failed)
		buf_clear(&self.out);
	hub_end(&self.out, hub_begin(&self.out, failed ? HUB_FAILED : HUB_DONE,
	    0, 0, self.received));
	flush();
}

/* Of the work that was received, the one in hand, or else the last one, is
 * begun. */
void
hub_client_late(void)
{
	struct buf text = { 0 };

	hub_end(&text, hub_begin(&text, HUB_AWAY, 0, 0, 0));
	hub_end(&text, hub_begin(&text, HUB_RETURN, 0, 0, self.received + 1));
	pthread_mutex_lock(&self.writing);
	if (self.fd != -1 && self.greeted && !self.away && !text.failed &&
	    fd_send(self.fd, -1, text.data, text.len) == (long)text.len) {
		self.away = true;
		self.returns++;
	}
	pthread_mutex_unlock(&self.writing);
	buf_free(&text);
}

void
hub_client_back(void)
{
	if (!self.away || self.leaves || self.fd == -1)
		return;
	self.away = false;
	hub_end(&self.out, hub_begin(&self.out, HUB_BACK, 0, 0, 0));
	flush();
}

void
hub_client_leave(void)
{
	self.leaves = true;
	hub_client_late();
}

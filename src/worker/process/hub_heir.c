#include "worker/process/hub_heir.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/sealed.h"
#include "ipc/hub_record.h"

#define OTHERS 128	 /* descriptors of a hub besides those it is given */
#define MOST   (1 << 24) /* that it can be given */

enum { /* the first byte of what the new one says */
	ASKS = 'A',
	TOOK = 'T',
	REFUSES = 'R', /* the reason follows */
};

struct given { /* the first thing that the old one sends, with the memory */
	uint64_t nfds; /* follow, each in a message */
};

struct refusal {
	char word;
	int32_t version; /* HUB_VERSION of the new one */
	char reason[200];
};

/* False: the time is over. */
static bool
await(int fd, short events, int64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = until - clock_ms();

	return left > 0 && (poll(&p, 1, (int)left) != 0 || errno == EINTR);
}

/* ---- giving ---------------------------------------------------------------------- */

bool
hub_heir_asks(int heir)
{
	char word = 0;

	return fd_receive_bytes(heir, &word, 1) == 1 && word == ASKS;
}

static int
send_one(int heir, int fd, const void *data, size_t n, int64_t until)
{
	while (fd_send(heir, fd, data, n) == -1)
		if ((errno != EAGAIN && errno != ETOOMANYREFS) ||
		    !await(heir, POLLOUT, until))
			return -1;
	return 0;
}

static int
send_all(int heir, const struct buf *text, const struct hub_fds *fds,
    int64_t until)
{
	struct given given = { .nfds = fds->n };
	int memory = sealed_make("lua-fpm-hub-state", text);
	int result = memory == -1 ? -1 :
	    send_one(heir, memory, &given, sizeof(given), until);

	fd_close(&memory);
	for (size_t i = 0; result == 0 && i < fds->n; i++)
		result = send_one(heir, fds->fd[i], "fd", 2, until);
	return result;
}

static enum hub_heir
judge_answer(const struct refusal *said, long n, struct why *why)
{
	size_t head = offsetof(struct refusal, reason);

	if (n > 0 && said->word == TOOK)
		return HUB_HEIR_TOOK;
	if (n <= (long)head || said->word != REFUSES) {
		why_set(why, "%s", n == 0 ? "it has ended" :
		    "it does not answer");
		return HUB_HEIR_KEPT;
	}
	why_set(why, "%.*s", (int)((size_t)n - head), said->reason);
	return said->version == HUB_VERSION ? HUB_HEIR_KEPT : HUB_HEIR_ALIENS;
}

/* Whatever the new one says after the pair is shut down fails there, so that one
 * of the two serves, never both. */
static enum hub_heir
hear_answer(int heir, int64_t until, struct why *why)
{
	struct refusal said = { 0 };
	long n = -1;

	while (n == -1 && await(heir, POLLIN, until)) {
		n = fd_receive_bytes(heir, &said, sizeof(said));
		if (n == -1 && errno != EAGAIN)
			n = 0;
	}
	shutdown(heir, SHUT_RDWR);
	if (n == -1)
		n = fd_receive_bytes(heir, &said, sizeof(said));
	return judge_answer(&said, n, why);
}

enum hub_heir
hub_heir_give(int heir, const struct hub *hub, struct why *why)
{
	int64_t until = clock_ms() + HUB_HEIR_PATIENCE;
	struct hub_fds fds = { 0 };
	struct buf text = { 0 };
	enum hub_heir result = HUB_HEIR_KEPT;

	if (hub_pass(hub, &text, &fds) == -1) {
		why_set(why, "%s", strerror(errno));
	} else {
		/* One that does not take all of it may have said why. */
		if (send_all(heir, &text, &fds, until) == -1)
			until = 0;
		result = hear_answer(heir, until, why);
	}
	hub_fds_free(&fds);
	buf_free(&text);
	return result;
}

/* ---- taking ----------------------------------------------------------------------- */

/* There may be more sockets than are allowed from now on. */
static void
fit_files(uint64_t n)
{
	struct rlimit limit;
	rlim_t wanted = n + OTHERS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static long
receive_one(int from, int *fd, void *data, size_t n, int64_t until)
{
	long got = -1;

	errno = EAGAIN;
	while (got == -1 && errno == EAGAIN && await(from, POLLIN, until))
		got = fd_receive(from, fd, data, n);
	return got;
}

static int
receive_fds(int from, uint64_t n, struct hub_fds *fds, int64_t until)
{
	char text[4];
	int fd = -1;

	fds->fd = reallocarray(NULL, n + 1, sizeof(*fds->fd));
	if (fds->fd == NULL)
		return -1;
	while (fds->n < n) {
		if (receive_one(from, &fd, text, sizeof(text), until) < 1)
			return -1;
		if (fd == -1) {
			errno = EPROTO;
			return -1;
		}
		fds->fd[fds->n++] = fd;
	}
	return 0;
}

int
hub_heir_take(int from, struct buf *text, struct hub_fds *fds,
    struct why *why)
{
	int64_t until = clock_ms() + HUB_HEIR_PATIENCE;
	struct given given;
	int memory = -1, result;
	long n;

	if (fd_send(from, -1, (char[]){ ASKS }, 1) != 1 ||
	    (n = receive_one(from, &memory, &given, sizeof(given), until)) !=
		sizeof(given)) {
		fd_close(&memory);
		why_set(why, "the one that has them does not give them");
		return -1;
	}
	if (given.nfds > MOST)
		given.nfds = MOST;
	fit_files(given.nfds);
	result = receive_fds(from, given.nfds, fds, until);
	if (result == 0)
		result = sealed_read(memory, text);
	if (result == -1)
		why_set(why, "they do not come over: %s", strerror(errno));
	fd_close(&memory);
	return result;
}

int
hub_heir_accept(int from, struct why *why)
{
	if (fd_send(from, -1, (char[]){ TOOK }, 1) == 1)
		return 0;
	why_set(why, "the one that had them has gone on: %s",
	    strerror(errno));
	return -1;
}

void
hub_heir_refuse(int from, const char *reason)
{
	struct refusal said = { .word = REFUSES, .version = HUB_VERSION };
	size_t n = strnlen(reason, sizeof(said.reason) - 1) + 1;

	memcpy(said.reason, reason, n - 1);
	fd_send(from, -1, &said, offsetof(struct refusal, reason) + n);
}

#include "ctl/fpm/fpm_client.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "ctl/fpm/fpm_text.h"

#define ANSWER_MOST (64 << 20) /* bytes; 3000 workers make some 3 MB */
#define LINE_MOST   1024       /* bytes, where a line is the answer */
#define LAST_CHANCE 1000       /* ms */

struct talk {
	const char *socket;
	const struct fpm_question *question;
	int fd;
	int64_t begun;
	int64_t deadline; /* clock_ms(): for the complete answer */
	int64_t silence;  /* clock_ms(): for the next sign of life */
	struct buf *all;
	struct why *why;
};

static int64_t
after(int64_t begin, int64_t ms)
{
	return ms >= INT64_MAX - begin ? INT64_MAX : begin + ms;
}

static enum fpm_verdict
late(const struct talk *t)
{
	char text[FPM_TEXT];

	why_set(t->why, "no answer from lua-fpm at %s in %s", t->socket,
	    fpm_duration((clock_ms() - t->begun) * 1000, text));
	return FPM_LATE;
}

/* ---- the connection ------------------------------------------------------ */

/* Limit how long connect(2) waits for room in a full queue. */
static void
limit_connect(const struct talk *t)
{
	int64_t until = num_least(t->deadline, t->silence);
	int64_t ms = num_least(until - t->begun, INT_MAX);
	const struct timeval limit = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	setsockopt(t->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static enum fpm_verdict
reach(struct talk *t)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(t->socket) >= sizeof(address.sun_path)) {
		why_set(t->why, "the path of the socket is too long: %s",
		    t->socket);
		return FPM_AWAY;
	}
	strcpy(address.sun_path, t->socket);
	t->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->fd != -1) {
		limit_connect(t);
		if (connect(t->fd, (struct sockaddr *)&address,
			sizeof(address)) == 0)
			return FPM_ANSWERED;
		if (errno == EAGAIN)
			return late(t);
	}
	why_set(t->why, "cannot reach lua-fpm at %s: %s", t->socket,
	    strerror(errno));
	return FPM_AWAY;
}

/* ---- the answer ---------------------------------------------------------- */

static bool
answers_ping(const char *socket)
{
	static const struct fpm_question ping = { .line = "ping\n" };
	struct fpm_answer answer;

	if (fpm_ask(socket, &ping, &answer, NULL) != FPM_ANSWERED)
		return false;
	buf_free(&answer.text);
	return true;
}

/* 1: there is something to read, or room to write; 0: not in time. */
static int
wait_until(const struct talk *t, short events, int64_t until)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	int64_t left;
	int n;

	do {
		left = until == INT64_MAX ? -1 : until - clock_ms();
		if (until != INT64_MAX && left < 0)
			left = 0;
		n = poll(&p, 1, (int)num_least(left, INT_MAX));
	} while (n == -1 && errno == EINTR);
	return n != 0;
}

/* Wait for more of the answer.  An outcome may take any time while the daemon
 * answers pings; if it does not, its last answer may still be on its way. */
static enum fpm_verdict
wait_for_more(struct talk *t)
{
	for (;;) {
		if (wait_until(t, POLLIN, num_least(t->deadline, t->silence)))
			return FPM_ANSWERED;
		if (clock_ms() >= t->deadline || t->all->len > 0)
			return late(t);
		if (!answers_ping(t->socket))
			return wait_until(t, POLLIN, num_least(t->deadline,
			    clock_ms() + LAST_CHANCE)) ? FPM_ANSWERED :
			    late(t);
		t->silence = clock_ms() + FPM_PATIENCE;
	}
}

static enum fpm_verdict
broken(const struct talk *t, int error)
{
	why_set(t->why, "no answer from lua-fpm: %s", strerror(error));
	return FPM_AWAY;
}

/* ECONNRESET is no failure: a daemon that refuses us may answer and close
 * without reading the question. */
static enum fpm_verdict
receive(struct talk *t)
{
	enum fpm_verdict verdict;
	size_t most = t->question->more != NULL ? LINE_MOST : ANSWER_MOST;
	ssize_t n = 1;
	char *room;

	while (n > 0) {
		if ((verdict = wait_for_more(t)) != FPM_ANSWERED)
			return verdict;
		if (t->all->len >= most)
			return broken(t, EMSGSIZE);
		if ((room = buf_reserve(t->all, 65536)) == NULL)
			return broken(t, ENOMEM);
		n = recv(t->fd, room, 65536, MSG_DONTWAIT);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			n = 1;
			continue;
		}
		if (n > 0 && t->all->len == 0 && t->deadline == INT64_MAX &&
		    t->question->limit != FPM_NONE)
			t->deadline = clock_ms() + FPM_PATIENCE;
		if (n > 0)
			t->all->len += (size_t)n;
	}
	return n == 0 || errno == ECONNRESET ? FPM_ANSWERED :
	    broken(t, errno);
}

static bool
starts(const struct buf *all, const char *word)
{
	size_t n = strlen(word);

	return all->len >= n && memcmp(all->data, word, n) == 0;
}

static enum fpm_verdict
judge(struct fpm_answer *answer, struct why *why)
{
	answer->good = starts(&answer->text, "ok\n");
	if (!answer->good && !starts(&answer->text, "failed\n")) {
		why_set(why, "lua-fpm went away without an answer");
		return FPM_AWAY;
	}
	buf_consume(&answer->text, answer->good ? 3 : 7);
	if (buf_string(&answer->text) != NULL)
		return FPM_ANSWERED;
	why_set(why, "%s", strerror(ENOMEM));
	return FPM_AWAY;
}

/* ---- the question -------------------------------------------------------- */

static enum fpm_verdict
transmit(const struct talk *t, const char *data, size_t n)
{
	ssize_t sent;

	while (n > 0) {
		sent = send(t->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent == -1 && errno != EAGAIN && errno != EINTR)
			break; /* the answer says why */
		if (sent == -1 && !wait_until(t, POLLOUT, t->deadline))
			return late(t);
		if (sent > 0) {
			data += sent;
			n -= (size_t)sent;
		}
	}
	return FPM_ANSWERED;
}

static enum fpm_verdict
transmit_question(const struct talk *t)
{
	const struct fpm_question *q = t->question;
	enum fpm_verdict verdict = transmit(t, q->line, strlen(q->line));

	if (q->more == NULL || verdict != FPM_ANSWERED)
		return verdict;
	verdict = transmit(t, q->more->data, q->more->len);
	shutdown(t->fd, SHUT_WR);
	return verdict;
}

enum fpm_verdict
fpm_ask(const char *socket, const struct fpm_question *question,
    struct fpm_answer *answer, struct why *why)
{
	struct talk t = { .socket = socket, .question = question, .fd = -1,
		.begun = clock_ms(), .all = &answer->text, .why = why };
	enum fpm_verdict verdict;

	*answer = (struct fpm_answer){ 0 };
	t.silence = question->limit != FPM_USUAL ? INT64_MAX :
	    t.begun + FPM_PATIENCE;
	t.deadline = question->limit != FPM_USUAL ?
	    after(t.begun, question->limit) :
	    question->outcome ? INT64_MAX : t.silence;
	verdict = reach(&t);
	if (verdict == FPM_ANSWERED) {
		verdict = transmit_question(&t);
		if (verdict == FPM_ANSWERED)
			verdict = receive(&t);
	}
	fd_close(&t.fd);
	if (verdict == FPM_ANSWERED)
		verdict = judge(answer, why);
	if (verdict != FPM_ANSWERED)
		buf_free(&answer->text);
	return verdict;
}

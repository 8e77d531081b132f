#include "ipc/exchange.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fd_leave.h"
#include "base/log.h"
#include "ipc/record.h"

#define WIDE   (1 << 26) /* bytes; unused room costs nothing */
#define NUMBER 64	 /* bytes of a record that holds one, at most */
#define ROUND  64	 /* messages in one call of exchange_note_waiting */
#define TRIES  20	 /* to put one back, 1 ms apart */

void
exchange_widen(int exchange)
{
	int size = WIDE;

	if (setsockopt(exchange, SOL_SOCKET, SO_SNDBUFFORCE, &size,
	    sizeof(size)) == -1)
		setsockopt(exchange, SOL_SOCKET, SO_SNDBUF, &size,
		    sizeof(size));
}

/* Append the time to the n bytes of a message that has none.  Returns the new
 * length. */
static size_t
note_time(char *message, size_t n, int64_t now)
{
	const struct record whole = { .value = message, .len = n };
	struct buf time = { 0 };
	struct record since;

	if (n < 2 || record_find(&whole, "since", &since))
		return n;
	record_put_number(&time, "since", now);
	if (!time.failed && time.len <= NUMBER) {
		memcpy(message + n, time.data, time.len);
		n += time.len;
	}
	buf_free(&time);
	return n;
}

static void
put_back(int exchange, int fd, const char *message, size_t n)
{
	for (int i = 0; fd_send(exchange, fd, message, n) == -1; i++) {
		if (i == TRIES) {
			log_warning("a connection is lost on its way to "
			    "another worker: %s", strerror(errno));
			return;
		}
		poll(NULL, 0, 1);
	}
}

void
exchange_note_waiting(const int exchange[2], int64_t now)
{
	static char message[EXCHANGE_MESSAGE + NUMBER];
	int fds[ROUND];
	size_t i = 0, n;
	ino_t first = 0; /* of the first connection: it marks the end of a
			    round */
	struct stat st = { 0 };
	bool again = false;
	long got;

	for (; i < ROUND && !again && fd_has_room(exchange[0]); i++) {
		got = fd_receive_leaving(exchange[0], &fds[i], message,
		    EXCHANGE_MESSAGE);
		if (got <= 0)
			break;
		n = (size_t)got;
		if (fds[i] != -1 && fd_is_readable(fds[i]))
			n = note_time(message, n, now);
		put_back(exchange[1], fds[i], message, n);
		if (fds[i] == -1)
			continue;
		fstat(fds[i], &st);
		again = st.st_ino == first;
		if (first == 0)
			first = st.st_ino;
	}
	fd_leave(fds, i);
}

bool
exchange_has_room(int exchange)
{
	struct pollfd p = { .fd = exchange, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

int
exchange_give_fresh(int exchange, int fd, enum sock_protocol protocol,
    int64_t since)
{
	struct buf message = { 0 };
	long sent = -1;
	int error = ENOMEM;

	record_put_number(&message, "handoff", HANDOFF_VERSION);
	record_put_text(&message, "protocol",
	    sock_protocol_name(protocol));
	record_put_number(&message, "fresh", 1);
	if (since > 0)
		record_put_number(&message, "since", since);
	if (!message.failed) {
		sent = fd_send(exchange, fd, message.data, message.len);
		error = errno;
	}
	buf_free(&message);
	errno = error;
	return sent == -1 ? -1 : 0;
}

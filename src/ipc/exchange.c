#include "ipc/exchange.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>

#include "base/fd.h"
#include "ipc/record.h"

#define WIDE (1 << 26) /* bytes; unused room costs nothing */

void
exchange_widen(int exchange)
{
	int size = WIDE;

	if (setsockopt(exchange, SOL_SOCKET, SO_SNDBUFFORCE, &size,
	    sizeof(size)) == -1)
		setsockopt(exchange, SOL_SOCKET, SO_SNDBUF, &size,
		    sizeof(size));
}

bool
exchange_has_room(int exchange)
{
	struct pollfd p = { .fd = exchange, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

int
exchange_give_fresh(int exchange, int fd)
{
	struct buf message = { 0 };
	long sent = -1;
	int error = ENOMEM;

	record_put_number(&message, "handoff", HANDOFF_VERSION);
	record_put_text(&message, "protocol", "fcgi");
	record_put_number(&message, "fresh", 1);
	if (!message.failed) {
		sent = fd_send(exchange, fd, message.data, message.len);
		error = errno;
	}
	buf_free(&message);
	errno = error;
	return sent == -1 ? -1 : 0;
}

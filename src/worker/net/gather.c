#include "worker/net/gather.h"

#include <sys/socket.h>

void
gather_clear(struct gather *g)
{
	g->n = 0;
	g->used = 0;
	g->borrowed = false;
}

bool
gather_has_room(const struct gather *g, size_t n)
{
	return n <= GATHER_BUFFER - g->used && g->n + 2 <= GATHER_PIECES;
}

static void
add_piece(struct gather *g, const void *data, size_t n)
{
	struct iovec *last = g->n > 0 ? &g->piece[g->n - 1] : NULL;

	if (last != NULL && (char *)last->iov_base + last->iov_len == data)
		last->iov_len += n;
	else
		g->piece[g->n++] = (struct iovec){ (void *)data, n };
}

unsigned char *
gather_take(struct gather *g, size_t n)
{
	unsigned char *room = g->buffer + g->used;

	add_piece(g, room, n);
	g->used += n;
	return room;
}

void
gather_borrow(struct gather *g, const void *data, size_t n)
{
	add_piece(g, data, n);
	g->borrowed = true;
}

size_t
gather_length(const struct gather *g)
{
	size_t sum = 0;

	for (int i = 0; i < g->n; i++)
		sum += g->piece[i].iov_len;
	return sum;
}

ssize_t
gather_send(int fd, struct iovec *piece, int n, int flags)
{
	const struct msghdr message = { .msg_iov = piece,
		.msg_iovlen = (size_t)n };

	if (n == 1)
		return send(fd, piece->iov_base, piece->iov_len,
		    MSG_NOSIGNAL | flags);
	return sendmsg(fd, &message, MSG_NOSIGNAL | flags);
}

int
gather_skip(struct iovec *piece, size_t sent)
{
	int i = 0;

	for (; sent > 0 && sent >= piece[i].iov_len; i++)
		sent -= piece[i].iov_len;
	if (sent > 0) {
		piece[i].iov_base = (char *)piece[i].iov_base + sent;
		piece[i].iov_len -= sent;
	}
	return i;
}

#include "hub/hub_frame.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECES 64  /* frames that leave in one call */
#define BLOCK  512 /* places that are allocated at a time */

struct hub_node {
	struct hub_frame *frame;
	struct hub_node *next;
};

struct hub_block {
	struct hub_block *next;
	struct hub_node nodes[BLOCK];
};

/* ---- frames ----------------------------------------------------------------- */

static struct hub_frame *
make(struct hub_pile *pile, size_t len)
{
	struct hub_frame *frame = malloc(sizeof(*frame) + len);

	if (frame == NULL)
		return NULL;
	frame->refs = 1;
	frame->number = 0;
	frame->len = (uint32_t)len;
	frame->pile = pile;
	pile->bytes += sizeof(*frame) + len;
	return frame;
}

struct hub_frame *
hub_frame_raw(struct hub_pile *pile, const void *bytes, size_t len)
{
	struct hub_frame *frame = make(pile, len);

	if (frame != NULL && len > 0)
		memcpy(frame->bytes, bytes, len);
	return frame;
}

struct hub_frame *
hub_frame_new(struct hub_pile *pile, enum ws_opcode opcode,
    const void *payload, size_t len)
{
	unsigned char header[WS_HEADER];
	size_t n = ws_put_header(header, opcode, true, len, NULL);
	struct hub_frame *frame = make(pile, n + len);

	if (frame == NULL)
		return NULL;
	memcpy(frame->bytes, header, n);
	if (len > 0)
		memcpy(frame->bytes + n, payload, len);
	return frame;
}

void
hub_frame_drop(struct hub_frame *frame)
{
	if (--frame->refs > 0)
		return;
	frame->pile->bytes -= sizeof(*frame) + frame->len;
	free(frame);
}

/* ---- queues ----------------------------------------------------------------- */

static struct hub_node *
take_node(struct hub_pile *pile)
{
	struct hub_block *block;
	struct hub_node *node;

	if (pile->spare == NULL) {
		block = malloc(sizeof(*block));
		if (block == NULL)
			return NULL;
		block->next = pile->blocks;
		pile->blocks = block;
		for (size_t i = 0; i < BLOCK; i++) {
			block->nodes[i].next = pile->spare;
			pile->spare = &block->nodes[i];
		}
	}
	node = pile->spare;
	pile->spare = node->next;
	return node;
}

int
hub_out_add(struct hub_out *out, struct hub_pile *pile,
    struct hub_frame *frame)
{
	struct hub_node *node = take_node(pile);

	if (node == NULL)
		return -1;
	node->frame = frame;
	node->next = NULL;
	frame->refs++;
	if (out->first == NULL)
		out->first = node;
	else
		out->last->next = node;
	out->last = node;
	out->bytes += frame->len;
	return 0;
}

static void
drop_first(struct hub_out *out, struct hub_pile *pile)
{
	struct hub_node *node = out->first;

	out->first = node->next;
	out->sent = 0;
	hub_frame_drop(node->frame);
	node->next = pile->spare;
	pile->spare = node;
}

/* So many bytes have been sent. */
static void
pass(struct hub_out *out, struct hub_pile *pile, size_t n)
{
	size_t left;

	out->bytes -= (uint32_t)n;
	while (out->first != NULL &&
	    n >= (left = out->first->frame->len - out->sent)) {
		drop_first(out, pile);
		n -= left;
	}
	out->sent += (uint32_t)n;
}

static int
gather(const struct hub_out *out, struct iovec piece[PIECES])
{
	int n = 0;
	size_t skip = out->sent;

	for (const struct hub_node *node = out->first;
	     node != NULL && n < PIECES; node = node->next, n++) {
		piece[n].iov_base = node->frame->bytes + skip;
		piece[n].iov_len = node->frame->len - skip;
		skip = 0;
	}
	return n;
}

/* A frame that is alone, as most are, leaves by the quicker call. */
static ssize_t
send_some(const struct hub_out *out, int fd)
{
	const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
	const struct hub_frame *frame = out->first->frame;
	struct iovec piece[PIECES];
	struct msghdr message = { .msg_iov = piece };

	if (out->first->next == NULL)
		return send(fd, frame->bytes + out->sent,
		    frame->len - out->sent, flags);
	message.msg_iovlen = (size_t)gather(out, piece);
	return sendmsg(fd, &message, flags);
}

int
hub_out_flush(struct hub_out *out, struct hub_pile *pile, int fd)
{
	ssize_t n;

	while (out->first != NULL) {
		n = send_some(out, fd);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
		pass(out, pile, (size_t)n);
	}
	return 1;
}

void
hub_out_clear(struct hub_out *out, struct hub_pile *pile)
{
	while (out->first != NULL)
		drop_first(out, pile);
	out->bytes = 0;
}

void
hub_out_each(const struct hub_out *out,
    void (*take)(void *arg, struct hub_frame *frame), void *arg)
{
	for (const struct hub_node *node = out->first; node != NULL;
	     node = node->next)
		take(arg, node->frame);
}

bool
hub_out_resume(struct hub_out *out, size_t sent)
{
	if (sent > 0 && (out->first == NULL || sent >= out->first->frame->len))
		return false;
	out->sent = (uint32_t)sent;
	out->bytes -= (uint32_t)sent;
	return true;
}

void
hub_pile_free(struct hub_pile *pile)
{
	struct hub_block *block;

	while ((block = pile->blocks) != NULL) {
		pile->blocks = block->next;
		free(block);
	}
	pile->spare = NULL;
}

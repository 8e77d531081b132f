#ifndef HUB_HUB_FRAME_H
#define HUB_HUB_FRAME_H

/*
 * What waits to be sent: frames, encoded once and shared by all the sockets that
 * get them, as those of a server are not masked (RFC 6455, 5.1); and the queue of
 * a socket.  All that waits in it leaves in one system call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ws_frame.h"

struct hub_frame {
	uint32_t refs;
	uint32_t len; /* encoded */
	uint32_t number; /* in what hub_pass wrote last */
	struct hub_pile *pile;
	unsigned char bytes[];
};

struct hub_node; /* a place in a queue */

struct hub_pile { /* all that is allocated, to be counted */
	size_t bytes;
	struct hub_node *spare;
	struct hub_block *blocks;
};

struct hub_out { /* of one socket, all zero at first */
	struct hub_node *first, *last;
	uint32_t sent;	/* of the first one */
	uint32_t bytes; /* in all, without those */
};

/* Encode a frame with its payload; or take bytes as they are.  The caller has a
 * reference.  NULL without memory. */
struct hub_frame *hub_frame_new(struct hub_pile *pile, enum ws_opcode opcode,
    const void *payload, size_t len);
struct hub_frame *hub_frame_raw(struct hub_pile *pile, const void *bytes,
    size_t len);
void hub_frame_drop(struct hub_frame *frame);

/* Queue a frame, with a reference of its own.  0, or -1 without memory. */
int hub_out_add(struct hub_out *out, struct hub_pile *pile,
    struct hub_frame *frame);

/* Send as much as fd takes, without waiting.  1: all is sent; 0: it takes no
 * more now; -1 with errno. */
int hub_out_flush(struct hub_out *out, struct hub_pile *pile, int fd);

/* Forget what waits. */
void hub_out_clear(struct hub_out *out, struct hub_pile *pile);

/* For another process: call `take` with each frame that waits, the first of
 * which may have been sent in part.  There, once all are queued: that many bytes
 * of the first one have been sent.  False: it has no more. */
void hub_out_each(const struct hub_out *out,
    void (*take)(void *arg, struct hub_frame *frame), void *arg);
bool hub_out_resume(struct hub_out *out, size_t sent);

/* Give the memory back; nothing waits any more. */
void hub_pile_free(struct hub_pile *pile);

#endif

#ifndef WORKER_NET_GATHER_H
#define WORKER_NET_GATHER_H

/*
 * Collects what is to be sent with one sendmsg(2): short pieces are copied into
 * a buffer, long ones stay where they are.  Runs in the worker.
 */

#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>

#define GATHER_BUFFER 16384 /* bytes */
#define GATHER_PIECES 128   /* of one sendmsg(2), far below IOV_MAX */
#define GATHER_SHORT  512   /* bytes that are cheaper to copy than to point
			     * at */

struct gather {
	struct iovec piece[GATHER_PIECES]; /* to be sent, in order */
	int n;	       /* pieces in use */
	size_t used;   /* bytes of the buffer in use */
	bool borrowed; /* some pieces lie in the caller's memory */
	unsigned char buffer[GATHER_BUFFER];
};

/* Forget what was collected. */
void gather_clear(struct gather *g);

/* True if n bytes of the buffer are free, and two pieces. */
bool gather_has_room(const struct gather *g, size_t n);

/* Add n bytes of the buffer, for which there is room; the caller fills them
 * in. */
unsigned char *gather_take(struct gather *g, size_t n);

/* Add n bytes where they are.  There is room for a piece. */
void gather_borrow(struct gather *g, const void *data, size_t n);

/* How many bytes have been added. */
size_t gather_length(const struct gather *g);

/* Send n pieces, with one call: send(2) or sendmsg(2), whose result it is.
 * flags as theirs; MSG_NOSIGNAL is added. */
ssize_t gather_send(int fd, struct iovec *piece, int n, int flags);

/* Skip `sent` bytes of an array of pieces: the index of the first that is not
 * sent entirely, which is cut to its rest. */
int gather_skip(struct iovec *piece, size_t sent);

#endif

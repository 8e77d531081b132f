#include "worker/proto/fcgi/fcgi_peer.h"

#include <sys/socket.h>
#include <sys/time.h>

#define WRITE_SURE 4096 /* bytes that a fresh socket takes without blocking */

static struct {
	struct scan_limits limits;
	int64_t write_timeout;
	struct buf reply;
} self;

void
fcgi_peer_init(const struct scan_limits *limits, int64_t write_timeout)
{
	self.limits = *limits;
	self.write_timeout = write_timeout;
}

void
fcgi_peer_roles(unsigned roles)
{
	self.limits.roles = roles;
}

/* The socket is blocking; its limit is set before the first write that may
 * block.  One short response on a fresh connection never does: the usual case
 * saves the system call. */
void
fcgi_peer_limit(struct conn *c, size_t n)
{
	int64_t ms = self.write_timeout;
	struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000 };

	c->written += n;
	if (c->limited || c->written <= WRITE_SURE)
		return;
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	c->limited = true;
}

/* Between requests nothing may wait for the peer: a reply that does not fit
 * into the socket fails.  In a request it may wait. */
static int
send_reply(struct conn *c, bool wait)
{
	ssize_t n;

	if (self.reply.len == 0)
		return 0;
	fcgi_peer_limit(c, self.reply.len);
	n = send(c->fd, self.reply.data, self.reply.len,
	    MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
	if (n != (ssize_t)self.reply.len)
		n = -1;
	buf_clear(&self.reply);
	return n == -1 ? -1 : 0;
}

enum scan_verdict
fcgi_peer_judge(struct conn *c, struct buf *in, bool wait)
{
	enum scan_verdict verdict;

	verdict = scan_next(fcgi_state(c), in, &self.limits, &self.reply);
	return send_reply(c, wait) == -1 ? SCAN_ABORT : verdict;
}

#include "worker/net/peer.h"

#include <sys/socket.h>

#include <poll.h>

#include "base/clock.h"
#include "base/log.h"

static struct {
	int64_t blamed;	    /* clock_ms() of the last fault that was logged */
	unsigned swallowed; /* faults since then, not logged */
} self;

/* Once a second at most: a peer that floods must not fill the log. */
void
peer_blame(const struct conn *c, const char *fault)
{
	int64_t now = clock_ms();

	if (self.blamed != 0 && now - self.blamed < 1000) {
		self.swallowed++;
		return;
	}
	log_notice("connection %d: %s (and %u more like it before)", c->fd,
	    fault, self.swallowed);
	self.blamed = now;
	self.swallowed = 0;
}

bool
peer_hung_up(int fd, short revents)
{
	int domain = AF_UNIX;
	socklen_t len = sizeof(domain);

	if (revents & (POLLHUP | POLLERR))
		return true;
	if (!(revents & POLLRDHUP))
		return false;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	return domain != AF_UNIX;
}

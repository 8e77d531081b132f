#include "worker/net/peer.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

#define ORIGIN (sizeof(" from ") + INET6_ADDRSTRLEN)

static struct {
	int64_t blamed;	    /* clock_ms() of the last fault that was logged */
	unsigned swallowed; /* faults since then, not logged */
} self;

/* " from 192.0.2.1"; nothing if it has no such address. */
static void
print_origin(int fd, char out[ORIGIN])
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} peer = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(peer);
	const void *ip = &peer.in.sin_addr;
	char text[INET6_ADDRSTRLEN];

	getpeername(fd, &peer.any, &len);
	if (peer.any.sa_family == AF_INET6)
		ip = &peer.in6.sin6_addr;
	out[0] = '\0';
	if ((peer.any.sa_family == AF_INET || peer.any.sa_family == AF_INET6) &&
	    inet_ntop(peer.any.sa_family, ip, text, sizeof(text)) != NULL)
		snprintf(out, ORIGIN, " from %s", text);
}

/* Once a second at most: a peer that floods must not fill the log. */
void
peer_blame(const struct conn *c, const char *fault)
{
	int64_t now = clock_ms();
	char origin[ORIGIN];

	if (self.blamed != 0 && now - self.blamed < 1000) {
		self.swallowed++;
		return;
	}
	print_origin(c->fd, origin);
	log_notice("connection %d%s: %s (and %u more like it before)", c->fd,
	    origin, fault, self.swallowed);
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

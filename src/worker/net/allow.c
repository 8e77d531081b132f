#include "worker/net/allow.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "base/log.h"

union peer {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static struct {
	struct cidr *allowed;
	size_t n;
	int64_t logged;	   /* clock_ms() of the last logged refusal */
	unsigned silent;   /* refusals since then, not logged */
} self;

int
allow_init(const struct conf_list *allowed)
{
	if (allowed->n == 0)
		return 0;
	self.allowed = calloc(allowed->n, sizeof(*self.allowed));
	if (self.allowed == NULL)
		return -1;
	for (size_t i = 0; i < allowed->n; i++)
		cidr_parse(allowed->item[i], &self.allowed[i], NULL);
	self.n = allowed->n;
	return 0;
}

static void
log_refusal(const union peer *peer)
{
	char address[INET6_ADDRSTRLEN] = "of a family without addresses";
	int64_t now = clock_ms();

	if (self.logged != 0 && now - self.logged < 1000) {
		self.silent++;
		return;
	}
	if (peer->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &peer->in.sin_addr, address,
		    sizeof(address));
	else if (peer->any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &peer->in6.sin6_addr, address,
		    sizeof(address));
	log_notice("client %s refused: not in allowed_clients (and %u more "
	    "like it before)", address, self.silent);
	self.logged = now;
	self.silent = 0;
}

bool
allow_admit(int fd)
{
	union peer peer = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t len = sizeof(peer);

	if (self.n == 0)
		return true;
	if (getpeername(fd, &peer.any, &len) == -1)
		return false; /* the peer has left already */
	if (peer.any.sa_family == AF_UNIX)
		return true;
	for (size_t i = 0; i < self.n; i++) {
		if (cidr_has(&self.allowed[i], &peer.any))
			return true;
	}
	log_refusal(&peer);
	return false;
}

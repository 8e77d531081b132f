#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static int
sock_fail(struct why *why, const char *what, const char *name)
{
	why_set(why, "%s %s: %s", what, name, strerror(errno));
	return -1;
}

static int
sock_new(const struct sock_address *address)
{
	return socket(address->sa.any.sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/*
 * The rights are set before a client can connect: listen comes last.  The
 * socket is bound to its path, not renamed to it, because ss(8) and
 * getsockname(2) show the name that it was bound to.
 */
static int
sock_listen_unix(int fd, struct sock_address *address,
    const struct sock_options *options, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	mode_t mask;
	int bound;

	address->dev = address->ino = 0;
	if (sock_file_clear(address, why) == -1)
		return -1;
	mask = umask(~options->mode & 0777);
	bound = bind(fd, &address->sa.any, address->len);
	umask(mask);
	if (bound == -1)
		return sock_fail(why, "cannot make", path);
	if (sock_file_adopt(address, options, why) == 0) {
		if (listen(fd, options->backlog) == 0)
			return 0;
		sock_fail(why, "cannot listen on", path);
	}
	sock_file_remove(address);
	return -1;
}

static void
sock_inet_name(const struct sock_address *address, char out[64])
{
	char host[INET6_ADDRSTRLEN] = "";
	bool six = address->sa.any.sa_family == AF_INET6;

	inet_ntop(address->sa.any.sa_family, six ?
	    (const void *)&address->sa.in6.sin6_addr :
	    (const void *)&address->sa.in.sin_addr, host, sizeof(host));
	snprintf(out, 64, six ? "[%s]:%u" : "%s:%u", host,
	    ntohs(address->sa.in.sin_port));
}

static int
sock_fail_inet(const struct sock_address *address, struct why *why)
{
	int error = errno;
	char name[64];

	sock_inet_name(address, name);
	sock_fail(why, "cannot listen on", name);
	errno = error;
	return -1;
}

int
sock_bind_inet(int fd, const struct sock_address *address, struct why *why)
{
	bool six = address->sa.any.sa_family == AF_INET6;
	int on = 1;

	/* What accept returns inherits TCP_NODELAY. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
	    (!six || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
	    sizeof(on)) == 0) &&
	    bind(fd, &address->sa.any, address->len) == 0)
		return 0;
	return sock_fail_inet(address, why);
}

static int
sock_listen_inet(int fd, const struct sock_address *address,
    const struct sock_options *options, struct why *why)
{
	if (sock_bind_inet(fd, address, why) == -1)
		return -1;
	return listen(fd, options->backlog) == 0 ? 0 :
	    sock_fail_inet(address, why);
}

static int
sock_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) == -1 ? -1 :
	    value;
}

static int
sock_take_over(int fd, struct why *why)
{
	int on = 1;

	if (fd < 0) {
		why_set(why, fd == -1 ? "systemd passed no socket of that name" :
		    "systemd passed several sockets of that name");
		return -1;
	}
	if (sock_option(fd, SO_TYPE) != SOCK_STREAM ||
	    sock_option(fd, SO_ACCEPTCONN) != 1) {
		why_set(why, "fd:%d is not a listening stream socket", fd);
		return -1;
	}
	if (fd_cloexec(fd, true) == -1 || fd_nonblock(fd, true) == -1) {
		why_set(why, "cannot use fd:%d: %s", fd, strerror(errno));
		return -1;
	}
	/* as for our own sockets; fails without harm if it is not TCP */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

int
sock_listen(struct sock_address *address, const struct sock_options *options,
    struct why *why)
{
	int fd, result;

	if (address->kind == SOCK_FD)
		return sock_take_over(address->fd, why);
	if ((fd = sock_new(address)) == -1)
		return sock_fail(why, "cannot make", "a socket");
	result = address->kind == SOCK_UNIX ?
	    sock_listen_unix(fd, address, options, why) :
	    sock_listen_inet(fd, address, options, why);
	if (result == -1)
		fd_close(&fd);
	return fd;
}

static bool
sock_name(int fd, struct sock_address *out)
{
	*out = (struct sock_address){ .len = sizeof(out->sa) };
	if (getsockname(fd, &out->sa.any, &out->len) == -1)
		return false;
	out->kind = out->sa.any.sa_family == AF_UNIX ? SOCK_UNIX : SOCK_INET;
	return true;
}

/* A connection has the address of its listener, unless that listens on all
 * interfaces. */
bool
sock_came_by(int listener, int fd)
{
	struct sock_address a, b;

	return sock_name(listener, &a) && sock_name(fd, &b) &&
	    sock_overlap(&a, &b);
}

/* Drop packets with a lower hop count, as if they had never arrived. */
static void
sock_want_hops(int fd, int family, int hops)
{
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops,
		    sizeof(hops));
	else
		setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof(hops));
}

/*
 * Clients start with 64 or 128 hops, so none reaches the maximum, and the queue
 * stays as it is.  A socket filter would do the same, but needs CAP_NET_ADMIN
 * with recent kernels.
 */
void
sock_refuse(int fd, const struct sock_address *address)
{
	if (address->kind == SOCK_INET)
		sock_want_hops(fd, address->sa.any.sa_family, 255);
	else if (address->kind == SOCK_UNIX)
		sock_file_remove(address);
}

void
sock_hear(int fd)
{
	sock_want_hops(fd, AF_INET, 0);
	sock_want_hops(fd, AF_INET6, 0);
}

bool
sock_is_listening(int fd)
{
	return sock_option(fd, SO_ACCEPTCONN) == 1;
}

/* Other processes may hold the socket, so closing our descriptor would not end
 * it. */
void
sock_end(int fd)
{
	shutdown(fd, SHUT_RDWR);
}

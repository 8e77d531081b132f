#include "share/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"

#define TEMPORARY "/.%d.tmp" /* beside the path; %d: the pid, 7 digits */
#define TEMPORARY_LEN 13

/* ---- addresses ---------------------------------------------------------- */

static int
sock_parse_unix(const char *text, struct sock_address *address,
    struct why *why)
{
	size_t len = strlen(text);
	size_t directory = (size_t)(strrchr(text, '/') - text);

	if (len >= sizeof(address->sa.un.sun_path) || directory +
	    TEMPORARY_LEN >= sizeof(address->sa.un.sun_path)) {
		why_set(why, "the path of a unix socket is too long: %s",
		    text);
		return -1;
	}
	address->kind = SOCK_UNIX;
	address->sa.un.sun_family = AF_UNIX;
	memcpy(address->sa.un.sun_path, text, len + 1);
	address->len = sizeof(address->sa.un);
	return 0;
}

static int
sock_parse_fd(const char *text, struct sock_address *address,
    struct why *why)
{
	int64_t fd;

	if (num_integer(text + 3, 0, INT32_MAX, &fd) == -1) {
		why_set(why, "not the number of a descriptor: %s", text);
		return -1;
	}
	address->kind = SOCK_FD;
	address->fd = (int)fd;
	return 0;
}

static int
sock_parse_host(const char *host, struct sock_address *address)
{
	struct sockaddr_in6 *in6 = &address->sa.in6;
	struct sockaddr_in *in = &address->sa.in;
	size_t len = strlen(host);
	char bare[INET6_ADDRSTRLEN] = "";

	address->kind = SOCK_INET;
	if (len > 2 && host[0] == '[' && host[len - 1] == ']' &&
	    len - 2 < sizeof(bare)) {
		memcpy(bare, host + 1, len - 2);
		in6->sin6_family = AF_INET6;
		address->len = sizeof(*in6);
		return inet_pton(AF_INET6, bare, &in6->sin6_addr) == 1 ? 0 : -1;
	}
	in->sin_family = AF_INET;
	address->len = sizeof(*in);
	if (strcmp(host, "*") == 0)
		return 0; /* INADDR_ANY is all zero */
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -1;
}

static int
sock_parse_inet(const char *text, struct sock_address *address,
    struct why *why)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2] = "";
	int64_t port;

	if (colon == NULL || colon == text ||
	    (size_t)(colon - text) >= sizeof(host)) {
		why_set(why, "not an address: %s (a path, 127.0.0.1:9000, "
		    "[::1]:9000, *:9000 or fd:3)", text);
		return -1;
	}
	memcpy(host, text, (size_t)(colon - text));
	if (sock_parse_host(host, address) == -1) {
		why_set(why, "not a numeric address: %s", host);
		return -1;
	}
	if (num_integer(colon + 1, 1, 65535, &port) == -1) {
		why_set(why, "not a port from 1 to 65535: %s", colon + 1);
		return -1;
	}
	/* sin_port and sin6_port are at the same place */
	address->sa.in.sin_port = htons((uint16_t)port);
	return 0;
}

int
sock_parse(const char *text, struct sock_address *address, struct why *why)
{
	/* sock_same compares whole addresses: no byte may be left over */
	memset(address, 0, sizeof(*address));
	if (text[0] == '/' || strncmp(text, "./", 2) == 0)
		return sock_parse_unix(text, address, why);
	if (strncmp(text, "fd:", 3) == 0)
		return sock_parse_fd(text, address, why);
	return sock_parse_inet(text, address, why);
}

bool
sock_same(const struct sock_address *a, const struct sock_address *b)
{
	return a->kind == b->kind && a->fd == b->fd && a->len == b->len &&
	    memcmp(&a->sa, &b->sa, a->len) == 0;
}

/* ---- listening ---------------------------------------------------------- */

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

/* Whether something is alive at the path: only a refusal says no. */
static int
sock_probe(const struct sock_address *address, const char *path,
    struct why *why)
{
	int fd = sock_new(address);
	int error;

	if (fd == -1)
		return sock_fail(why, "cannot look at", path);
	error = connect(fd, &address->sa.any, address->len) == 0 ? 0 : errno;
	close(fd);
	if (error == ECONNREFUSED || error == ENOENT)
		return 0;
	why_set(why, "somebody listens on %s already", path);
	if (error != 0 && error != EAGAIN)
		why_set(why, "cannot tell whether somebody listens on %s: %s",
		    path, strerror(error));
	return -1;
}

/* 0 if the path is free or has a socket that nobody serves. */
static int
sock_check_path(const struct sock_address *address, const char *path,
    struct why *why)
{
	struct stat st;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 :
		    sock_fail(why, "cannot look at", path);
	if (!S_ISSOCK(st.st_mode)) {
		why_set(why, "%s exists and is not a socket", path);
		return -1;
	}
	return sock_probe(address, path, why);
}

/* Owner and mode are right before anybody can connect: listen comes last. */
static int
sock_make_file(int fd, const struct sock_address *temporary,
    const struct sock_options *options, struct why *why)
{
	const char *path = temporary->sa.un.sun_path;

	unlink(path); /* of a process that had our pid and was killed */
	if (bind(fd, &temporary->sa.any, temporary->len) == -1)
		return sock_fail(why, "cannot make", path);
	if (chmod(path, options->mode) == -1)
		return sock_fail(why, "cannot set the mode of", path);
	if (lchown(path, options->owner, options->group) == -1)
		return sock_fail(why, "cannot set owner and group of", path);
	if (listen(fd, options->backlog) == -1)
		return sock_fail(why, "cannot listen on", path);
	return 0;
}

/* lstat says what rename will not change. */
static int
sock_publish(const char *temporary, const char *path,
    struct sock_address *address, struct why *why)
{
	struct stat st;

	if (lstat(temporary, &st) == -1 || rename(temporary, path) == -1)
		return sock_fail(why, "cannot make", path);
	address->dev = st.st_dev;
	address->ino = st.st_ino;
	return 0;
}

static int
sock_listen_unix(int fd, struct sock_address *address,
    const struct sock_options *options, struct why *why)
{
	const char *path = address->sa.un.sun_path;
	struct sock_address temporary = *address;
	char *name = temporary.sa.un.sun_path;

	if (sock_check_path(address, path, why) == -1)
		return -1;
	snprintf(strrchr(name, '/'), TEMPORARY_LEN + 1, TEMPORARY,
	    (int)getpid());
	if (sock_make_file(fd, &temporary, options, why) == 0 &&
	    sock_publish(name, path, address, why) == 0)
		return 0;
	unlink(name);
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
sock_listen_inet(int fd, const struct sock_address *address,
    const struct sock_options *options, struct why *why)
{
	bool six = address->sa.any.sa_family == AF_INET6;
	char name[64];
	int on = 1;

	/* What accept returns inherits TCP_NODELAY. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
	    (!six || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
	    sizeof(on)) == 0) &&
	    bind(fd, &address->sa.any, address->len) == 0 &&
	    listen(fd, options->backlog) == 0)
		return 0;
	sock_inet_name(address, name);
	return sock_fail(why, "cannot listen on", name);
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

	if (sock_option(fd, SO_TYPE) != SOCK_STREAM ||
	    sock_option(fd, SO_ACCEPTCONN) != 1) {
		why_set(why, "fd:%d is not a listening stream socket", fd);
		return -1;
	}
	if (fd_cloexec(fd, true) == -1 || fd_nonblock(fd, true) == -1) {
		why_set(why, "cannot use fd:%d: %s", fd, strerror(errno));
		return -1;
	}
	/* as for our own; no matter if it is not TCP */
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

/*
 * From here on a packet needs the highest hop count there is, and clients
 * start with 64 or 128: it is dropped, and the queue stays as it is.  A socket
 * filter would do the same, but recent kernels want CAP_NET_ADMIN for one.
 */
static void
sock_refuse_inet(int fd, const struct sock_address *address)
{
	int hops = 255;

	if (address->sa.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &hops,
		    sizeof(hops));
	else
		setsockopt(fd, IPPROTO_IP, IP_MINTTL, &hops, sizeof(hops));
}

void
sock_refuse(int fd, const struct sock_address *address)
{
	const char *path = address->sa.un.sun_path;
	struct stat st;

	if (address->kind == SOCK_INET)
		sock_refuse_inet(fd, address);
	else if (address->kind == SOCK_UNIX && lstat(path, &st) == 0 &&
	    st.st_dev == address->dev && st.st_ino == address->ino)
		unlink(path);
}

/* ---- the listen queue --------------------------------------------------- */

struct sock_answer { /* sock_diag(7) to one unix socket */
	struct nlmsghdr head;
	union {
		struct unix_diag_msg socket;
		struct nlmsgerr error;
		char room[512];
	} body;
};

static int
sock_ask(int netlink, ino_t inode, struct sock_answer *answer)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req body;
	} question = {
		.head = { .nlmsg_len = sizeof(question),
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST },
		.body = { .sdiag_family = AF_UNIX,
		    .udiag_states = ~0U, .udiag_ino = (uint32_t)inode,
		    .udiag_show = UDIAG_SHOW_RQLEN,
		    .udiag_cookie = { ~0U, ~0U } },
	};
	ssize_t n;

	if (send(netlink, &question, sizeof(question), 0) == -1 ||
	    (n = recv(netlink, answer, sizeof(*answer), 0)) == -1)
		return -1;
	if ((size_t)n < NLMSG_LENGTH(sizeof(answer->body.socket)) ||
	    answer->head.nlmsg_type != SOCK_DIAG_BY_FAMILY) {
		errno = answer->head.nlmsg_type == NLMSG_ERROR ?
		    -answer->body.error.error : EPROTO;
		return -1;
	}
	return 0;
}

/* The attribute with the queue's length among those of the answer. */
static int
sock_find_length(const struct sock_answer *answer)
{
	const struct nlattr *attribute = (const void *)
	    (&answer->body.socket + 1);
	const char *end = (const char *)answer + answer->head.nlmsg_len;
	struct unix_diag_rqlen length;

	while ((const char *)(attribute + 1) <= end &&
	    attribute->nla_len >= sizeof(*attribute)) {
		if (attribute->nla_type == UNIX_DIAG_RQLEN) {
			memcpy(&length, attribute + 1, sizeof(length));
			return (int)length.udiag_rqueue;
		}
		attribute = (const void *)((const char *)attribute +
		    NLA_ALIGN(attribute->nla_len));
	}
	errno = EPROTO;
	return -1;
}

static int
sock_unix_length(int fd)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
	    NETLINK_SOCK_DIAG);
	struct sock_answer answer;
	struct stat st;
	int length = -1;

	if (netlink == -1)
		return -1;
	if (fstat(fd, &st) == 0 && sock_ask(netlink, st.st_ino, &answer) == 0)
		length = sock_find_length(&answer);
	close(netlink);
	return length;
}

int
sock_queue_length(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (sock_option(fd, SO_DOMAIN) == AF_UNIX)
		return sock_unix_length(fd);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return -1;
	return (int)info.tcpi_unacked;
}

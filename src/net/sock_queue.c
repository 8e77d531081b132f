#include "net/sock_queue.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"

#define MINOR_BITS 20 /* of a device number inside the kernel */

struct sock_answer { /* of sock_diag(7) about one unix socket */
	struct nlmsghdr head;
	union {
		struct unix_diag_msg socket;
		struct nlmsgerr error;
		char room[512];
	} body;
};

static int
sock_ask(int netlink, ino_t inode, uint32_t show, struct sock_answer *answer)
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
		    .udiag_show = show,
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

/* Copy n bytes of the answer's attribute of that type.  0, or -1 with errno. */
static int
sock_find(const struct sock_answer *answer, int type, void *out, size_t n)
{
	const struct nlattr *attribute = (const void *)
	    (&answer->body.socket + 1);
	const char *end = (const char *)answer + answer->head.nlmsg_len;

	while ((const char *)(attribute + 1) <= end &&
	    attribute->nla_len >= sizeof(*attribute)) {
		if (attribute->nla_type == type) {
			memcpy(out, attribute + 1, n);
			return 0;
		}
		attribute = (const void *)((const char *)attribute +
		    NLA_ALIGN(attribute->nla_len));
	}
	errno = EPROTO;
	return -1;
}

static int
sock_ask_for(ino_t inode, uint32_t show, int type, void *out, size_t n)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
	    NETLINK_SOCK_DIAG), result = -1;
	struct sock_answer answer;

	if (netlink == -1)
		return -1;
	if (sock_ask(netlink, inode, show, &answer) == 0)
		result = sock_find(&answer, type, out, n);
	close(netlink);
	return result;
}

/* For the length the kernel goes through the sockets of the whole machine, so it
 * is asked only if a connection waits at all. */
static int
sock_unix_length(int fd)
{
	struct unix_diag_rqlen length;
	struct stat st;

	if (!fd_is_readable(fd))
		return 0;
	if (fstat(fd, &st) == -1 || sock_ask_for(st.st_ino, UDIAG_SHOW_RQLEN,
		UNIX_DIAG_RQLEN, &length, sizeof(length)) == -1)
		return -1;
	return (int)length.udiag_rqueue;
}

bool
sock_is_elsewhere(ino_t socket, const struct stat *file)
{
	struct unix_diag_vfs vfs;

	if (sock_ask_for(socket, UDIAG_SHOW_VFS, UNIX_DIAG_VFS, &vfs,
		sizeof(vfs)) == -1)
		return false;
	return vfs.udiag_vfs_ino != (uint32_t)file->st_ino ||
	    vfs.udiag_vfs_dev != (major(file->st_dev) << MINOR_BITS |
		minor(file->st_dev));
}

static int
sock_tcp_length(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1)
		return -1;
	return (int)info.tcpi_unacked;
}

int
sock_queue_length(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == -1)
		return -1;
	return domain == AF_UNIX ? sock_unix_length(fd) :
	    sock_tcp_length(fd);
}

/* ---- half-open connections ----------------------------------------------- */

/* Ask the kernel for all half-open connections of an address family. */
static int
sock_ask_half_open(int netlink, int family)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} question = {
		.head = { .nlmsg_len = sizeof(question),
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = (uint8_t)family,
		    .sdiag_protocol = IPPROTO_TCP,
		    .idiag_states = 1 << TCP_SYN_RECV },
	};

	return send(netlink, &question, sizeof(question), 0) == -1 ? -1 : 0;
}

/* True if the n bytes of an answer have a connection to that port (network byte
 * order).  *more: the answer goes on. */
static bool
sock_has_half_open(const struct nlmsghdr *head, size_t n, in_port_t port,
    bool *more)
{
	for (; NLMSG_OK(head, n); head = NLMSG_NEXT(head, n)) {
		const struct inet_diag_msg *m = NLMSG_DATA(head);

		*more = head->nlmsg_type == SOCK_DIAG_BY_FAMILY;
		if (!*more)
			return false;
		if (m->id.idiag_sport == port)
			return true;
	}
	return false;
}

bool
sock_is_awaited(int fd)
{
	struct sockaddr_in6 name; /* an IPv4 address has its port there too */
	socklen_t len = sizeof(name);
	_Alignas(struct nlmsghdr) char answer[8192];
	bool found = false, more = true;
	ssize_t n;
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
	    NETLINK_SOCK_DIAG);

	if (netlink == -1)
		return false;
	if (getsockname(fd, (struct sockaddr *)&name, &len) == -1 ||
	    sock_ask_half_open(netlink, name.sin6_family) == -1)
		more = false;
	while (more && !found &&
	    (n = recv(netlink, answer, sizeof(answer), 0)) > 0)
		found = sock_has_half_open((struct nlmsghdr *)answer,
		    (size_t)n, name.sin6_port, &more);
	close(netlink);
	return found;
}

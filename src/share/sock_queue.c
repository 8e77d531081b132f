#include "share/sock_queue.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

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

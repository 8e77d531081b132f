/*
 * The ceiling: what a server on this machine cannot do without.  It accepts,
 * receives, sends a canned answer and closes; or, with -k, keeps connections,
 * as many as come.  Nothing is parsed: a request ends with an empty record of
 * FCGI_STDIN, for which the last bytes that came are compared.
 *
 *   ceiling [-k] SOCKET PROCESSES [SIZE]
 *
 * The answer is hello world, or a body of SIZE bytes.
 */

#include <sys/epoll.h>
#include <sys/socket.h>

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fastcgi.h>

#include "prefork.h"

#define HEAD   "Status: 200 OK\r\nContent-Type: text/html\r\n\r\n"
#define HELLO  "<h1>Hello</h1>\n"
#define RECORD 65528 /* what a record carries at most, in whole words */
#define EVENTS 64

static const FCGI_Header last = { .version = FCGI_VERSION_1,
	.type = FCGI_STDIN, .requestIdB0 = 1 };

static struct {
	char *bytes;
	size_t len;
} answer;

static void
add(const void *bytes, size_t n)
{
	memcpy(answer.bytes + answer.len, bytes, n);
	answer.len += n;
}

static void
add_record(int type, const void *bytes, size_t n)
{
	const FCGI_Header header = { .version = FCGI_VERSION_1,
		.type = (unsigned char)type, .requestIdB0 = 1,
		.contentLengthB1 = (unsigned char)(n >> 8),
		.contentLengthB0 = (unsigned char)n };

	add(&header, sizeof(header));
	add(bytes, n);
}

/* The answer as it goes over the wire; size 0 is hello world. */
static void
prepare(size_t size)
{
	const FCGI_EndRequestBody end = { .protocolStatus =
		FCGI_REQUEST_COMPLETE };
	const size_t head = sizeof(HEAD) - 1;
	const size_t total = head + (size > 0 ? size : sizeof(HELLO) - 1);
	char *text = malloc(total);
	size_t at, n;

	answer.bytes = malloc(total + 8 * (total / RECORD + 3) + sizeof(end));
	if (text == NULL || answer.bytes == NULL)
		err(1, "a body of %zu bytes", size);
	memset(text, 'x', total);
	memcpy(text, HEAD, head);
	if (size == 0)
		memcpy(text + head, HELLO, sizeof(HELLO) - 1);
	for (at = 0; at < total; at += n) {
		n = total - at < RECORD ? total - at : RECORD;
		add_record(FCGI_STDOUT, text + at, n);
	}
	add_record(FCGI_STDOUT, "", 0);
	add_record(FCGI_END_REQUEST, &end, sizeof(end));
	free(text);
}

/* The end may come in two parts, so the last bytes stand before the new. */
static bool
hear(int fd)
{
	static char bytes[sizeof(last) + 65536];
	ssize_t n;

	memset(bytes, 0, sizeof(last));
	for (;;) {
		n = recv(fd, bytes + sizeof(last), 65536, 0);
		if (n <= 0)
			return false;
		if (memcmp(bytes + n, &last, sizeof(last)) == 0)
			return true;
		memmove(bytes, bytes + n, sizeof(last));
	}
}

static bool
say(int fd)
{
	size_t sent = 0;
	ssize_t n;

	while (sent < answer.len) {
		n = send(fd, answer.bytes + sent, answer.len - sent,
		    MSG_NOSIGNAL);
		if (n == -1)
			return false;
		sent += (size_t)n;
	}
	return true;
}

/*
 * A process that blocks in accept4(2) is woken with the connection in hand:
 * there is no epoll_wait(2), and no accept that finds nothing, which a server
 * cannot spare itself that waits for more than its listener, as a worker of
 * lua-fpm does with EPOLLEXCLUSIVE.
 */
static void
serve_fresh(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) != -1) {
		if (hear(fd))
			say(fd);
		close(fd);
	}
}

static void
watch(int set, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == -1)
		err(1, "epoll_ctl");
}

static void
serve_kept(int listener)
{
	struct epoll_event events[EVENTS];
	int set = epoll_create1(EPOLL_CLOEXEC), i, n, fd;

	fcntl(listener, F_SETFL, O_NONBLOCK);
	watch(set, listener, EPOLLIN | EPOLLEXCLUSIVE);
	while ((n = epoll_wait(set, events, EVENTS, -1)) != -1)
		for (i = 0; i < n; i++) {
			fd = events[i].data.fd;
			if (fd != listener) {
				if (!hear(fd) || !say(fd))
					close(fd);
				continue;
			}
			fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			if (fd != -1)
				watch(set, fd, EPOLLIN);
		}
}

int
main(int argc, char **argv)
{
	bool keep = argc > 1 && strcmp(argv[1], "-k") == 0;
	int n;

	argc -= keep;
	argv += keep;
	if (argc < 3 || argc > 4 || (n = atoi(argv[2])) < 1)
		errx(64, "usage: ceiling [-k] socket processes [size]");
	prepare(argc == 4 ? strtoul(argv[3], NULL, 10) : 0);
	prefork(argv[1], n, keep ? serve_kept : serve_fresh);
}

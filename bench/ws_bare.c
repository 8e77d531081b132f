/*
 * The yardstick of a broadcast: a bare loop of send(2) over many sockets.
 *
 *   ws_bare SOCKETS FRAMES [SIZE [BATCH]]
 *
 * Prints the port it listens on and takes as many connections as WebSockets
 * (the key is not looked at, and what a client sends is not read); a line on
 * standard input starts it: FRAMES times a binary message of SIZE (100) bytes
 * to each, BATCH (1) frames a send.  Prints a line of JSON: the time, and how
 * often a socket was full.  It ends when its standard input does.
 */

#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

static unsigned long full;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
listener(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fd < 0 || bind(fd, (struct sockaddr *)&in, len) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &len) < 0)
		err(1, "listener");
	printf("%d\n", ntohs(in.sin_port));
	fflush(stdout);
	return fd;
}

static int
take_one(int fd)
{
	char head[4096];
	size_t n = 0;
	int c = accept(fd, NULL, NULL);

	if (c < 0)
		err(1, "accept");
	do {
		ssize_t got = recv(c, head + n, sizeof(head) - 1 - n, 0);
		if (got <= 0)
			errx(1, "a client left");
		n += (size_t)got;
		head[n] = '\0';
	} while (strstr(head, "\r\n\r\n") == NULL);
	if (send(c, answer, sizeof(answer) - 1, 0) < 0)
		err(1, "send");
	return c;
}

static void
send_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN)
			err(1, "send");
		if (sent < 0 || (size_t)sent < n) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };
			full++;
			poll(&p, 1, -1);
		}
		if (sent > 0) {
			data += sent;
			n -= (size_t)sent;
		}
	}
}

/* BATCH frames behind each other. */
static char *
make_frames(size_t size, size_t batch, size_t *len)
{
	size_t head = size < 126 ? 2 : 4;
	char *out = malloc((head + size) * batch);

	if (out == NULL || size > 65535)
		err(1, "frames");
	for (size_t i = 0; i < batch; i++) {
		char *at = out + i * (head + size);
		at[0] = (char)0x82;
		at[1] = (char)(size < 126 ? size : 126);
		if (head == 4) {
			at[2] = (char)(size >> 8);
			at[3] = (char)size;
		}
		memset(at + head, 'x', size);
	}
	*len = (head + size) * batch;
	return out;
}

int
main(int argc, char **argv)
{
	size_t sockets = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	size_t frames = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	size_t size = argc > 3 ? strtoul(argv[3], NULL, 10) : 100;
	size_t batch = argc > 4 ? strtoul(argv[4], NULL, 10) : 1, len;
	int *fds = calloc(sockets + 1, sizeof(*fds)), fd;
	struct rlimit files;
	char *data, line[64];
	double began, seconds;

	if (sockets == 0 || batch == 0 || frames % batch != 0 || fds == NULL)
		errx(2, "usage: ws_bare SOCKETS FRAMES [SIZE [BATCH]]");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	data = make_frames(size, batch, &len);
	fd = listener();
	for (size_t i = 0; i < sockets; i++)
		fds[i] = take_one(fd);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 0;
	began = now();
	for (size_t f = 0; f < frames; f += batch)
		for (size_t i = 0; i < sockets; i++)
			send_all(fds[i], data, len);
	seconds = now() - began;
	printf("{\"sockets\": %zu, \"frames\": %zu, \"seconds\": %.6f, "
	    "\"rate\": %.0f, \"full\": %lu}\n", sockets, frames * sockets,
	    seconds, (double)(frames * sockets) / seconds, full);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
		;
	return 0;
}

/*
 * Many WebSocket clients in one process.
 *
 *   ws_load ADDRESS echo SOCKETS SECONDS [SIZE]
 *	Each sends a binary message of SIZE (32) bytes, waits for as much as an
 *	answer, and sends again.  Prints messages a second and latencies.
 *   ws_load ADDRESS listen SOCKETS FRAMES [TEXT]
 *	Each sends TEXT, if given, and waits for its answer; prints "open"; then
 *	counts until each has received FRAMES messages or standard input ends.
 *	Prints how many came, and the time from the first to the last.
 *   ws_load ADDRESS idle SOCKETS [TEXT]
 *	The same without an end: until standard input ends; pings are answered.
 *
 * ADDRESS is HOST:PORT, HOST an IPv4 address, or the path of a unix socket;
 * then -p PATH, the target of the request.  One line of JSON on standard output
 * at the end.
 */

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS	  512
#define AT_ONCE	  256 /* upgrades under way */
#define SLOTS	  1000000 /* of latencies: a microsecond each */
#define MASK	  0x80
#define PING	  9
#define CLOSE	  8
#define IS_STDIN  UINT32_MAX

enum state { UPGRADING, SUBSCRIBING, OPEN, GONE };

struct client {
	int fd;
	enum state state;
	uint8_t head[14]; /* of a frame, as far as it has come */
	uint8_t nhead;
	uint8_t opcode;
	uint64_t left;	/* bytes of its payload that have to come */
	uint64_t asked; /* when the last message was sent, in ns */
	unsigned got;
};

static struct {
	struct sockaddr_storage addr;
	socklen_t len;
	const char *path;
} server = { .path = "/" };

static struct {
	unsigned sockets, frames, size;
	double seconds;
	const char *text; /* NULL: none is sent at first */
	bool echo;
} plan;

static struct client *clients;
static unsigned started, opened, gone, complete;
static int epoll_fd;
static char *message; /* a masked frame */
static size_t message_len;
static unsigned *latencies;
static uint64_t first, last, received, deadline, slowest;
static char buffer[1 << 18];

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- connections ----------------------------------------------------------- */

static void
resolve(const char *address)
{
	const char *colon = strrchr(address, ':');
	char host[64];

	if (address[0] == '/') {
		struct sockaddr_un *un = (struct sockaddr_un *)&server.addr;
		un->sun_family = AF_UNIX;
		if (strlen(address) >= sizeof(un->sun_path))
			errx(1, "%s: too long", address);
		strcpy(un->sun_path, address);
		server.len = sizeof(*un);
		return;
	}
	struct sockaddr_in *in = (struct sockaddr_in *)&server.addr;
	in->sin_family = AF_INET;
	if (colon == NULL || (size_t)(colon - address) >= sizeof(host))
		errx(1, "%s: no HOST:PORT", address);
	memcpy(host, address, (size_t)(colon - address));
	host[colon - address] = '\0';
	in->sin_port = htons((uint16_t)atoi(colon + 1));
	if (inet_pton(AF_INET, host, &in->sin_addr) != 1)
		errx(1, "%s: no IPv4 address", host);
	server.len = sizeof(*in);
}

static void
put(const struct client *c, const void *data, size_t n)
{
	ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL);

	/* A client that has at most one small message under way cannot fill
	 * the socket's buffer. */
	if (sent >= 0 && (size_t)sent < n)
		errx(1, "the server does not read");
}

/* A frame of at most 64 KB with a mask of zeros. */
static size_t
make_frame(char *out, int opcode, const void *payload, size_t n)
{
	size_t at = 2;

	out[0] = (char)(0x80 | opcode);
	if (n < 126) {
		out[1] = (char)(MASK | n);
	} else {
		out[1] = (char)(MASK | 126);
		out[2] = (char)(n >> 8);
		out[3] = (char)n;
		at = 4;
	}
	memset(out + at, 0, 4);
	if (payload != NULL)
		memcpy(out + at + 4, payload, n);
	else
		memset(out + at + 4, 'x', n);
	return at + 4 + n;
}

static void
start_one(void)
{
	struct client *c = &clients[started];
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = started };
	char head[512];
	int n, on = 1;

	c->fd = socket(server.addr.ss_family, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server.addr,
	    server.len) < 0)
		err(1, "connection %u", started);
	if (server.addr.ss_family == AF_INET)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: localhost\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Sec-WebSocket-Version: 13\r\n\r\n", server.path);
	put(c, head, (size_t)n);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
		err(1, "epoll_ctl");
	started++;
}

static void
lose(struct client *c)
{
	if (c->state == OPEN)
		opened--;
	c->state = GONE;
	gone++;
	close(c->fd);
}

/* ---- what the server sends ------------------------------------------------- */

static void
ask(struct client *c)
{
	c->asked = now();
	put(c, message, message_len);
}

static void
begin(struct client *c)
{
	c->state = OPEN;
	opened++;
}

static void
count_echo(struct client *c, uint64_t at)
{
	uint64_t us = (at - c->asked) / 1000;

	latencies[us < SLOTS ? us : SLOTS - 1]++;
	if (us > slowest)
		slowest = us;
	received++;
	if (at < deadline)
		ask(c);
}

static void
take_message(struct client *c)
{
	uint64_t at = now();

	if (c->state == SUBSCRIBING) {
		begin(c);
		return;
	}
	if (plan.echo) {
		count_echo(c, at);
		return;
	}
	if (received++ == 0)
		first = at;
	last = at;
	if (++c->got == plan.frames)
		complete++;
}

/* A pong has the ping's payload only if that came in one piece: it is short. */
static void
end_frame(struct client *c, const char *payload, size_t n)
{
	char pong[160];

	c->nhead = 0;
	if (c->opcode == CLOSE) {
		put(c, pong, make_frame(pong, CLOSE, "", 0));
		lose(c);
	} else if (c->opcode == PING) {
		put(c, pong, make_frame(pong, PING + 1, payload,
		    n < 126 ? n : 0));
	} else if (c->opcode < CLOSE && (c->head[0] & 0x80) != 0) {
		take_message(c);
	}
}

/* The bytes that a frame's head still needs; 0: it is whole. */
static size_t
head_needs(const struct client *c)
{
	size_t whole = c->nhead < 2 ? 2 : (c->head[1] & 127) == 126 ? 4 :
	    (c->head[1] & 127) == 127 ? 10 : 2;

	return whole - c->nhead;
}

static void
read_head(struct client *c)
{
	size_t size = c->nhead - 2u;
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n = n << 8 | c->head[2 + i];
	c->left = size > 0 ? n : c->head[1] & 127;
	c->opcode = c->head[0] & 15;
}

static void
take_frames(struct client *c, const char *data, size_t n)
{
	while (n > 0 && c->state != GONE) {
		if (head_needs(c) > 0) {
			c->head[c->nhead++] = (uint8_t)*data++;
			n--;
			if (head_needs(c) > 0)
				continue;
			read_head(c);
			if (c->left > 0)
				continue;
			end_frame(c, data, 0);
			continue;
		}
		size_t some = c->left < n ? (size_t)c->left : n;
		data += some;
		n -= some;
		c->left -= some;
		if (c->left == 0)
			end_frame(c, data - some, some);
	}
}

/* The response to the upgrade comes in one piece. */
static void
take_response(struct client *c, char *data, size_t n)
{
	char *end;

	data[n] = '\0';
	end = strstr(data, "\r\n\r\n");
	if (end == NULL || strncmp(data, "HTTP/1.1 101 ", 13) != 0)
		errx(1, "no WebSocket: %.200s", data);
	if (plan.text != NULL) {
		char frame[1024];
		c->state = SUBSCRIBING;
		put(c, frame, make_frame(frame, 1, plan.text,
		    strlen(plan.text)));
	} else {
		begin(c);
	}
	end += 4;
	take_frames(c, end, n - (size_t)(end - data));
}

static void
receive(struct client *c)
{
	ssize_t n = recv(c->fd, buffer, sizeof(buffer) - 1, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		lose(c);
	else if (c->state == UPGRADING)
		take_response(c, buffer, (size_t)n);
	else
		take_frames(c, buffer, (size_t)n);
}

/* ---- a run ----------------------------------------------------------------- */

/* False: standard input has ended. */
static bool
turn(int timeout)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll_fd, events, EVENTS, timeout);

	for (int i = 0; i < n; i++) {
		if (events[i].data.u32 == IS_STDIN)
			return false;
		if (clients[events[i].data.u32].state != GONE)
			receive(&clients[events[i].data.u32]);
	}
	return true;
}

static void
open_all(void)
{
	while (opened + gone < plan.sockets) {
		while (started < plan.sockets &&
		    started - opened - gone < AT_ONCE)
			start_one();
		turn(10000);
	}
	if (gone > 0)
		errx(1, "%u of %u connections ended at once", gone,
		    plan.sockets);
}

static uint64_t
percentile(double part)
{
	uint64_t below = 0;

	for (uint64_t us = 0; us < SLOTS; us++) {
		below += latencies[us];
		if ((double)below >= part * (double)received)
			return us;
	}
	return slowest;
}

static void
run_echo(void)
{
	uint64_t began;

	latencies = calloc(SLOTS, sizeof(*latencies));
	message = malloc(plan.size + 16);
	if (latencies == NULL || message == NULL)
		err(1, NULL);
	message_len = make_frame(message, 2, NULL, plan.size);
	began = now();
	deadline = began + (uint64_t)(plan.seconds * 1e9);
	for (unsigned i = 0; i < plan.sockets; i++)
		ask(&clients[i]);
	while (now() < deadline && gone < plan.sockets)
		turn(100);
	printf("{\"sockets\": %u, \"messages\": %llu, \"rate\": %.0f, "
	    "\"p50_us\": %llu, \"p90_us\": %llu, \"p99_us\": %llu, "
	    "\"p999_us\": %llu, \"max_us\": %llu, \"gone\": %u}\n",
	    plan.sockets, (unsigned long long)received,
	    (double)received / ((double)(now() - began) / 1e9),
	    (unsigned long long)percentile(0.5),
	    (unsigned long long)percentile(0.9),
	    (unsigned long long)percentile(0.99),
	    (unsigned long long)percentile(0.999),
	    (unsigned long long)slowest, gone);
}

static void
run_listen(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = IS_STDIN };
	double seconds;

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &e) < 0)
		err(1, "standard input");
	puts("open");
	fflush(stdout);
	while (complete < plan.sockets && turn(-1))
		;
	seconds = (double)(last - first) / 1e9;
	printf("{\"sockets\": %u, \"complete\": %u, \"frames\": %llu, "
	    "\"seconds\": %.6f, \"rate\": %.0f, \"gone\": %u}\n",
	    plan.sockets, complete, (unsigned long long)received, seconds,
	    seconds > 0 ? (double)received / seconds : 0, gone);
}

static unsigned
number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n > UINT32_MAX - 1)
		errx(2, "%s: no number", text);
	return (unsigned)n;
}

static void
usage(void)
{
	fprintf(stderr, "usage: ws_load [-p PATH] ADDRESS "
	    "echo SOCKETS SECONDS [SIZE] | listen SOCKETS FRAMES [TEXT] | "
	    "idle SOCKETS [TEXT]\n");
	exit(2);
}

static void
read_plan(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[1] : "";

	if (argc < 3)
		usage();
	resolve(argv[0]);
	plan.sockets = number(argv[2]);
	if (strcmp(command, "echo") == 0 && argc > 3) {
		plan.echo = true;
		plan.seconds = atof(argv[3]);
		plan.size = argc > 4 ? number(argv[4]) : 32;
		if (plan.size > 65535)
			errx(2, "at most 65535 bytes");
	} else if (strcmp(command, "listen") == 0 && argc > 3) {
		plan.frames = number(argv[3]);
		plan.text = argc > 4 ? argv[4] : NULL;
	} else if (strcmp(command, "idle") == 0) {
		plan.text = argc > 3 ? argv[3] : NULL;
	} else {
		usage();
	}
	if (plan.text != NULL && strlen(plan.text) > 1000)
		errx(2, "at most 1000 bytes of text");
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	int option;

	while ((option = getopt(argc, argv, "p:")) != -1) {
		if (option != 'p')
			usage();
		server.path = optarg;
	}
	read_plan(argc - optind, argv + optind);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	clients = calloc(plan.sockets, sizeof(*clients));
	epoll_fd = epoll_create1(0);
	if (clients == NULL || epoll_fd < 0)
		err(1, NULL);
	open_all();
	if (plan.echo)
		run_echo();
	else
		run_listen();
	return 0;
}

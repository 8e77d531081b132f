/*
 * What the hub (src/hub) costs: memory of an idle socket, and a broadcast to
 * many, beside a bare loop of send(2) over as many sockets.  The peers are in
 * this process and read nothing while the clock runs.
 *
 * bench/hub [SOCKETS [ROUNDS]]
 */

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/sealed.h"
#include "hub/hub_impl.h"
#include "ipc/hub_claim.h"
#include "ipc/hub_record.h"

#define TEXT "{\"type\":\"tick\",\"price\":1234.56,\"volume\":78901}"

static int worker;
static int *peers;

static void
die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static void
drain(struct hub *hub)
{
	for (int i = 0; i < 20; i++)
		hub_turn(hub, 0);
}

static void
say(struct buf *b, int fd)
{
	if (fd_send(worker, fd, b->data, b->len) != (long)b->len)
		die("a record");
	buf_clear(b);
}

static void
greet(struct hub *hub)
{
	struct buf b = { 0 };
	int pair[2], claim = sealed_room("claim", sizeof(struct hub_claim));

	if (claim == -1 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1 ||
	    hub_admit(hub, pair[0]) == -1)
		die("a worker");
	worker = pair[1];
	hub_end(&b, hub_begin(&b, HUB_HELLO, 0, HUB_VERSION, 0));
	say(&b, claim);
	close(claim);
	buf_free(&b);
}

static void
connect_peer(struct hub *hub, int i)
{
	struct buf b = { 0 };
	size_t begun;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		die("socketpair");
	peers[i] = pair[1];
	begun = hub_begin(&b, HUB_OPEN, 0, 0, (uint64_t)i * 2654435761u + 1);
	hub_part(&b, "101", 3);
	hub_part(&b, NULL, 0);
	hub_part(&b, "user=12345", 10);
	hub_part(&b, "192.0.2.1 GET /chat/room", 24);
	hub_end(&b, begun);
	say(&b, pair[0]);
	begun = hub_begin(&b, HUB_SUBSCRIBE, 0, 0,
	    (uint64_t)i * 2654435761u + 1);
	hub_part(&b, "ticks", 5);
	hub_end(&b, begun);
	say(&b, -1);
	close(pair[0]);
	buf_free(&b);
	hub_turn(hub, 0);
}

static void
empty(int n)
{
	static char room[65536];

	for (int i = 0; i < n; i++)
		while (recv(peers[i], room, sizeof(room), MSG_DONTWAIT) > 0)
			;
}

static void
publish(int times)
{
	struct buf b = { 0 };

	for (int i = 0; i < times; i++) {
		size_t begun = hub_begin(&b, HUB_PUBLISH, WS_TEXT, 0, 0);

		hub_part(&b, "ticks", 5);
		hub_part(&b, TEXT, sizeof(TEXT) - 1);
		hub_end(&b, begun);
	}
	say(&b, -1);
	buf_free(&b);
}

/* Frames a second. */
static double
by_hub(struct hub *hub, int n, int each)
{
	struct hub_counts counts;
	uint64_t before;
	int64_t begun, took;

	empty(n);
	hub_count(hub, &counts);
	before = counts.sent;
	publish(each);
	begun = clock_cpu_us();
	do {
		hub_turn(hub, 0);
		hub_count(hub, &counts);
	} while (counts.sent - before < (uint64_t)n * (uint64_t)each ||
	    hub->pile.bytes > 0);
	took = clock_cpu_us() - begun;
	drain(hub);
	return (double)n * each * 1e6 / (double)took;
}

static double
by_send(const int *from, int n)
{
	unsigned char frame[200];
	size_t len = ws_put_header(frame, WS_TEXT, true, sizeof(TEXT) - 1,
	    NULL);
	int64_t begun;

	memcpy(frame + len, TEXT, sizeof(TEXT) - 1);
	len += sizeof(TEXT) - 1;
	empty(n);
	begun = clock_cpu_us();
	for (int i = 0; i < n; i++)
		if (send(from[i], frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) !=
		    (ssize_t)len)
			die("send");
	return (double)n * 1e6 / (double)(clock_cpu_us() - begun);
}

int
main(int argc, char **argv)
{
	const int n = argc > 1 ? atoi(argv[1]) : 5000;
	const int rounds = argc > 2 ? atoi(argv[2]) : 15;
	const struct hub_options options = { .connections = 100000,
		.links = 10, .message = 65536, .fragments = 1000,
		.channels = 100, .waiting = 1024, .send_buffer = 262144,
		.output = 1 << 28, .input = 1 << 26, .ping = 30000,
		.silence = 30000, .close = 5000 };
	struct rlimit files = { 2 * (rlim_t)n + 100, 2 * (rlim_t)n + 100 };
	struct hub *hub = hub_new(&options);
	struct hub_socket *s = NULL;
	int *from = calloc((size_t)n, sizeof(*from));
	double bare = 0, one = 0, four = 0, rate;
	size_t before;

	peers = calloc((size_t)n, sizeof(*peers));
	if (setrlimit(RLIMIT_NOFILE, &files) == -1 || hub == NULL ||
	    from == NULL || peers == NULL)
		die("limits");
	greet(hub);
	drain(hub);
	before = mallinfo2().uordblks;
	for (int i = 0; i < n; i++)
		connect_peer(hub, i);
	drain(hub);
	printf("idle socket: %zu bytes (struct %zu)\n",
	    (mallinfo2().uordblks - before) / (size_t)n,
	    sizeof(struct hub_socket));
	for (int i = 0; (s = hub_socket_next(hub, s)) != NULL; i++)
		from[i] = s->fd;
	for (int i = 0; i < rounds; i++) {
		rate = by_send(from, n);
		bare = rate > bare ? rate : bare;
		rate = by_hub(hub, n, 1);
		one = rate > one ? rate : one;
		rate = by_hub(hub, n, 4);
		four = rate > four ? rate : four;
	}
	printf("bare send(2): %.0f/s\nhub: %.0f frames/s, %.2f of it\n"
	    "hub, four for each: %.0f frames/s\n", bare, one, one / bare,
	    four);
	return 0;
}

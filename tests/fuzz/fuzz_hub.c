/*
 * What a worker says to the hub, and what a peer sends through it: the bytes up
 * to the first 0xff 0xff are a worker's, behind its greeting and a socket that it
 * has opened; the others that peer's.  Whatever they are, the hub goes on to
 * serve another worker and another peer.
 */

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sealed.h"
#include "fuzz.h"
#include "fuzz_hub.h"
#include "ipc/hub_claim.h"
#include "ipc/hub_record.h"

static void
turn(struct hub *hub)
{
	for (int i = 0; i < 8; i++)
		must(hub_turn(hub, 0) == 0);
}

static int
knock(struct hub *hub)
{
	struct buf b = { 0 };
	int pair[2], claim = sealed_room("claim", sizeof(struct hub_claim));

	must(claim != -1 &&
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
	    hub_admit(hub, pair[0]) == 0);
	hub_end(&b, hub_begin(&b, HUB_HELLO, 0, HUB_VERSION, 0));
	must(fd_send(pair[1], claim, b.data, b.len) == (long)b.len);
	close(claim);
	buf_free(&b);
	turn(hub);
	return pair[1];
}

static int
open_peer(struct hub *hub, int worker, uint64_t id)
{
	struct buf b = { 0 };
	size_t begun = hub_begin(&b, HUB_OPEN, 0, 0, id);
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	hub_part(&b, "", 0);
	hub_part(&b, "", 0);
	hub_part(&b, "session", 7);
	hub_part(&b, "context", 7);
	hub_end(&b, begun);
	must(fd_send(worker, pair[0], b.data, b.len) == (long)b.len);
	close(pair[0]);
	buf_free(&b);
	turn(hub);
	return pair[1];
}

/* What comes is whole records, to the last. */
static void
hear(int worker, bool something)
{
	char bytes[20000];
	struct hub_record record;
	struct hub_part part;
	size_t need, at = 0;
	ssize_t n = recv(worker, bytes, sizeof(bytes), MSG_DONTWAIT);
	long taken;

	must(!something || n > 0);
	while (n > 0 && (taken = hub_take(bytes + at, (size_t)n - at, &record,
		&need)) != 0) {
		must(taken > 0);
		at += (size_t)taken;
		while (hub_take_part(&record, &part))
			must(part.len <= 500 || part.len <= HUB_SESSION);
		must(record.len == 0);
	}
	must(n <= 0 || at == (size_t)n);
}

static void
send_all(struct hub *hub, int fd, const uint8_t *data, size_t n)
{
	ssize_t sent;

	for (; n > 0; data += sent, n -= (size_t)sent) {
		sent = send(fd, data, n < 4000 ? n : 4000,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		turn(hub);
		if (sent <= 0)
			return;
	}
}

FUZZ(hub)
{
	static const unsigned char hello[] = "\x81\x85\0\0\0\0hello";
	const uint8_t *end = memmem(data, size, "\xff\xff", 2);
	size_t n = end == NULL ? size : (size_t)(end - data);
	struct hub *hub;
	int one, other, peer, second;

	log_set_level(LEVEL_ALERT);
	hub = make_hub();
	one = knock(hub);
	peer = open_peer(hub, one, 1);
	send_all(hub, one, data, n);
	if (end != NULL)
		send_all(hub, peer, end + 2, size - n - 2);
	hear(one, false);
	close(one);
	close(peer);
	turn(hub);
	other = knock(hub);
	hear(other, false);
	second = open_peer(hub, other, 0x1234567890abcdef);
	send_all(hub, second, hello, sizeof(hello) - 1);
	hear(other, hub->queue.n == 0);
	hub_free(hub);
	close(other);
	close(second);
}

static void
subscribe(struct hub *hub, int worker, uint64_t id, const char *channel)
{
	struct buf b = { 0 };
	size_t begun = hub_begin(&b, HUB_SUBSCRIBE, 0, 0, id);

	hub_part(&b, channel, strlen(channel));
	hub_end(&b, begun);
	must(fd_send(worker, -1, b.data, b.len) == (long)b.len);
	buf_free(&b);
	turn(hub);
}

/*
 * What a client of the control socket publishes: the bytes up to the first 0xff
 * 0xff are what the master has received behind the first word of its line, the
 * others come later.  It gets one answer, and a socket of the channel "all" a
 * message only if the answer says so.
 */
FUZZ(hub_publisher)
{
	static const char queued[] = "ok\nqueued to 1 WebSocket\n";
	const uint8_t *end = memmem(data, size, "\xff\xff", 2);
	size_t n = end == NULL ? size : (size_t)(end - data);
	char text[2048] = HUB_PUBLISHES, answer[512];
	struct hub *hub;
	int worker, peer, client[2];
	ssize_t said;

	log_set_level(LEVEL_ALERT);
	hub = make_hub();
	worker = knock(hub);
	peer = open_peer(hub, worker, 1);
	subscribe(hub, worker, 1, "all");
	if (n > sizeof(text) - strlen(text))
		n = sizeof(text) - strlen(text);
	memcpy(text + strlen(HUB_PUBLISHES), data, n);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, client) == 0);
	hub_hear_publisher(hub, client[0], text, strlen(HUB_PUBLISHES) + n);
	turn(hub);
	if (end != NULL)
		send_all(hub, client[1], end + 2, size - (size_t)(end + 2 - data));
	shutdown(client[1], SHUT_WR);
	turn(hub);
	said = recv(client[1], answer, sizeof(answer), MSG_DONTWAIT);
	must(said > 3 && answer[said - 1] == '\n');
	must(memcmp(answer, "ok\n", 3) == 0 || memcmp(answer, "failed\n", 7) == 0);
	must(recv(client[1], answer + said, 1, MSG_DONTWAIT) <= 0);
	if ((size_t)said != strlen(queued) ||
	    memcmp(answer, queued, strlen(queued)) != 0)
		must(recv(peer, text, sizeof(text), MSG_DONTWAIT) == -1);
	hear(worker, false);
	hub_free(hub);
	close(worker);
	close(peer);
	close(client[1]);
}

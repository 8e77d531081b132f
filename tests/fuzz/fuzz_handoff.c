/*
 * What another worker says that it hands over: it is refused, or there is a
 * connection, whose bytes go through the judge and which can be handed on as
 * it is.  No descriptor is left over.
 */

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "fuzz.h"
#include "net/fcgi_wire.h"
#include "worker/net/handoff.h"
#include "worker/net/poller.h"
#include "worker/proto/fcgi/fcgi_peer.h"

static const struct scan_limits limits = { .head = 2048, .capacity = 7,
	.roles = SCAN_ROLE(FCGI_RESPONDER) | SCAN_ROLE(FCGI_AUTHORIZER) |
	    SCAN_ROLE(FCGI_FILTER) };
static int exchange[2];

static int
pack(const struct conn *c, struct buf *out)
{
	return scan_pack(fcgi_state(c), &c->in, out);
}

static void
set_up(void)
{
	const struct conn_limits few = { .max = 16, .nkinds = 1,
		.kinds = { { .name = "fcgi", .pack = pack,
		    .state_size = sizeof(struct scan),
		    .patience = { [CONN_HEAD] = 1000, [CONN_IDLE] = 1000,
			[CONN_FLUSH] = 1000 } } } };

	must(conn_init(poller_open(), &few) == 0 && fd_pair(exchange) == 0);
}

/* As serve does with one that it takes over; it is parked or closed. */
static bool
park(struct conn *c)
{
	struct buf reply = { 0 };
	bool more = scan_next(fcgi_state(c), &c->in, &limits, &reply) == SCAN_MORE;

	must(fcgi_state(c)->at <= c->in.len);
	buf_free(&reply);
	if (!more) {
		conn_close(c);
		return false;
	}
	if (fcgi_state(c)->state == SCAN_IDLE) {
		buf_consume(&c->in, fcgi_state(c)->at);
		fcgi_state(c)->at = 0;
	}
	must(conn_park(c, c->state) == 0);
	return true;
}

static void
hand_on(struct conn *c)
{
	struct scan before = *fcgi_state(c);
	enum conn_state state = c->state;

	must(handoff_give(c, exchange[1]) == 0);
	c = handoff_take(exchange[0]);
	must(c != NULL && c->state == state);
	must(park(c));
	must(fcgi_state(c)->state == before.state && fcgi_state(c)->id == before.id &&
	    fcgi_state(c)->role == before.role &&
	    fcgi_state(c)->keep == before.keep && fcgi_state(c)->skip == before.skip &&
	    fcgi_state(c)->params_len == before.params_len);
	conn_close(c);
}

/* The first byte says with which descriptor. */
static int
descriptor(unsigned kind)
{
	int pair[2];

	if (kind % 8 == 0)
		return -1;
	if (kind % 8 == 1)
		return open("/dev/null", O_RDWR);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	close(pair[0]);
	return pair[1];
}

static int
lowest_free(void)
{
	int fd = dup(exchange[0]);

	close(fd);
	return fd;
}

FUZZ(handoff)
{
	static bool ready;
	struct conn *c;
	int fd, unused;

	if (!ready)
		set_up();
	ready = true;
	if (size == 0)
		return;
	unused = lowest_free();
	fd = descriptor(data[0]);
	must(fd_send(exchange[1], fd, data + 1, size - 1) != -1);
	fd_close(&fd);
	c = handoff_take(exchange[0]);
	must(c != NULL || errno == EPROTO || errno == ENOMSG);
	if (c != NULL && park(c))
		hand_on(c);
	must(lowest_free() == unused);
}

/*
 * What a hub leaves to the next one.  Whatever it is, it is refused, or the next
 * hub goes on with it, writes down the same that it has read, and serves.  The
 * descriptors are four sockets and the memory of a claim.
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

#define SOCKETS 4

static void
lend(struct hub_fds *fds, int peers[SOCKETS])
{
	int pair[2];

	fds->fd = calloc(SOCKETS + 1, sizeof(int));
	must(fds->fd != NULL);
	for (int i = 0; i < SOCKETS; i++) {
		must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
		fds->fd[fds->n++] = pair[0];
		peers[i] = pair[1];
	}
	fds->fd[fds->n++] = sealed_room("claim", sizeof(struct hub_claim));
	must(fds->fd[SOCKETS] != -1);
}

/* The order of sockets and the places of descriptors may be other ones. */
static void
compare(const struct hub *a, const struct hub *b)
{
	const struct hub_socket *s = NULL, *t;

	must(a->nsockets == b->nsockets && a->nlinks == b->nlinks &&
	    a->queue.n == b->queue.n && a->channels.n == b->channels.n &&
	    a->counts.open == b->counts.open &&
	    a->pile.bytes == b->pile.bytes && a->input >= b->input);
	while ((s = hub_table_next(a, s)) != NULL) {
		t = hub_table_find(b, s->id);
		must(t != NULL && t->state == s->state && t->busy == s->busy &&
		    t->out.bytes == s->out.bytes &&
		    t->out.sent == s->out.sent &&
		    t->subscriber.n == s->subscriber.n &&
		    t->session_len == s->session_len &&
		    t->reader.left == s->reader.left &&
		    (t->farewell == NULL) == (s->farewell == NULL));
	}
}

static void
pass_on(const struct hub *hub)
{
	struct hub *heir = make_hub();
	struct hub_fds fds = { 0 };
	struct buf text = { 0 };
	struct why why;

	must(hub_pass(hub, &text, &fds) == 0);
	for (size_t i = 0; i < fds.n; i++)
		must((fds.fd[i] = dup(fds.fd[i])) != -1);
	must(hub_adopt(heir, &text, &fds, &why) == 0);
	compare(hub, heir);
	hub_free(heir);
	buf_free(&text);
}

FUZZ(hub_state)
{
	struct hub *hub = make_hub();
	struct hub_fds fds = { 0 };
	struct buf text = { 0 };
	struct why why;
	int peers[SOCKETS];

	log_set_level(LEVEL_ALERT);
	lend(&fds, peers);
	buf_add(&text, data, size);
	if (hub_adopt(hub, &text, &fds, &why) == 0) {
		pass_on(hub);
		for (int i = 0; i < 8; i++)
			must(hub_turn(hub, 0) == 0);
		for (int i = 0; i < SOCKETS; i++)
			send(peers[i], "\x81\x85\0\0\0\0hello", 11,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		for (int i = 0; i < 8; i++)
			must(hub_turn(hub, 0) == 0);
		pass_on(hub);
	}
	must(fds.n == 0);
	hub_free(hub);
	buf_free(&text);
	for (int i = 0; i < SOCKETS; i++)
		close(peers[i]);
}

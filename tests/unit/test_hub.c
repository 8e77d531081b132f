/* The hub without a daemon: peers and workers are the other ends of socket
 * pairs, and the test is both. */

#include "hub/hub.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/sealed.h"
#include "hub/hub_impl.h"
#include "ipc/hub_claim.h"
#include "ipc/hub_record.h"
#include "net/ws_frame.h"
#include "unit.h"
#include "ws_unit.h"

static struct hub_options options;
static struct hub *hub;
static unsigned starved;
static bool passes; /* from hub to hub, in the middle of everything */

struct worker {
	int fd;
	struct hub_claim *claim;
	struct buf in;
	uint64_t work; /* number of the last one */
};

struct peer {
	int fd;
	uint64_t id;
};

static void
count_starved(void *arg)
{
	(void)arg;
	starved++;
}

static void
set_up(void)
{
	options = (struct hub_options){ .connections = 50, .links = 4,
		.message = 1000, .fragments = 4, .channels = 3, .waiting = 20,
		.send_buffer = 20000, .output = 1000000, .input = 100000,
		.ping = 60000, .silence = 60000, .close = 60000,
		.starved = count_starved };
	starved = 0;
	hub = hub_new(&options);
	ck_assert_ptr_nonnull(hub);
}

/* Another hub with the options as they are now. */
static void
set_up_again(void)
{
	hub_free(hub);
	hub = hub_new(&options);
}

static void
tear_down(void)
{
	hub_free(hub);
}

/* What another process would have of the hub, which keeps its own. */
static void
pass_on(struct buf *text, struct hub_fds *fds)
{
	ck_assert_int_eq(hub_pass(hub, text, fds), 0);
	for (size_t i = 0; i < fds->n; i++) {
		fds->fd[i] = fcntl(fds->fd[i], F_DUPFD_CLOEXEC, 0);
		ck_assert_int_ne(fds->fd[i], -1);
	}
}

/* As its process does that ends then: it says nothing to anybody. */
static void
forget_publishers(void)
{
	struct hub_publisher *p;

	while ((p = hub->publishers) != NULL) {
		hub->publishers = p->next;
		close(p->fd);
		buf_free(&p->in);
		free(p);
	}
}

/* Another hub takes the place of this one. */
static void
succeed(void)
{
	struct buf text = { 0 };
	struct hub_fds fds = { 0 };
	struct why why;

	pass_on(&text, &fds);
	forget_publishers();
	hub_free(hub);
	hub = hub_new(&options);
	ck_assert_msg(hub_adopt(hub, &text, &fds, &why) == 0, "%s",
	    why.text);
	buf_free(&text);
}

/* All that can happen now happens. */
static void
turn(void)
{
	for (int i = 0; i < 12; i++) {
		if (passes && i % 3 == 0 && !hub->leaving)
			succeed();
		ck_assert_int_eq(hub_turn(hub, 0), 0);
	}
}

/* ---- a worker --------------------------------------------------------------------- */

static void
say(struct worker *w, struct buf *b)
{
	ck_assert(!b->failed);
	ck_assert_int_eq(fd_send(w->fd, -1, b->data, b->len), (long)b->len);
	buf_free(b);
}

static struct worker
silent_worker(void)
{
	struct worker w = { 0 };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	ck_assert_int_eq(hub_admit(hub, pair[0]), 0);
	w.fd = pair[1];
	return w;
}

static void
leave(struct worker *w)
{
	close(w->fd);
	munmap(w->claim, sizeof(*w->claim));
	buf_free(&w->in);
	turn();
}

/* A record with one part, or with none if it is NULL. */
static void
tell(struct worker *w, enum hub_type type, unsigned kind, unsigned code,
    uint64_t id, const char *text)
{
	struct buf b = { 0 };
	size_t begun = hub_begin(&b, type, kind, code, id);

	if (text != NULL)
		hub_part(&b, text, strlen(text));
	hub_end(&b, begun);
	say(w, &b);
	turn();
}

static void
publish(struct worker *w, const char *channel, const char *text)
{
	struct buf b = { 0 };
	size_t begun = hub_begin(&b, HUB_PUBLISH, WS_TEXT, 0, 0);

	hub_part(&b, channel, strlen(channel));
	hub_part(&b, text, strlen(text));
	hub_end(&b, begun);
	say(w, &b);
	turn();
}

/* The next record of the hub as a text: "M 7 context session data",
 * "X 7 1000 context session reason"; "" if there is none. */
static const char *
hear(struct worker *w)
{
	static char text[5000];
	struct hub_record r;
	struct hub_part p[3] = { { "", 0 }, { "", 0 }, { "", 0 } };
	size_t need;
	ssize_t got;
	long n;

	ck_assert_ptr_nonnull(buf_reserve(&w->in, 100000));
	got = recv(w->fd, w->in.data + w->in.len, 100000, MSG_DONTWAIT);
	w->in.len += got > 0 ? (size_t)got : 0;
	n = hub_take(w->in.data, w->in.len, &r, &need);
	ck_assert_int_ge(n, 0);
	if (n == 0)
		return got == 0 ? "end" : "";
	for (size_t i = 0; i < 3; i++)
		hub_take_part(&r, &p[i]);
	snprintf(text, sizeof(text), r.type == HUB_CLOSED ?
	    "%c %llu %u %.*s %.*s %.*s" : "%c %llu %.0u%.*s %.*s %.*s", r.type,
	    (unsigned long long)r.id, r.type == HUB_CLOSED ? r.code : 0,
	    (int)p[0].len, p[0].data, (int)p[1].len, p[1].data, (int)p[2].len,
	    p[2].data);
	if (r.type == HUB_MESSAGE || r.type == HUB_CLOSED)
		w->work++;
	buf_consume(&w->in, (size_t)n);
	return text;
}

static struct worker
worker(void)
{
	struct worker w = silent_worker();
	struct buf b = { 0 };
	int fd = sealed_room("claim", sizeof(*w.claim));

	ck_assert_int_ne(fd, -1);
	w.claim = mmap(NULL, sizeof(*w.claim), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	hub_end(&b, hub_begin(&b, HUB_HELLO, 0, HUB_VERSION, 0));
	ck_assert_int_eq(fd_send(w.fd, fd, b.data, b.len), (long)b.len);
	close(fd);
	buf_free(&b);
	turn();
	ck_assert_str_eq(hear(&w), hub->full ? "f 0   " : "r 0   ");
	return w;
}

static void
done(struct worker *w)
{
	tell(w, HUB_DONE, 0, 0, w->work, NULL);
}

/* ---- a peer ------------------------------------------------------------------------- */

static struct peer
open_raw(struct worker *w, uint64_t id, const char *input, size_t len)
{
	struct buf b = { 0 };
	struct peer peer = { .id = id };
	int pair[2];
	size_t begun = hub_begin(&b, HUB_OPEN, HUB_WANTS_CLOSE, 0, id);

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	hub_part(&b, "101\r\n", 5);
	hub_part(&b, input, len);
	hub_part(&b, "s", 1);
	hub_part(&b, "c", 1);
	hub_end(&b, begun);
	ck_assert_int_eq(fd_send(w->fd, pair[0], b.data, b.len), (long)b.len);
	close(pair[0]);
	buf_free(&b);
	peer.fd = pair[1];
	turn();
	return peer;
}

/* What has come to the peer, as it is; "end" in its place once the hub has closed
 * the connection. */
static const char *
got(const struct peer *peer, size_t *len)
{
	static char text[100000];
	ssize_t n, all = 0;

	while ((n = recv(peer->fd, text + all, sizeof(text) - 1 - (size_t)all,
		MSG_DONTWAIT)) > 0)
		all += n;
	if (all == 0 && n == 0)
		all = sprintf(text, "end");
	text[all] = '\0';
	*len = (size_t)all;
	return text;
}

static void
expect_bytes(const struct peer *peer, const char *wanted, size_t len)
{
	size_t n;
	const char *have = got(peer, &n);

	ck_assert_msg(n == len && memcmp(have, wanted, len) == 0,
	    "%zu bytes, %02x %02x: %s", n, have[0] & 0xff, have[1] & 0xff, have);
}

static void
expect(const struct peer *peer, const char *wanted)
{
	expect_bytes(peer, wanted, strlen(wanted));
}

static struct peer
open_peer(struct worker *w, uint64_t id)
{
	struct peer peer = open_raw(w, id, NULL, 0);

	expect(&peer, "101\r\n");
	return peer;
}

static void
send_raw(const struct peer *peer, struct buf *b)
{
	ck_assert_int_eq(send(peer->fd, b->data, b->len, MSG_NOSIGNAL),
	    (ssize_t)b->len);
	buf_free(b);
	turn();
}

static void
send_frame(const struct peer *peer, unsigned first, const char *text)
{
	struct buf b = { 0 };

	ws_unit_add(&b, first, text, strlen(text));
	send_raw(peer, &b);
}

/* What most cases have: a worker, and the peers 1 to n. */
struct scene {
	struct worker w;
	struct peer p[4];
	size_t n;
};

static struct scene
begin(size_t n)
{
	struct scene s = { .w = worker() };

	for (; s.n < n; s.n++)
		s.p[s.n] = open_peer(&s.w, s.n + 1);
	return s;
}

/* Each of the peers has sent a message. */
static struct scene
begin_with_messages(size_t n)
{
	struct scene s = begin(n);

	for (size_t i = 0; i < n; i++)
		send_frame(&s.p[i], 0x81, "x");
	return s;
}

/* It closes the connection. */
static void
go(struct peer *peer)
{
	close(peer->fd);
	peer->fd = -1;
	turn();
}

/* Those who are still there go. */
static void
end(struct scene *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->p[i].fd != -1)
			close(s->p[i].fd);
	leave(&s->w);
}

static struct hub_counts
counts(void)
{
	struct hub_counts c;

	hub_count(hub, &c);
	return c;
}

/* ---- messages -------------------------------------------------------------------------- */

START_TEST(a_message_goes_to_a_worker_and_back)
{
	struct worker w = worker();
	struct peer p = open_peer(&w, 7);

	send_frame(&p, 0x81, "hello");
	ck_assert_str_eq(hear(&w), "M 7 c s hello");
	tell(&w, HUB_SEND, WS_TEXT, 0, 7, "answer");
	expect(&p, "\x81\x06" "answer");
	tell(&w, HUB_SETS, 0, 0, 7, "fresh");
	done(&w);
	send_frame(&p, 0x82, "more");
	ck_assert_str_eq(hear(&w), "M 7 c fresh more");
	tell(&w, HUB_SEND, WS_BINARY, 0, 7, "answer");
	expect(&p, "\x82\x06" "answer");
	ck_assert_uint_eq(counts().received, 2);
	ck_assert_uint_eq(counts().sent, 2);
	close(p.fd);
	leave(&w);
}
END_TEST

START_TEST(bytes_behind_the_handshake_count)
{
	struct worker w = worker();
	struct buf b = { 0 };
	struct peer p;

	ws_unit_add(&b, 0x81, "early", 5);
	ws_unit_add(&b, 0x81, "cut", 3);
	p = open_raw(&w, 7, b.data, b.len - 2);
	expect(&p, "101\r\n");
	ck_assert_str_eq(hear(&w), "M 7 c s early");
	done(&w);
	ck_assert_str_eq(hear(&w), "");
	buf_consume(&b, b.len - 2);
	send_raw(&p, &b);
	ck_assert_str_eq(hear(&w), "M 7 c s cut");
	close(p.fd);
	leave(&w);
}
END_TEST

START_TEST(one_message_of_a_socket_is_out_at_a_time)
{
	struct scene s = begin(2);
	struct buf b = { 0 };

	ws_unit_add(&b, 0x81, "a", 1);
	ws_unit_add(&b, 0x81, "b", 1);
	ws_unit_add(&b, 0x89, "ping", 4);
	ws_unit_add(&b, 0x81, "c", 1);
	send_raw(&s.p[0], &b);
	ck_assert_str_eq(hear(&s.w), "M 1 c s a");
	ck_assert_str_eq(hear(&s.w), "");
	send_frame(&s.p[1], 0x81, "other");
	ck_assert_str_eq(hear(&s.w), "M 2 c s other");
	tell(&s.w, HUB_DONE, 0, 0, 1, NULL);
	ck_assert_str_eq(hear(&s.w), "M 1 c s b");
	expect(&s.p[0], "");
	tell(&s.w, HUB_DONE, 0, 0, 2, NULL);
	tell(&s.w, HUB_DONE, 0, 0, 3, NULL);
	ck_assert_str_eq(hear(&s.w), "M 1 c s c");
	expect(&s.p[0], "\x8a\x04ping");
	end(&s);
}
END_TEST

START_TEST(bytes_may_come_one_by_one)
{
	struct scene s = begin(1);
	struct buf b = { 0 }, one = { 0 };

	ws_unit_add(&b, 0x01, "frag", 4);
	ws_unit_add(&b, 0x89, "p", 1);
	ws_unit_add(&b, 0x80, "ment", 4);
	for (size_t i = 0; i < b.len; i++) {
		ck_assert_str_eq(hear(&s.w), "");
		buf_putc(&one, b.data[i]);
		send_raw(&s.p[0], &one);
	}
	ck_assert_str_eq(hear(&s.w), "M 1 c s fragment");
	expect(&s.p[0], "\x8a\x01p");
	buf_free(&b);
	end(&s);
}
END_TEST

/* Many, large and small, in few pieces: none is lost, none out of order. */
START_TEST(a_stream_of_messages_keeps_its_order)
{
	struct scene s = begin(1);
	struct buf b = { 0 };
	char text[1001], wanted[1100];

	for (int i = 0; i < 300; i++) {
		memset(text, 'a' + i % 26, sizeof(text));
		ws_unit_add(&b, 0x81, text, (size_t)(i * 37 % 1000));
	}
	for (size_t at = 0, n; at < b.len; at += n) {
		n = b.len - at < 60000 ? b.len - at : 60000;
		ck_assert_int_eq(send(s.p[0].fd, b.data + at, n, MSG_NOSIGNAL),
		    (ssize_t)n);
		turn();
		if (at > 0)
			continue;
		for (int i = 0; i < 50; i++, done(&s.w))
			ck_assert_str_ne(hear(&s.w), "");
	}
	for (int i = 50; i < 300; i++, done(&s.w)) {
		snprintf(wanted, sizeof(wanted), "M 1 c s ");
		memset(wanted + 8, 'a' + i % 26, sizeof(wanted) - 8);
		wanted[8 + i * 37 % 1000] = '\0';
		ck_assert_str_eq(hear(&s.w), wanted);
	}
	buf_free(&b);
	end(&s);
}
END_TEST

/* ---- the end of a socket ------------------------------------------------------------------ */

START_TEST(a_close_is_answered_and_told)
{
	struct scene s = begin(1);

	send_frame(&s.p[0], 0x88, "\x0f\xa0why");
	expect(&s.p[0], "\x88\x02\x0f\xa0");
	expect(&s.p[0], "end");
	ck_assert_str_eq(hear(&s.w), "X 1 4000 c s why");
	ck_assert_uint_eq(counts().open, 0);
	ck_assert(!hub_is_empty(hub));
	done(&s.w);
	ck_assert(hub_is_empty(hub));
	end(&s);
}
END_TEST

START_TEST(a_peer_may_say_close_and_go)
{
	struct scene s = begin(1);
	struct buf b = { 0 };

	ws_unit_add(&b, 0x88, "", 0);
	ck_assert_int_eq(send(s.p[0].fd, b.data, b.len, 0), (ssize_t)b.len);
	shutdown(s.p[0].fd, SHUT_WR);
	turn();
	expect_bytes(&s.p[0], "\x88\x00", 2);
	ck_assert_str_eq(hear(&s.w), "X 1 1005 c s ");
	buf_free(&b);
	end(&s);
}
END_TEST

START_TEST(a_peer_that_just_goes_has_1006)
{
	struct scene s = begin(1);

	go(&s.p[0]);
	ck_assert_str_eq(hear(&s.w), "X 1 1006 c s ");
	end(&s);
}
END_TEST

/* A worker closes its descriptor when it has been given, which may be after the
 * socket's end. */
START_TEST(nothing_is_heard_of_a_socket_that_has_ended)
{
	struct worker w = worker();
	struct buf b = { 0 };
	size_t begun = hub_begin(&b, HUB_OPEN, 0, 0, 1);
	int pair[2];

	mallopt(M_PERTURB, 85);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
	    pair), 0);
	for (const char *const *part = (const char *[]){ "101", "\x88\x80mask",
	    "", "", NULL }; *part != NULL; part++)
		hub_part(&b, *part, strlen(*part));
	hub_end(&b, begun);
	ck_assert_int_eq(fd_send(w.fd, pair[0], b.data, b.len), (long)b.len);
	buf_free(&b);
	turn();
	ck_assert_uint_eq(counts().open, 0);
	close(pair[1]);
	turn();
	close(pair[0]);
	leave(&w);
}
END_TEST

START_TEST(the_end_is_told_after_the_last_message)
{
	struct scene s = begin(1);
	struct buf b = { 0 };

	ws_unit_add(&b, 0x81, "last", 4);
	ws_unit_add(&b, 0x88, "\x03\xe8", 2);
	send_raw(&s.p[0], &b);
	ck_assert_str_eq(hear(&s.w), "M 1 c s last");
	ck_assert_str_eq(hear(&s.w), "");
	tell(&s.w, HUB_SEND, WS_TEXT, 0, 1, "bye");
	done(&s.w);
	ck_assert_str_eq(hear(&s.w), "X 1 1000 c s ");
	expect(&s.p[0], "\x81\x03" "bye\x88\x02\x03\xe8");
	end(&s);
}
END_TEST

START_TEST(an_application_may_close)
{
	struct scene s = begin(1);

	tell(&s.w, HUB_CLOSE, 0, 4321, 1, "enough");
	expect(&s.p[0], "\x88\x08\x10\xe1" "enough");
	tell(&s.w, HUB_SEND, WS_TEXT, 0, 1, "never");
	tell(&s.w, HUB_CLOSE, 0, 1000, 1, "");
	send_frame(&s.p[0], 0x81, "dropped");
	send_frame(&s.p[0], 0x88, "\x10\xe1");
	expect(&s.p[0], "end");
	ck_assert_str_eq(hear(&s.w), "X 1 4321 c s enough");
	end(&s);
}
END_TEST

struct fault {
	unsigned first;
	const char *text;
	const char *code;
};

static const struct fault faults[] = {
	{ 0xc1, "x", "\x03\xea" },
	{ 0x83, "x", "\x03\xea" },
	{ 0x80, "x", "\x03\xea" },
	{ 0x81, "\xff", "\x03\xef" },
	{ 0x88, "\x03\xed", "\x03\xea" },
};

START_TEST(a_fault_is_told_to_the_peer)
{
	struct scene s = begin(1);
	size_t n;
	const char *text;

	send_frame(&s.p[0], faults[_i].first, faults[_i].text);
	text = got(&s.p[0], &n);
	ck_assert_int_eq(text[0] & 0xff, 0x88);
	ck_assert_mem_eq(text + 2, faults[_i].code, 2);
	expect(&s.p[0], "end"); /* to write; what the peer sends is dropped */
	send_frame(&s.p[0], 0x81, "more");
	ck_assert_uint_eq(counts().open, 1);
	go(&s.p[0]);
	ck_assert_uint_eq(counts().open, 0);
	ck_assert_uint_eq(counts().faults, 1);
	ck_assert_str_ne(hear(&s.w), "");
	end(&s);
}
END_TEST

START_TEST(limits_have_codes)
{
	struct scene s = begin(2);
	struct buf b = { 0 };
	char text[1001];
	size_t n;

	memset(text, 'x', sizeof(text));
	ws_unit_add(&b, 0x82, text, 1001);
	send_raw(&s.p[0], &b);
	ck_assert_mem_eq(got(&s.p[0], &n) + 2, "\x03\xf1", 2); /* 1009 */
	for (int i = 0; i < 5; i++)
		ws_unit_add(&b, i == 0 ? 0x02 : 0x00, "x", 1);
	send_raw(&s.p[1], &b);
	ck_assert_mem_eq(got(&s.p[1], &n) + 2, "\x03\xf0", 2); /* 1008 */
	end(&s);
}
END_TEST

/* Messages that are not complete take no more memory than the pool has for
 * them: one that finds none is refused, and those that began first go on. */
START_TEST(without_room_for_a_message_there_is_1013)
{
	struct worker w;
	struct peer p[12];
	struct buf b = { 0 };
	char text[900];
	size_t n;

	options.input = 8000;
	set_up_again();
	w = worker();
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < 12; i++) {
		p[i] = open_peer(&w, i + 1);
		ws_unit_add(&b, 0x02, text, sizeof(text));
		send_raw(&p[i], &b);
	}
	ck_assert_mem_eq(got(&p[11], &n) + 2, "\x03\xf5", 2); /* 1013 */
	send_frame(&p[0], 0x80, "y");
	ck_assert_int_eq(strncmp(hear(&w), "M 1 ", 4), 0);
	for (size_t i = 0; i < 12; i++)
		close(p[i].fd);
	leave(&w);
}
END_TEST

/* ---- channels ----------------------------------------------------------------------------- */

START_TEST(what_is_published_goes_to_subscribers)
{
	struct scene s = begin(3);

	tell(&s.w, HUB_SUBSCRIBE, 0, 0, 1, "news");
	tell(&s.w, HUB_SUBSCRIBE, 0, 0, 2, "news");
	tell(&s.w, HUB_SUBSCRIBE, 0, 0, 3, "other");
	publish(&s.w, "news", "one");
	publish(&s.w, "nothing", "two");
	expect(&s.p[0], "\x81\x03one");
	expect(&s.p[1], "\x81\x03one");
	expect(&s.p[2], "");
	tell(&s.w, HUB_UNSUBSCRIBE, 0, 0, 1, "news");
	go(&s.p[1]);
	publish(&s.w, "news", "three");
	expect(&s.p[0], "");
	ck_assert_uint_eq(counts().channels, 1);
	end(&s);
}
END_TEST

START_TEST(frames_leave_together)
{
	struct scene s = begin(1);
	struct buf b = { 0 };
	size_t begun;

	tell(&s.w, HUB_SUBSCRIBE, 0, 0, 1, "news");
	for (int i = 0; i < 3; i++) {
		begun = hub_begin(&b, HUB_PUBLISH, WS_TEXT, 0, 0);
		hub_part(&b, "news", 4);
		hub_part(&b, &"abc"[i], 1);
		hub_end(&b, begun);
	}
	say(&s.w, &b);
	turn();
	expect(&s.p[0], "\x81\x01" "a\x81\x01" "b\x81\x01" "c");
	end(&s);
}
END_TEST

START_TEST(a_slow_reader_is_cut_and_disturbs_nobody)
{
	struct scene s = begin(2);
	char text[5001] = "";
	size_t n, frames = 0;
	int small = 1;

	setsockopt(s.p[0].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	memset(text, 'x', sizeof(text) - 1);
	tell(&s.w, HUB_SUBSCRIBE, 0, 0, 1, "news");
	tell(&s.w, HUB_SUBSCRIBE, 0, 0, 2, "news");
	while (counts().slow == 0) {
		publish(&s.w, "news", text);
		got(&s.p[1], &n);
		ck_assert_uint_eq(n, 5004);
		ck_assert_uint_lt(++frames, 1000);
	}
	ck_assert_uint_ge(frames, 20000 / 5004);
	ck_assert_str_eq(hear(&s.w), "X 1 1008 c s ");
	publish(&s.w, "news", "on");
	expect(&s.p[1], "\x81\x02on");
	end(&s);
}
END_TEST

static size_t
unread(const struct peer *peer)
{
	return hub_socket_find(hub, peer->id)->out.bytes;
}

/* What waits for all peers of the pool has a limit too; the one that leaves most
 * pays for it. */
START_TEST(beyond_the_output_of_the_pool_the_slowest_is_cut)
{
	static const char *const names[] = { "a", "b", "c" };
	const size_t waits[] = { 10000, 15000, SIZE_MAX };
	struct worker w;
	struct peer p[3];
	char text[1001] = "";

	options.output = 30000;
	set_up_again();
	w = worker();
	memset(text, 'x', sizeof(text) - 1);
	for (unsigned i = 0; i < 3; i++) {
		p[i] = open_peer(&w, i + 1);
		tell(&w, HUB_SUBSCRIBE, 0, 0, i + 1, names[i]);
	}
	for (unsigned i = 0; i < 3; i++)
		while (counts().slow == 0 && unread(&p[i]) < waits[i])
			publish(&w, names[i], text);
	ck_assert_str_eq(hear(&w), "X 2 1008 c s ");
	ck_assert_uint_eq(counts().slow, 1);
	for (unsigned i = 0; i < 3; i++)
		close(p[i].fd);
	leave(&w);
}
END_TEST

/* ---- workers -------------------------------------------------------------------------------- */

START_TEST(messages_are_spread_over_workers)
{
	struct worker v = worker();
	struct scene s = begin_with_messages(4);

	ck_assert_str_ne(hear(&v), "");
	ck_assert_str_ne(hear(&v), "");
	ck_assert_str_eq(hear(&v), "");
	ck_assert_str_ne(hear(&s.w), "");
	ck_assert_str_ne(hear(&s.w), "");
	leave(&v);
	end(&s);
}
END_TEST

START_TEST(a_worker_gives_back_what_it_has_not_begun)
{
	struct scene s = begin_with_messages(3);
	struct worker w;

	for (size_t i = 0; i < 3; i++)
		ck_assert_str_ne(hear(&s.w), "");
	tell(&s.w, HUB_AWAY, 0, 0, 0, NULL);
	tell(&s.w, HUB_RETURN, 0, 0, 2, NULL);
	ck_assert_str_eq(hear(&s.w), "t 0   ");
	ck_assert_str_eq(hear(&s.w), "");
	ck_assert_uint_eq(counts().waiting, 2);
	ck_assert_uint_gt(starved, 0);
	w = worker();
	ck_assert_str_eq(hear(&w), "M 2 c s x");
	ck_assert_str_eq(hear(&w), "M 3 c s x");
	tell(&s.w, HUB_DONE, 0, 0, 1, NULL);
	send_frame(&s.p[0], 0x81, "y");
	ck_assert_str_eq(hear(&w), "M 1 c s y");
	tell(&w, HUB_AWAY, 0, 0, 0, NULL);
	tell(&s.w, HUB_BACK, 0, 0, 0, NULL);
	tell(&w, HUB_RETURN, 0, 0, 1, NULL);
	ck_assert_str_eq(hear(&s.w), "M 2 c s x");
	leave(&w);
	end(&s);
}
END_TEST

START_TEST(a_worker_that_dies_loses_only_what_it_had_in_hand)
{
	struct scene s = begin_with_messages(3);

	atomic_store(&s.w.claim->work, 1);
	leave(&s.w);
	expect(&s.p[0], "\x88\x02\x03\xf3"); /* 1011 */
	s.w = worker();
	ck_assert_str_eq(hear(&s.w), "M 2 c s x");
	ck_assert_str_eq(hear(&s.w), "M 3 c s x");
	ck_assert_str_eq(hear(&s.w), "");
	send_frame(&s.p[0], 0x88, "\x03\xf3");
	ck_assert_str_eq(hear(&s.w), "X 1 1011 c s ");
	ck_assert_uint_eq(counts().lost, 1);
	end(&s);
}
END_TEST

START_TEST(a_worker_that_dies_between_messages_loses_nothing)
{
	struct scene s = begin_with_messages(1);

	ck_assert_str_ne(hear(&s.w), "");
	atomic_store(&s.w.claim->work, 1);
	done(&s.w);
	send_frame(&s.p[0], 0x81, "y");
	leave(&s.w);
	expect(&s.p[0], "");
	s.w = worker();
	ck_assert_str_eq(hear(&s.w), "M 1 c s y");
	end(&s);
}
END_TEST

START_TEST(a_handler_that_raised_closes_its_socket)
{
	struct scene s = begin_with_messages(1);

	ck_assert_str_ne(hear(&s.w), "");
	tell(&s.w, HUB_FAILED, 0, 0, 1, NULL);
	expect(&s.p[0], "\x88\x02\x03\xf3");
	end(&s);
}
END_TEST

START_TEST(too_many_waiting_messages_stop_the_reading)
{
	struct worker w = worker();
	struct peer p[30];
	unsigned heard = 0;

	tell(&w, HUB_AWAY, 0, 0, 0, NULL);
	for (size_t i = 0; i < 30; i++) {
		p[i] = open_peer(&w, i + 1);
		send_frame(&p[i], 0x81, "x");
	}
	ck_assert_uint_eq(counts().waiting, 20);
	tell(&w, HUB_BACK, 0, 0, 0, NULL);
	while (*hear(&w) != '\0') {
		heard++;
		done(&w);
	}
	ck_assert_uint_eq(heard, 30);
	for (size_t i = 0; i < 30; i++)
		close(p[i].fd);
	leave(&w);
}
END_TEST

/* ---- full, late, told to leave ----------------------------------------------------------------- */

START_TEST(a_full_hub_says_503)
{
	struct scene s;
	struct peer q;
	size_t n;

	options.connections = 1;
	set_up_again();
	s = begin(1);
	ck_assert_str_eq(hear(&s.w), "f 0   ");
	q = open_raw(&s.w, 2, NULL, 0);
	ck_assert_mem_eq(got(&q, &n), "HTTP/1.1 503 ", 13);
	expect(&q, "end");
	go(&s.p[0]);
	ck_assert_str_eq(hear(&s.w), "r 0   ");
	ck_assert_str_eq(hear(&s.w), "X 1 1006 c s ");
	ck_assert_uint_eq(counts().refused, 1);
	close(q.fd);
	end(&s);
}
END_TEST

START_TEST(an_id_is_taken_once)
{
	struct worker w = worker();
	struct peer p = open_peer(&w, 1), q = open_raw(&w, 1, NULL, 0);
	size_t n;

	ck_assert_mem_eq(got(&q, &n), "HTTP/1.1 503 ", 13);
	send_frame(&p, 0x81, "x");
	ck_assert_str_eq(hear(&w), "M 1 c s x");
	close(p.fd);
	close(q.fd);
	leave(&w);
}
END_TEST

/* Turns until that holds; the test's own limit of time ends it otherwise. */
#define UNTIL(condition)                                    \
	do                                                  \
		ck_assert_int_eq(hub_turn(hub, 1000), 0);   \
	while (!(condition))

START_TEST(a_silent_peer_is_pinged_then_cut)
{
	struct scene s;
	size_t n;
	const char *text;

	options.ping = options.silence = 300;
	set_up_again();
	s = begin(2);
	while (counts().silent == 0) {
		ck_assert_int_eq(hub_turn(hub, 1000), 0);
		text = got(&s.p[1], &n);
		if (n == 2 && memcmp(text, "\x89\x00", 2) == 0)
			send_frame(&s.p[1], 0x8a, "");
	}
	expect_bytes(&s.p[0], "\x89\x00", 2);
	expect(&s.p[0], "end");
	ck_assert_str_eq(hear(&s.w), "X 1 1006 c s ");
	ck_assert_uint_eq(counts().open, 1);
	end(&s);
}
END_TEST

START_TEST(an_idle_socket_is_closed)
{
	struct scene s;

	options.idle = 200;
	set_up_again();
	s = begin(1);
	UNTIL(hub->wheel.now * WHEEL_TICK > 400);
	expect(&s.p[0], "\x88\x02\x03\xe9"); /* 1001 */
	end(&s);
}
END_TEST

START_TEST(a_peer_that_does_not_answer_a_close_is_cut)
{
	struct scene s;

	options.close = 200;
	set_up_again();
	s = begin(1);
	tell(&s.w, HUB_CLOSE, 0, 1000, 1, "");
	UNTIL(counts().open == 0);
	expect(&s.p[0], "\x88\x02\x03\xe8");
	expect(&s.p[0], "end");
	ck_assert_str_eq(hear(&s.w), "X 1 1000 c s ");
	end(&s);
}
END_TEST

START_TEST(a_hub_that_leaves_closes_all_in_time)
{
	struct worker w = worker();
	struct peer p[40], q;
	unsigned told = 0, before = 0, steps = 0;
	size_t n;

	for (size_t i = 0; i < 40; i++)
		p[i] = open_peer(&w, i + 1);
	hub_leave(hub, 1012, 1000);
	q = open_raw(&w, 99, NULL, 0);
	ck_assert_mem_eq(got(&q, &n), "HTTP/1.1 503 ", 13);
	while (told < 40) {
		ck_assert_int_eq(hub_turn(hub, 1000), 0);
		for (size_t i = 0; i < 40; i++) {
			got(&p[i], &n);
			if (n == 4) {
				told++;
				send_frame(&p[i], 0x88, "\x03\xf4");
			}
		}
		steps += told > before;
		before = told;
	}
	ck_assert_uint_gt(steps, 5); /* not all at once */
	turn();
	ck_assert_uint_eq(counts().open, 0);
	for (size_t i = 0; i < 40; i++)
		close(p[i].fd);
	close(q.fd);
	leave(&w);
}
END_TEST

/* ---- strangers ------------------------------------------------------------------------------------ */

struct lie {
	enum hub_type type;
	unsigned kind, code;
	const char *text;
	bool fatal;
};

static const struct lie lies[] = {
	{ HUB_HELLO, 0, HUB_VERSION, NULL, true },
	{ HUB_OPEN, 0, 0, "half", true },
	{ HUB_OPEN, 0, 0, NULL, true },
	{ HUB_SEND, WS_TEXT, 0, NULL, true },
	{ HUB_SEND, WS_TEXT, 0, "\xff", false },
	{ HUB_SEND, WS_PING, 0, "x", false },
	{ HUB_SEND, WS_CLOSE, 0, "x", false },
	{ HUB_SEND, 200, 0, "x", false },
	{ HUB_CLOSE, 0, 1006, "", true },
	{ HUB_CLOSE, 0, 1000, "\xff", true },
	{ HUB_CLOSE, 0, 1000, NULL, true },
	{ HUB_SUBSCRIBE, 0, 0, "", true },
	{ HUB_SUBSCRIBE, 0, 0, NULL, true },
	{ HUB_PUBLISH, WS_TEXT, 0, "half", true },
	{ HUB_DONE, 0, 0, NULL, true },
	{ HUB_FAILED, 0, 0, NULL, true },
	{ HUB_RETURN, 0, 0, NULL, false },
	{ HUB_MESSAGE, 0, 0, NULL, true },
	{ HUB_FULL, 0, 0, NULL, true },
};

START_TEST(a_worker_is_a_stranger)
{
	const struct lie *lie = &lies[_i];
	struct worker v = worker(), w = worker();
	struct peer p = open_peer(&v, 1);

	tell(&w, lie->type, lie->kind, lie->code, 1, lie->text);
	ck_assert_str_eq(hear(&w), lie->fatal ? "end" :
	    lie->type == HUB_RETURN ? "t 0   " : "");
	expect(&p, "");
	send_frame(&p, 0x81, "x");
	if (lie->fatal)
		ck_assert_str_eq(hear(&v), "M 1 c s x");
	close(p.fd);
	leave(&v);
	leave(&w);
}
END_TEST

START_TEST(a_worker_has_to_greet)
{
	struct worker w = silent_worker(), v = silent_worker();
	struct buf b = { 0 };

	tell(&w, HUB_DONE, 0, 0, 1, NULL);
	ck_assert_str_eq(hear(&w), "end");
	hub_end(&b, hub_begin(&b, HUB_HELLO, 0, HUB_VERSION, 0));
	say(&v, &b);
	turn();
	ck_assert_str_eq(hear(&v), "end"); /* no claim */
	close(w.fd);
	close(v.fd);
	buf_free(&w.in);
	buf_free(&v.in);
}
END_TEST

/* Or its answers would wait here without end. */
START_TEST(a_worker_reads_what_it_is_answered)
{
	struct worker v = worker(), w = worker();
	struct buf b = { 0 };

	for (int i = 0; i < 1500; i++) {
		tell(&v, HUB_RETURN, 0, 0, 1, NULL);
		ck_assert_str_eq(hear(&v), "t 0   ");
	}
	for (int i = 0; i < 1001; i++)
		hub_end(&b, hub_begin(&b, HUB_RETURN, 0, 0, 1));
	say(&w, &b);
	turn();
	ck_assert_str_eq(hear(&w), "end");
	tell(&v, HUB_RETURN, 0, 0, 1, NULL);
	ck_assert_str_eq(hear(&v), "t 0   ");
	leave(&v);
	leave(&w);
}
END_TEST

START_TEST(there_are_so_many_workers)
{
	struct worker w[4];
	int pair[2];

	for (size_t i = 0; i < 4; i++)
		w[i] = worker();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert_int_eq(hub_admit(hub, pair[0]), -1);
	ck_assert_int_eq(errno, ENOSPC);
	close(pair[1]);
	for (size_t i = 0; i < 4; i++)
		leave(&w[i]);
}
END_TEST

/* ---- from hub to hub ------------------------------------------------------------------- */

/* Half a frame and half a frame of a message come from peers, half a record from
 * a worker; a frame is sent in part; and the numbers stay. */
START_TEST(halves_are_passed_on)
{
	struct scene s = begin(3);
	struct buf b = { 0 }, half = { 0 };
	int size = 2048;
	static char large[15001], wanted[15100];
	const char *have;

	setsockopt(hub_socket_find(hub, 3)->fd, SOL_SOCKET, SO_SNDBUF, &size,
	    sizeof(size));
	memset(large, 'x', sizeof(large) - 1);
	tell(&s.w, HUB_SEND, WS_TEXT, 0, 3, large);
	tell(&s.w, HUB_SEND, WS_TEXT, 0, 3, "behind");
	ck_assert_uint_gt(hub_socket_find(hub, 3)->out.sent, 0);
	ws_unit_add(&b, 0x81, "cut in two", 10);
	buf_add(&half, b.data, 5);
	send_raw(&s.p[0], &half);
	send_frame(&s.p[1], 0x01, "frag\xc3");
	ws_unit_add(&half, 0x80, "\xbcment", 5);
	buf_consume(&b, 5);
	succeed();
	turn();
	ck_assert_uint_gt(hub_socket_find(hub, 3)->out.sent, 0);
	send_raw(&s.p[0], &b);
	send_raw(&s.p[1], &half);
	ck_assert_str_eq(hear(&s.w), "M 1 c s cut in two");
	ck_assert_str_eq(hear(&s.w), "M 2 c s frag\xc3\xbcment");
	snprintf(wanted, sizeof(wanted), "\x81\x7e%c%c%s\x81\x06" "behind",
	    15000 >> 8, 15000 & 0xff, large);
	for (size_t n = 0, all = 0; all < 15000 + 12; all += n) {
		turn();
		have = got(&s.p[2], &n);
		ck_assert_uint_gt(n, 0);
		ck_assert_int_eq(memcmp(have, wanted + all, n), 0);
	}
	ck_assert_uint_eq(counts().received, 2);
	ck_assert_uint_eq(counts().opened, 3);
	ck_assert_uint_eq(counts().open, 3);
	end(&s);
}
END_TEST

/* What a worker has sent of a record, and the descriptor that came with it. */
START_TEST(half_a_record_is_passed_on)
{
	struct worker w = worker();
	struct buf b = { 0 };
	size_t begun = hub_begin(&b, HUB_OPEN, 0, 0, 9);
	struct peer p = { .id = 9 };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	p.fd = pair[1];
	hub_part(&b, "101\r\n", 5);
	for (int i = 0; i < 3; i++)
		hub_part(&b, "", 0);
	hub_end(&b, begun);
	ck_assert_int_eq(fd_send(w.fd, pair[0], b.data, 20), 20);
	close(pair[0]);
	turn();
	succeed();
	turn();
	buf_consume(&b, 20);
	say(&w, &b);
	turn();
	expect(&p, "101\r\n");
	close(p.fd);
	leave(&w);
}
END_TEST

/* What a client of the control socket has begun to publish. */
START_TEST(half_a_publication_is_passed_on)
{
	struct scene s = begin(1);
	struct peer client;
	char text[] = "publish text 3\nal";
	int pair[2];

	tell(&s.w, HUB_SUBSCRIBE, 0, 0, 1, "all");
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	client.fd = pair[1];
	hub_hear_publisher(hub, pair[0], text, strlen(text));
	succeed();
	turn();
	ck_assert_int_eq(send(client.fd, "lnews", 5, 0), 5);
	shutdown(client.fd, SHUT_WR);
	turn();
	expect(&s.p[0], "\x81\x04news");
	expect(&client, "ok\nqueued to 1 WebSocket\n");
	close(client.fd);
	end(&s);
}
END_TEST

/* A frame for many is passed on once, and is one frame there. */
START_TEST(frames_stay_shared)
{
	struct worker w = worker();
	struct peer p[40];
	struct buf text = { 0 };
	struct hub_fds fds = { 0 };
	static char large[10001];
	size_t bytes;

	memset(large, 'x', sizeof(large) - 1);
	for (size_t i = 0; i < 40; i++) {
		p[i] = open_peer(&w, i);
		tell(&w, HUB_SUBSCRIBE, 0, 0, i, "all");
		hub_socket_find(hub, i)->writable = false;
	}
	publish(&w, "all", large);
	bytes = hub->pile.bytes;
	pass_on(&text, &fds);
	ck_assert_uint_lt(text.len, 30000);
	for (size_t i = 0; i < fds.n; i++)
		close(fds.fd[i]);
	hub_fds_free(&fds);
	buf_free(&text);
	succeed();
	ck_assert_uint_eq(hub->pile.bytes, bytes);
	turn();
	ck_assert_uint_eq(hub->pile.bytes, 0);
	for (size_t i = 0; i < 40; i++)
		close(p[i].fd);
	leave(&w);
}
END_TEST

static const struct {
	const char *text, *with; /* of what is passed on, and what takes its
				    place */
} spoils[] = {
	{ HUB_STATE " ", "lua_fpm_hub_0 " }, /* another form */
	{ "\nid 1\n1\n", "\nid 1\n2\n" },    /* the same socket twice */
	{ "\nfd 1\n1\n", "\nfd 1\n9\n" },    /* no such descriptor */
	{ "\nfd 1\n1\n", "\nfd 1\n2\n" },    /* one that another has */
	{ "\nfd 1\n1\n", "\nfd 1\nx\n" },
	{ "\nsocket ", "\nsocket_" },	      /* cut */
	{ "\nkind 1\n1\n", "\nkind 1\n3\n" },
	{ "\nkind 1\n1\n", "\nkimd 1\n1\n" }, /* a message of no kind */
	{ "\nnumber 1\n1\n", "\nnumber 1\n2\n" }, /* not given */
	{ "\nclaim 1\n", "\nclasm 1\n" },
};

/* And the hub that had all of it has it still. */
START_TEST(a_state_that_is_spoilt_is_refused)
{
	struct scene s = begin(2);
	struct hub *heir = hub_new(&options);
	struct buf text = { 0 };
	struct hub_fds fds = { 0 };
	struct why why;
	char *at;

	send_frame(&s.p[0], 0x01, "frag");
	send_frame(&s.p[1], 0x81, "whole");
	pass_on(&text, &fds);
	at = memmem(text.data, text.len, spoils[_i].text,
	    strlen(spoils[_i].text));
	ck_assert_ptr_nonnull(at);
	memcpy(at, spoils[_i].with, strlen(spoils[_i].with));
	ck_assert_int_eq(hub_adopt(heir, &text, &fds, &why), -1);
	hub_free(heir);
	buf_free(&text);
	send_frame(&s.p[0], 0x80, "ment");
	ck_assert_str_eq(hear(&s.w), "M 2 c s whole");
	ck_assert_str_eq(hear(&s.w), "M 1 c s fragment");
	end(&s);
}
END_TEST

/* Workers of another build are parted with as if they had ended. */
START_TEST(workers_of_another_build_stay_behind)
{
	struct worker w = worker(), v;
	struct peer p = open_peer(&w, 1);
	struct buf text = { 0 };
	struct hub_fds fds = { 0 };
	struct why why;
	char *at;

	send_frame(&p, 0x81, "hello");
	ck_assert_str_eq(hear(&w), "M 1 c s hello");
	pass_on(&text, &fds);
	at = memmem(text.data, text.len, "version 1\n1", 11);
	ck_assert_ptr_nonnull(at);
	at[10] = '9';
	hub_free(hub);
	hub = hub_new(&options);
	ck_assert_int_eq(hub_adopt(hub, &text, &fds, &why), 0);
	turn();
	ck_assert_str_eq(hear(&w), "end");
	v = worker();
	ck_assert_str_eq(hear(&v), "M 1 c s hello");
	close(p.fd);
	buf_free(&text);
	leave(&w);
	leave(&v);
}
END_TEST

static void
quiet_log(void)
{
	log_set_level(LEVEL_ALERT);
	set_up();
}

static void
quiet_and_passing(void)
{
	passes = true;
	quiet_log();
}

static TCase *
all_tests(const char *name, void (*fixture)(void))
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, fixture, tear_down);
	tcase_add_test(t, a_message_goes_to_a_worker_and_back);
	tcase_add_test(t, bytes_behind_the_handshake_count);
	tcase_add_test(t, one_message_of_a_socket_is_out_at_a_time);
	tcase_add_test(t, bytes_may_come_one_by_one);
	tcase_add_test(t, a_stream_of_messages_keeps_its_order);
	tcase_add_test(t, a_close_is_answered_and_told);
	tcase_add_test(t, a_peer_may_say_close_and_go);
	tcase_add_test(t, a_peer_that_just_goes_has_1006);
	tcase_add_test(t, nothing_is_heard_of_a_socket_that_has_ended);
	tcase_add_test(t, the_end_is_told_after_the_last_message);
	tcase_add_test(t, an_application_may_close);
	tcase_add_loop_test(t, a_fault_is_told_to_the_peer, 0,
	    sizeof(faults) / sizeof(*faults));
	tcase_add_test(t, limits_have_codes);
	tcase_add_test(t, without_room_for_a_message_there_is_1013);
	tcase_add_test(t, what_is_published_goes_to_subscribers);
	tcase_add_test(t, frames_leave_together);
	tcase_add_test(t, a_slow_reader_is_cut_and_disturbs_nobody);
	tcase_add_test(t, beyond_the_output_of_the_pool_the_slowest_is_cut);
	tcase_add_test(t, messages_are_spread_over_workers);
	tcase_add_test(t, a_worker_gives_back_what_it_has_not_begun);
	tcase_add_test(t, a_worker_that_dies_loses_only_what_it_had_in_hand);
	tcase_add_test(t, a_worker_that_dies_between_messages_loses_nothing);
	tcase_add_test(t, a_handler_that_raised_closes_its_socket);
	tcase_add_test(t, too_many_waiting_messages_stop_the_reading);
	tcase_add_test(t, a_full_hub_says_503);
	tcase_add_test(t, an_id_is_taken_once);
	tcase_add_test(t, a_silent_peer_is_pinged_then_cut);
	tcase_add_test(t, an_idle_socket_is_closed);
	tcase_add_test(t, a_peer_that_does_not_answer_a_close_is_cut);
	tcase_add_test(t, a_hub_that_leaves_closes_all_in_time);
	tcase_add_loop_test(t, a_worker_is_a_stranger, 0,
	    sizeof(lies) / sizeof(*lies));
	tcase_add_test(t, a_worker_has_to_greet);
	tcase_add_test(t, a_worker_reads_what_it_is_answered);
	tcase_add_test(t, there_are_so_many_workers);
	return t;
}

static TCase *
passing_tests(void)
{
	TCase *t = tcase_create("passing");

	tcase_add_checked_fixture(t, quiet_log, tear_down);
	tcase_add_test(t, halves_are_passed_on);
	tcase_add_test(t, half_a_record_is_passed_on);
	tcase_add_test(t, half_a_publication_is_passed_on);
	tcase_add_test(t, frames_stay_shared);
	tcase_add_loop_test(t, a_state_that_is_spoilt_is_refused, 0,
	    sizeof(spoils) / sizeof(*spoils));
	tcase_add_test(t, workers_of_another_build_stay_behind);
	return t;
}

static Suite *
suite(void)
{
	Suite *s = suite_create("hub");

	suite_add_tcase(s, all_tests("hub", quiet_log));
	suite_add_tcase(s, all_tests("passed on all the time",
	    quiet_and_passing));
	suite_add_tcase(s, passing_tests());
	return s;
}

int
main(void)
{
	return unit_run(suite());
}

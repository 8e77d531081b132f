#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sealed.h"
#include "hub/hub_impl.h"
#include "ipc/hub_claim.h"

#define DEPTH	8	     /* works that a worker has at a time */
#define READ	(64 * 1024)
#define ANSWERS 1000	     /* that it may leave unread */
#define BACKLOG (1024 * 1024) /* bytes that wait for a worker: give it no
				 more */

/* ---- its end ------------------------------------------------------------------- */

/* A worker that ended in the middle of a message takes its socket along, as what
 * it has done of it is not known. */
static void
judge_works(struct hub *hub, struct hub_link *link)
{
	uint64_t claimed = link->claim == NULL ? 0 :
	    atomic_load(&link->claim->work);
	struct hub_work *first = link->queue.first;
	struct hub_socket *s;

	if (first != NULL && first->number == claimed) {
		first = hub_queue_take(&link->queue);
		s = first->socket;
		if (first->kind != 0) {
			hub->counts.lost++;
			hub_socket_close(hub, s, WS_CODE_INTERNAL, NULL, 0);
		}
		hub_socket_served(hub, first);
	}
	hub_queue_give_back(&link->queue, 0, &hub->queue);
}

/* The worker is gone, or is a worker no more. */
static void
cut(struct hub *hub, struct hub_link *link, const char *fault)
{
	struct hub_link **at = &hub->links;

	if (link->dead)
		return;
	if (fault != NULL && !hub->complained)
		log_warning("a worker says what is no record (%s): it is not "
		    "heard any more", fault);
	hub->complained |= fault != NULL;
	link->dead = true;
	judge_works(hub, link);
	hub_unwatch(hub, link->fd);
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	hub->nlinks--;
	link->next = hub->dead_links;
	hub->dead_links = link;
}

static void
free_link(struct hub_link *link)
{
	struct hub_work *work;

	while ((work = hub_queue_take(&link->queue)) != NULL)
		free(work);
	while (link->nfds > 0)
		fd_discard(link->fds[--link->nfds]);
	if (link->claim != NULL)
		munmap(link->claim, sizeof(*link->claim));
	fd_close(&link->claim_fd);
	buf_free(&link->in);
	buf_free(&link->out);
	free(link);
}

void
hub_link_bury(struct hub *hub)
{
	struct hub_link *link;

	while ((link = hub->dead_links) != NULL) {
		hub->dead_links = link->next;
		free_link(link);
	}
}

void
hub_link_free_all(struct hub *hub)
{
	struct hub_link *link;

	hub_link_bury(hub);
	while ((link = hub->links) != NULL) {
		hub->links = link->next;
		close(link->fd);
		free_link(link);
	}
}

/* ---- what is said to it ---------------------------------------------------------- */

static void
set_blocked(struct hub *hub, struct hub_link *link, bool blocked)
{
	if (blocked == link->blocked)
		return;
	link->blocked = blocked;
	if (hub_rewatch(hub, &link->watch, link->fd,
		blocked ? EPOLLIN | EPOLLOUT : EPOLLIN) == -1)
		cut(hub, link, NULL);
}

static void
flush(struct hub *hub, struct hub_link *link)
{
	size_t sent = 0;
	ssize_t n = 0;

	if (link->out.failed) {
		cut(hub, link, "no memory");
		return;
	}
	while (sent < link->out.len && n != -1) {
		n = send(link->fd, link->out.data + sent, link->out.len - sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		sent += n == -1 ? 0 : (size_t)n;
		if (n == -1 && errno == EINTR)
			n = 0;
	}
	/* What a worker that is gone has said is read before it is cut. */
	if (n == -1 && errno != EAGAIN)
		sent = link->out.len;
	buf_consume(&link->out, sent);
	if (link->out.len == 0)
		link->answers = 0;
	set_blocked(hub, link, link->out.len > 0);
}

/* The worker that has the least to do, of those that are there. */
static struct hub_link *
choose(const struct hub *hub)
{
	struct hub_link *best = NULL;

	for (struct hub_link *l = hub->links; l != NULL; l = l->next)
		if (l->greeted && !l->away && l->queue.n < DEPTH &&
		    l->out.len < BACKLOG &&
		    (best == NULL || l->queue.n < best->queue.n))
			best = l;
	return best;
}

static void
write_work(struct buf *out, const struct hub_work *work)
{
	const struct hub_socket *s = work->socket;
	size_t begun = hub_begin(out,
	    work->kind == 0 ? HUB_CLOSED : HUB_MESSAGE, work->kind,
	    work->kind == 0 ? work->code : s->subscriber.n, s->id);

	hub_part(out, s->context, s->context_len);
	hub_part(out, s->session, s->session_len);
	hub_part(out, work->data, work->len);
	hub_end(out, begun);
}

void
hub_link_dispatch(struct hub *hub)
{
	struct hub_link *link, *next;
	struct hub_work *work;

	while (hub->queue.n > 0 && (link = choose(hub)) != NULL) {
		work = hub_queue_take(&hub->queue);
		work->number = ++link->given;
		hub_queue_add(&link->queue, work);
		write_work(&link->out, work);
	}
	for (link = hub->links; link != NULL; link = next) {
		next = link->next;
		if (link->out.len > 0 && !link->blocked)
			flush(hub, link);
	}
	if (hub->queue.n > 0 && hub->options.starved != NULL)
		hub->options.starved(hub->options.arg);
}

static void
tell(struct hub_link *link, enum hub_type type)
{
	hub_end(&link->out, hub_begin(&link->out, type, 0, 0, 0));
}

void
hub_link_tell(struct hub *hub)
{
	bool full = hub->leaving ||
	    hub->counts.open >= hub->options.connections;

	if (full == hub->full)
		return;
	hub->full = full;
	for (struct hub_link *l = hub->links; l != NULL; l = l->next)
		if (l->greeted)
			tell(l, full ? HUB_FULL : HUB_ROOM);
}

/* ---- what it says ----------------------------------------------------------------- */

static int
take_fd(struct hub_link *link)
{
	int fd;

	if (link->nfds == 0)
		return -1;
	fd = link->fds[0];
	link->nfds--;
	memmove(link->fds, link->fds + 1, link->nfds * sizeof(*link->fds));
	return fd;
}

/* Have the link's claim in that memory.  Its descriptor is kept for a hub that
 * comes after this one. */
static bool
map_claim(struct hub_link *link, int fd)
{
	void *claim;

	if (fd == -1 || !sealed_is_room(fd, sizeof(*link->claim)))
		return false;
	claim = mmap(NULL, sizeof(*link->claim), PROT_READ, MAP_SHARED, fd,
	    0);
	if (claim == MAP_FAILED)
		return false;
	link->claim = claim;
	link->claim_fd = fd;
	return true;
}

/* What is wrong with the record; NULL: nothing. */
static const char *
greet(struct hub *hub, struct hub_link *link, const struct hub_record *r)
{
	int fd = take_fd(link);

	if (link->greeted || r->code != HUB_VERSION) {
		fd_close(&fd);
		return link->greeted ? "a second greeting" : "its version";
	}
	if (!map_claim(link, fd)) {
		fd_close(&fd);
		return "no claim";
	}
	link->greeted = true;
	tell(link, hub->full ? HUB_FULL : HUB_ROOM);
	return NULL;
}

static bool
is_stream(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM;
}

/* Without a descriptor there was no room for it, and the peer sees its
 * connection end. */
static const char *
open_socket(struct hub *hub, struct hub_link *link, struct hub_record *r)
{
	struct hub_opening o = { .id = r->id,
		.tells = (r->kind & HUB_WANTS_CLOSE) != 0 };
	int fd = take_fd(link);

	if (!hub_take_part(r, &o.answer) || !hub_take_part(r, &o.input) ||
	    !hub_take_part(r, &o.session) || !hub_take_part(r, &o.context) ||
	    o.session.len > HUB_SESSION || o.context.len > HUB_CONTEXT ||
	    (fd != -1 && !is_stream(fd))) {
		fd_discard(fd);
		return "a socket";
	}
	if (fd != -1 && fd_nonblock(fd, true) == 0)
		hub_socket_open(hub, fd, &o);
	else
		fd_discard(fd);
	return NULL;
}

static const char *
send_one(struct hub *hub, struct hub_record *r)
{
	struct hub_socket *s = hub_socket_find(hub, r->id);
	struct hub_frame *frame;
	struct hub_part data;

	if (!hub_take_part(r, &data))
		return "a message";
	frame = s == NULL ? NULL : hub_message(hub, r->kind, &data);
	if (frame == NULL)
		return NULL;
	hub_socket_queue(hub, s, frame);
	hub_frame_drop(frame);
	return NULL;
}

static const char *
publish(struct hub *hub, struct hub_record *r)
{
	struct hub_part name, data;

	if (!hub_take_part(r, &name) || !hub_take_part(r, &data))
		return "a publication";
	hub_publish(hub, r->kind, &name, &data);
	return NULL;
}

static const char *
subscribe(struct hub *hub, struct hub_record *r)
{
	struct hub_socket *s = hub_socket_find(hub, r->id);
	struct hub_part name;

	if (!hub_take_part(r, &name) || name.len == 0 ||
	    name.len > HUB_CHANNEL)
		return "a channel";
	if (s == NULL || s->state != HUB_STATE_OPEN)
		return NULL;
	if (r->type == HUB_UNSUBSCRIBE)
		hub_unsubscribe(&hub->channels, &s->subscriber, name.data,
		    name.len);
	else
		hub_subscribe(&hub->channels, &s->subscriber,
		    hub->options.channels, name.data, name.len);
	return NULL;
}

static const char *
close_socket(struct hub *hub, struct hub_record *r)
{
	struct hub_socket *s = hub_socket_find(hub, r->id);
	struct hub_part reason;

	if (!hub_take_part(r, &reason) || reason.len > WS_REASON ||
	    (!ws_code_is_valid(r->code) && r->code != WS_CODE_NONE) ||
	    !ws_is_utf8(reason.data, reason.len))
		return "a close";
	if (s != NULL)
		hub_socket_close(hub, s, r->code, reason.data, reason.len);
	return NULL;
}

static const char *
set_session(struct hub *hub, struct hub_record *r)
{
	struct hub_socket *s = hub_socket_find(hub, r->id);
	struct hub_part session;

	if (!hub_take_part(r, &session) || session.len > HUB_SESSION)
		return "a session";
	if (s != NULL && hub_socket_set_session(s, session.data,
		session.len) == -1)
		hub_socket_close(hub, s, WS_CODE_LATER, NULL, 0);
	return NULL;
}

static const char *
served(struct hub *hub, struct hub_link *link, const struct hub_record *r)
{
	struct hub_work *work = link->queue.first;
	struct hub_socket *s;

	if (work == NULL || work->number != r->id)
		return "work that it does not have";
	hub_queue_take(&link->queue);
	s = work->socket;
	if (r->type == HUB_FAILED)
		hub_socket_close(hub, s, WS_CODE_INTERNAL, NULL, 0);
	hub_socket_served(hub, work);
	return NULL;
}

/* Works from that number on have not been begun. */
static const char *
give_back(struct hub *hub, struct hub_link *link, const struct hub_record *r)
{
	unsigned n = 0;

	if (++link->answers > ANSWERS)
		return "it does not read";
	for (const struct hub_work *w = link->queue.first;
	     w != NULL && w->number < r->id; w = w->next)
		n++;
	hub_queue_give_back(&link->queue, n, &hub->queue);
	tell(link, HUB_TAKEN);
	return NULL;
}

/* What is wrong with the record; NULL: nothing. */
static const char *
obey(struct hub *hub, struct hub_link *link, struct hub_record *r)
{
	if (!link->greeted && r->type != HUB_HELLO)
		return "no greeting";
	switch (r->type) {
	case HUB_HELLO:
		return greet(hub, link, r);
	case HUB_OPEN:
		return open_socket(hub, link, r);
	case HUB_SEND:
		return send_one(hub, r);
	case HUB_CLOSE:
		return close_socket(hub, r);
	case HUB_SUBSCRIBE:
	case HUB_UNSUBSCRIBE:
		return subscribe(hub, r);
	case HUB_PUBLISH:
		return publish(hub, r);
	case HUB_SETS:
		return set_session(hub, r);
	case HUB_DONE:
	case HUB_FAILED:
		return served(hub, link, r);
	case HUB_RETURN:
		return give_back(hub, link, r);
	case HUB_AWAY:
	case HUB_BACK:
		link->away = r->type == HUB_AWAY;
		return NULL;
	default:
		return "what only a hub says";
	}
}

static void
obey_all(struct hub *hub, struct hub_link *link)
{
	struct hub_record record;
	const char *fault = NULL;
	size_t at = 0, need;
	long n = 0;

	while (!link->dead && fault == NULL && (n = hub_take(link->in.data + at,
	    link->in.len - at, &record, &need)) > 0) {
		fault = obey(hub, link, &record);
		at += (size_t)n;
	}
	buf_consume(&link->in, at);
	if (n == -1 || fault != NULL)
		cut(hub, link, n == -1 ? "its head" : fault);
}

/* ---- the socket -------------------------------------------------------------------- */

static void
keep_fds(struct hub_link *link, struct msghdr *message)
{
	struct cmsghdr *c;
	int fd;

	for (c = CMSG_FIRSTHDR(message); c != NULL;
	     c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <=
		    c->cmsg_len; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(int));
			if (link->nfds < HUB_CAME)
				link->fds[link->nfds++] = fd;
			else
				fd_discard(fd);
		}
	}
}

/* The number of bytes received; 0: the worker is gone; -1 with errno. */
static ssize_t
receive(struct hub_link *link)
{
	char *room = buf_reserve(&link->in, READ);
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec piece = { room, READ };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n;

	if (room == NULL)
		return 0;
	n = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n > 0) {
		link->in.len += (size_t)n;
		keep_fds(link, &message);
	}
	return n;
}

static void
ready(struct hub *hub, struct hub_watch *watch, uint32_t events)
{
	struct hub_link *link = (struct hub_link *)((char *)watch -
	    offsetof(struct hub_link, watch));
	ssize_t n;

	if (!link->dead && (events & EPOLLOUT) != 0)
		flush(hub, link);
	if (link->dead || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0)
		return;
	n = receive(link);
	if (n > 0)
		obey_all(hub, link);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		cut(hub, link, NULL);
}

/* NULL with errno, and fd is closed. */
static struct hub_link *
make(struct hub *hub, int fd)
{
	struct hub_link *link = calloc(1, sizeof(*link));

	if (link == NULL || !is_stream(fd) || fd_nonblock(fd, true) == -1 ||
	    hub_watch(hub, &link->watch, fd, EPOLLIN) == -1) {
		free(link);
		close(fd);
		return NULL;
	}
	link->watch.ready = ready;
	link->fd = fd;
	link->claim_fd = -1;
	link->next = hub->links;
	hub->links = link;
	hub->nlinks++;
	return link;
}

int
hub_admit(struct hub *hub, int fd)
{
	if (hub->nlinks >= hub->options.links) {
		close(fd);
		errno = ENOSPC;
		return -1;
	}
	return make(hub, fd) == NULL ? -1 : 0;
}

struct hub_link *
hub_link_adopt(struct hub *hub, int fd, int claim,
    const struct hub_state_link *from)
{
	struct hub_link *link = make(hub, fd);

	if (link == NULL || (from->greeted && !map_claim(link, claim))) {
		fd_close(&claim);
		return NULL;
	}
	if (!from->greeted)
		fd_close(&claim);
	link->greeted = from->greeted;
	link->away = from->away;
	link->given = (uint64_t)from->given;
	buf_add(&link->in, from->in.data, from->in.len);
	buf_add(&link->out, from->out.data, from->out.len);
	return link->in.failed || link->out.failed ? NULL : link;
}

void
hub_link_part(struct hub *hub)
{
	while (hub->links != NULL)
		cut(hub, hub->links, NULL);
}

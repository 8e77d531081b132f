#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "hub/hub_impl.h"

#define READ  (16 * 1024) /* bytes that are received at a time, so that few
			     are left over behind a message */
#define LARGE (64 * 1024) /* likewise in the middle of a long one */
#define WATCHED ((uint32_t)EPOLLIN | EPOLLRDHUP | EPOLLET)
#define SPARE 256	  /* for what was left over as it was incomplete */
#define TURN  4		  /* receives of a socket in one turn */
#define NEVER (60 * 60 * 1000) /* ms until a socket is looked at that is not
				  pinged */

_Static_assert(SPARE >= WS_HEADER + WS_CONTROL, "what ws_next leaves");

struct hub_socket *
hub_socket_find(const struct hub *hub, uint64_t id)
{
	struct hub_socket *s = hub_table_find(hub, id);

	return s == NULL || s->state == HUB_STATE_ENDED ? NULL : s;
}

/* ---- bytes that wait to be judged ------------------------------------------------ */

static void
drop_bytes(struct hub *hub, struct hub_bytes **bytes)
{
	if (*bytes == NULL)
		return;
	hub->input -= (*bytes)->cap;
	free(*bytes);
	*bytes = NULL;
}

/* Append: 0, or -1 without memory or beyond what all sockets may have. */
static int
add_bytes(struct hub *hub, struct hub_bytes **bytes, const void *data,
    size_t n)
{
	struct hub_bytes *b = *bytes;
	size_t have = b == NULL ? 0 : b->len, old = b == NULL ? 0 : b->cap;
	size_t cap = old == 0 ? n : old;

	if (n == 0)
		return 0;
	while (cap < have + n)
		cap *= 2;
	if (cap != old) {
		if (hub->input - old + cap > hub->options.input)
			return -1;
		b = realloc(b, sizeof(*b) + cap);
		if (b == NULL)
			return -1;
		hub->input += cap - old;
		b->cap = (uint32_t)cap;
	}
	memcpy(b->at + have, data, n);
	b->len = (uint32_t)(have + n);
	*bytes = b;
	return 0;
}

/* ---- lists of the turn ----------------------------------------------------------- */

static void
mark_dirty(struct hub *hub, struct hub_socket *s)
{
	if (s->dirty)
		return;
	s->dirty = true;
	s->next_dirty = hub->dirty;
	hub->dirty = s;
}

void
hub_socket_rouse(struct hub *hub, struct hub_socket *s)
{
	if (s->ready)
		return;
	s->ready = true;
	s->next_ready = NULL;
	*hub->ready_end = s;
	hub->ready_end = &s->next_ready;
}

static void
bury(struct hub *hub, struct hub_socket *s)
{
	hub_table_remove(hub, s);
	s->dead = true;
	s->next = hub->dead;
	hub->dead = s;
}

void
hub_socket_free(struct hub *hub, struct hub_socket *s)
{
	if (s->fd != -1)
		hub_unwatch(hub, s->fd);
	wheel_clear(&hub->wheel, &s->timer);
	drop_bytes(hub, &s->input);
	drop_bytes(hub, &s->message);
	hub_out_clear(&s->out, &hub->pile);
	hub_unsubscribe_all(&hub->channels, &s->subscriber);
	free(s->farewell);
	free(s->context);
	free(s->session);
	free(s);
}

/* ---- its end ---------------------------------------------------------------------- */

/* Without memory the application is not told of the end. */
static void
say_farewell(struct hub *hub, struct hub_socket *s)
{
	struct hub_work *work = s->farewell;

	s->farewell = NULL;
	if (work == NULL) {
		bury(hub, s);
		return;
	}
	s->busy = true;
	hub_queue_add(&hub->queue, work);
}

static void
note_end(struct hub_socket *s, unsigned code, const void *reason, size_t len)
{
	if (s->code != 0)
		return;
	s->code = (uint16_t)code;
	if (s->tells)
		s->farewell = hub_work_new(s, 0, code, reason, len, NULL, 0);
}

/* The connection is closed here, and what is known of its end is told once its
 * message, if there is one, has been served. */
static void
end(struct hub *hub, struct hub_socket *s, unsigned code)
{
	if (s->state == HUB_STATE_ENDED)
		return;
	note_end(s, code, NULL, 0);
	hub_unwatch(hub, s->fd);
	s->fd = -1;
	s->state = HUB_STATE_ENDED;
	wheel_clear(&hub->wheel, &s->timer);
	drop_bytes(hub, &s->input);
	drop_bytes(hub, &s->message);
	hub_out_clear(&s->out, &hub->pile);
	hub_unsubscribe_all(&hub->channels, &s->subscriber);
	hub->counts.open--;
	if (!s->busy)
		say_farewell(hub, s);
}

void
hub_socket_cut(struct hub *hub, struct hub_socket *s, unsigned code)
{
	end(hub, s, code);
}

void
hub_socket_served(struct hub *hub, struct hub_work *work)
{
	struct hub_socket *s = work->socket;
	bool last = work->kind == 0;

	free(work);
	s->busy = false;
	if (last)
		bury(hub, s);
	else if (s->state == HUB_STATE_ENDED)
		say_farewell(hub, s);
	else
		hub_socket_rouse(hub, s);
}

/* ---- what is sent ------------------------------------------------------------------ */

/* Room to write is watched only while it lacks: a unix socket tells of it each
 * time its peer reads. */
static void
set_writable(struct hub *hub, struct hub_socket *s, bool writable)
{
	if (s->writable == writable)
		return;
	s->writable = writable;
	if (hub_rewatch(hub, &s->watch, s->fd, writable ? WATCHED :
		WATCHED | EPOLLOUT) == -1)
		end(hub, s, WS_CODE_ABNORMAL);
}

void
hub_socket_flush(struct hub *hub, struct hub_socket *s)
{
	int result;

	if (s->state == HUB_STATE_ENDED || !s->writable)
		return;
	result = hub_out_flush(&s->out, &hub->pile, s->fd);
	if (result == -1)
		end(hub, s, WS_CODE_ABNORMAL);
	else if (result == 0)
		set_writable(hub, s, false);
	else if (s->finished)
		end(hub, s, s->code);
	else if (s->state == HUB_STATE_FAILED)
		shutdown(s->fd, SHUT_WR);
}

/* A peer that does not read is cut; but a frame alone may be of any size. */
static void
queue(struct hub *hub, struct hub_socket *s, struct hub_frame *frame)
{
	if (s->out.bytes > 0 &&
	    s->out.bytes + (size_t)frame->len > hub->options.send_buffer)
		hub_socket_flush(hub, s);
	if (s->state == HUB_STATE_ENDED)
		return;
	if (s->out.bytes > 0 &&
	    s->out.bytes + (size_t)frame->len > hub->options.send_buffer) {
		hub->counts.slow++;
		end(hub, s, WS_CODE_POLICY);
	} else if (hub_out_add(&s->out, &hub->pile, frame) == -1) {
		end(hub, s, WS_CODE_ABNORMAL);
	} else {
		mark_dirty(hub, s);
	}
}

bool
hub_socket_queue(struct hub *hub, struct hub_socket *s,
    struct hub_frame *frame)
{
	if (s->state != HUB_STATE_OPEN)
		return false;
	queue(hub, s, frame);
	if (s->state == HUB_STATE_ENDED)
		return false;
	hub->counts.sent++;
	s->used = hub->now;
	return true;
}

static void
send_control(struct hub *hub, struct hub_socket *s, enum ws_opcode opcode,
    const void *payload, size_t len)
{
	struct hub_frame *frame = hub_frame_new(&hub->pile, opcode, payload,
	    len);

	if (frame == NULL) {
		end(hub, s, WS_CODE_ABNORMAL);
		return;
	}
	queue(hub, s, frame);
	hub_frame_drop(frame);
}

static void
send_close(struct hub *hub, struct hub_socket *s, unsigned code,
    const char *reason, size_t len)
{
	unsigned char payload[WS_CONTROL];
	size_t n = ws_put_close(payload, code, reason, len);

	send_control(hub, s, WS_CLOSE, payload, n);
	if (s->state != HUB_STATE_ENDED)
		wheel_set(&hub->wheel, &s->timer, hub->now +
		    hub->options.close);
}

/* What waits to be judged is of no interest once the peer is told to close,
 * but its own close frame. */
void
hub_socket_close(struct hub *hub, struct hub_socket *s, unsigned code,
    const char *reason, size_t len)
{
	if (s->state != HUB_STATE_OPEN)
		return;
	note_end(s, code, reason, len);
	send_close(hub, s, code, reason, len);
	if (s->state == HUB_STATE_ENDED)
		return;
	s->state = HUB_STATE_CLOSING;
	hub_socket_rouse(hub, s);
}

/* The peer has broken a rule: say which, and drop whatever else it sends until
 * it closes, as unread bytes would reset the connection before it has read. */
static void
fail(struct hub *hub, struct hub_socket *s, unsigned code, const char *reason)
{
	hub->counts.faults++;
	note_end(s, code, reason, strlen(reason));
	drop_bytes(hub, &s->input);
	drop_bytes(hub, &s->message);
	if (s->state == HUB_STATE_OPEN)
		send_close(hub, s, code, reason, strlen(reason));
	if (s->state == HUB_STATE_ENDED)
		return;
	s->state = HUB_STATE_FAILED;
	mark_dirty(hub, s);
}

/* ---- what comes --------------------------------------------------------------------- */

/* The peer's close frame: answer it if it is the first, then end. */
static void
hear_close(struct hub *hub, struct hub_socket *s, const struct ws_piece *piece)
{
	if (s->state == HUB_STATE_OPEN) {
		note_end(s, piece->code, piece->data, piece->len);
		send_close(hub, s, piece->code, NULL, 0);
	}
	if (s->state == HUB_STATE_ENDED)
		return;
	s->state = HUB_STATE_FAILED; /* nothing follows a close frame */
	s->finished = true;
	mark_dirty(hub, s);
}

static void
hear_control(struct hub *hub, struct hub_socket *s,
    const struct ws_piece *piece)
{
	if (piece->kind == WS_CLOSE)
		hear_close(hub, s, piece);
	else if (piece->kind == WS_PING && s->state == HUB_STATE_OPEN)
		send_control(hub, s, WS_PONG, piece->data, piece->len);
}

static void
hear_data(struct hub *hub, struct hub_socket *s, const struct ws_piece *piece)
{
	if (s->state == HUB_STATE_OPEN &&
	    add_bytes(hub, &s->message, piece->data, piece->len) == -1)
		fail(hub, s, WS_CODE_LATER, "no memory for a message");
}

static void
hear_message(struct hub *hub, struct hub_socket *s,
    const struct ws_piece *piece)
{
	struct hub_bytes *begun = s->message;
	struct hub_work *work;

	if (s->state != HUB_STATE_OPEN)
		return;
	work = hub_work_new(s, piece->kind, 0,
	    begun == NULL ? NULL : begun->at, begun == NULL ? 0 : begun->len,
	    piece->data, piece->len);
	drop_bytes(hub, &s->message);
	if (work == NULL) {
		fail(hub, s, WS_CODE_LATER, "no memory for a message");
		return;
	}
	hub->counts.received++;
	s->used = hub->now;
	s->busy = true;
	hub_queue_add(&hub->queue, work);
}

/* True if nothing may be judged now: one message of a socket is out at a time,
 * and not too many of all; or nothing any more. */
static bool
is_held(struct hub *hub, struct hub_socket *s)
{
	if (s->state != HUB_STATE_OPEN)
		return s->finished;
	if (s->busy)
		return true;
	if (hub->queue.n < hub->options.waiting)
		return false;
	hub->paused = s->paused = true;
	return true;
}

/* Judge n bytes; the rest is kept. */
static void
judge(struct hub *hub, struct hub_socket *s, unsigned char *data, size_t n)
{
	const struct ws_limits limits = { .message = hub->options.message,
		.fragments = hub->options.fragments, .masked = true };
	enum ws_event event = WS_MORE;
	struct ws_piece piece;
	size_t at = 0;

	s->whole = false;
	while (!(s->whole = is_held(hub, s)) && s->state < HUB_STATE_FAILED) {
		event = ws_next(&s->reader, &limits, data, n, &at, &piece);
		if (event == WS_MORE)
			break;
		if (event == WS_BAD)
			fail(hub, s, piece.code, piece.fault);
		else if (event == WS_CONTROL_FRAME)
			hear_control(hub, s, &piece);
		else if (event == WS_DATA)
			hear_data(hub, s, &piece);
		else
			hear_message(hub, s, &piece);
	}
	if (s->state >= HUB_STATE_FAILED)
		return;
	if (add_bytes(hub, &s->input, data + at, n - at) == -1)
		fail(hub, s, WS_CODE_LATER, "no memory for a message");
}

/* Receive behind the `have` bytes at room.  False: nothing has come. */
static bool
receive(struct hub *hub, struct hub_socket *s, unsigned char *room,
    size_t have, size_t *n)
{
	size_t most = s->reader.left <= READ ? READ :
	    s->reader.left < LARGE ? (size_t)s->reader.left : LARGE;
	ssize_t got = recv(s->fd, room + have, most, MSG_DONTWAIT);

	*n = have;
	if (got > 0) {
		*n += (size_t)got;
		s->heard = hub->now;
		s->pinged = false;
		/* A short read has emptied the socket; what comes later is
		 * told anew (epoll(7)), but the end may have been told. */
		if ((size_t)got < most && !s->ended)
			s->readable = false;
		return true;
	}
	if (got == -1 && errno == EINTR)
		return false;
	if (got == -1 && errno == EAGAIN)
		s->readable = s->ended = false;
	else
		end(hub, s, WS_CODE_ABNORMAL);
	return false;
}

/* What was left over is judged before more is received, unless it is a part of
 * a frame. */
static bool
take(struct hub *hub, struct hub_socket *s)
{
	static unsigned char room[SPARE + LARGE];
	size_t n = s->input == NULL ? 0 : s->input->len;
	bool more = s->whole;

	if (!more && !s->readable)
		return false;
	if (s->state == HUB_STATE_FAILED) {
		drop_bytes(hub, &s->input);
		return receive(hub, s, room, 0, &n);
	}
	if (n > 0)
		memcpy(room, s->input->at, n);
	if (!more && !receive(hub, s, room, n, &n))
		return false;
	drop_bytes(hub, &s->input);
	judge(hub, s, room, n);
	return true;
}

void
hub_socket_judge(struct hub *hub, struct hub_socket *s)
{
	int turns = 0;

	s->paused = false;
	while (s->state != HUB_STATE_ENDED && !is_held(hub, s) &&
	    turns++ < TURN)
		if (!take(hub, s))
			return;
	if (s->state != HUB_STATE_ENDED && !is_held(hub, s))
		hub_socket_rouse(hub, s);
}

static void
ready(struct hub *hub, struct hub_watch *watch, uint32_t events)
{
	struct hub_socket *s = (struct hub_socket *)((char *)watch -
	    offsetof(struct hub_socket, watch));

	if (s->state == HUB_STATE_ENDED)
		return;
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		s->ended = true;
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
		s->readable = true;
		hub_socket_rouse(hub, s);
	}
	if ((events & EPOLLOUT) != 0) {
		set_writable(hub, s, true);
		mark_dirty(hub, s);
	}
}

/* ---- time ---------------------------------------------------------------------------- */

/* At most n, so that many sockets do not act at once. */
static int64_t
some(struct hub *hub, int64_t n)
{
	hub->random = hub->random * 1664525 + 1013904223;
	return n <= 0 ? 0 : (int64_t)(hub->random >> 8) % (n + 1);
}

/* When to look at an open socket next.  What may yet be read is life, as it is
 * not read while a message is out. */
static void
set_timer(struct hub *hub, struct hub_socket *s)
{
	const struct hub_options *o = &hub->options;
	int64_t due = s->heard + (s->pinged ? o->ping + o->silence : o->ping -
	    some(hub, o->ping / 8));

	if (o->ping == 0)
		due = hub->now + NEVER;
	if (o->idle > 0 && s->used + o->idle < due)
		due = s->used + o->idle;
	wheel_set(&hub->wheel, &s->timer, due);
}

void
hub_socket_expired(struct hub *hub, struct hub_socket *s)
{
	const struct hub_options *o = &hub->options;

	if (s->state != HUB_STATE_OPEN) {
		end(hub, s, WS_CODE_ABNORMAL);
		return;
	}
	if (s->leaving || (o->idle > 0 && s->used + o->idle <= hub->now)) {
		hub_socket_close(hub, s, s->leaving ? hub->leave_code :
		    WS_CODE_GOING_AWAY, NULL, 0);
		return;
	}
	if (s->readable || s->whole) {
		s->heard = hub->now;
		s->pinged = false;
	}
	if (s->pinged && s->heard + o->ping + o->silence <= hub->now) {
		hub->counts.silent++;
		end(hub, s, WS_CODE_ABNORMAL);
		return;
	}
	if (o->ping > 0 && !s->pinged && s->heard + o->ping - o->ping / 8 <= hub->now) {
		s->pinged = true;
		s->heard = hub->now - o->ping; /* silence counts from here */
		send_control(hub, s, WS_PING, NULL, 0);
	}
	if (s->state != HUB_STATE_ENDED)
		set_timer(hub, s);
}

void
hub_socket_leave(struct hub *hub, struct hub_socket *s, int64_t drain)
{
	if (s->state != HUB_STATE_OPEN)
		return;
	s->leaving = true;
	wheel_set(&hub->wheel, &s->timer, hub->now + some(hub, drain));
}

/* ---- its beginning -------------------------------------------------------------------- */

static void
refuse(struct hub *hub, int fd)
{
	static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
	    "Retry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

	hub->counts.refused++;
	send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	fd_discard(fd);
}

static bool
set_text(char **to, uint16_t *to_len, const void *data, size_t len)
{
	char *text = NULL;

	if (len > 0) {
		text = malloc(len);
		if (text == NULL)
			return false;
		memcpy(text, data, len);
	}
	free(*to);
	*to = text;
	*to_len = (uint16_t)len;
	return true;
}

int
hub_socket_set_session(struct hub_socket *s, const void *session, size_t len)
{
	return set_text(&s->session, &s->session_len, session, len) ? 0 : -1;
}

static struct hub_socket *
make(struct hub *hub, int fd, const struct hub_opening *o)
{
	struct hub_socket *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->watch.ready = ready;
	s->id = o->id;
	s->fd = fd;
	s->tells = o->tells;
	s->heard = s->used = hub->now;
	s->writable = s->readable = true;
	if (set_text(&s->context, &s->context_len, o->context.data,
		o->context.len) &&
	    set_text(&s->session, &s->session_len, o->session.data,
		o->session.len) &&
	    add_bytes(hub, &s->input, o->input.data, o->input.len) == 0)
		return s;
	s->fd = -1;
	hub_socket_free(hub, s);
	return NULL;
}

void
hub_socket_open(struct hub *hub, int fd, const struct hub_opening *o)
{
	struct hub_socket *s = NULL;
	struct hub_frame *answer;

	if (hub->counts.open < hub->options.connections && !hub->leaving &&
	    o->input.len <= LARGE && hub_table_grow(hub) == 0 && hub_table_find(hub, o->id) == NULL)
		s = make(hub, fd, o);
	if (s == NULL || hub_watch(hub, &s->watch, fd, WATCHED) == -1) {
		if (s != NULL) {
			s->fd = -1;
			hub_socket_free(hub, s);
		}
		refuse(hub, fd);
		return;
	}
	hub_table_add(hub, s);
	hub->counts.open++;
	hub->counts.opened++;
	s->whole = s->input != NULL;
	answer = hub_frame_raw(&hub->pile, o->answer.data, o->answer.len);
	if (answer == NULL) {
		end(hub, s, WS_CODE_ABNORMAL);
		return;
	}
	queue(hub, s, answer);
	hub_frame_drop(answer);
	set_timer(hub, s);
	hub_socket_rouse(hub, s);
}

/* ---- from another hub ---------------------------------------------------------------- */

/* A connection that has ended is gone; one that is not open knows why; one in a
 * message knows of what kind. */
static bool
suits(const struct hub_state_socket *from, int fd)
{
	bool ended = from->state == HUB_STATE_ENDED;

	return from->state <= HUB_STATE_ENDED && ended == (fd == -1) &&
	    (from->state == HUB_STATE_OPEN) == (from->code == 0) &&
	    (!ended || (from->input.len == 0 && from->message.len == 0)) &&
	    (!from->farewell || (from->code != 0 && from->tells)) &&
	    (!from->finished || from->state >= HUB_STATE_FAILED) &&
	    (from->kind != 0 || (from->left == 0 && from->message.len == 0)) &&
	    from->input.len <= SPARE + LARGE;
}

static void
read_reader(struct ws_reader *reader, const struct hub_state_socket *from)
{
	const uint32_t mask = (uint32_t)from->mask;

	*reader = (struct ws_reader){ .left = (uint64_t)from->left,
		.length = (uint64_t)from->length,
		.fragments = (uint32_t)from->fragments,
		.utf8 = { (uint8_t)from->need, (uint8_t)from->low,
		    (uint8_t)from->high },
		.kind = (uint8_t)from->kind, .fin = from->fin };
	memcpy(reader->mask, &mask, sizeof(reader->mask));
}

static bool
read_texts(struct hub *hub, struct hub_socket *s,
    const struct hub_state_socket *from)
{
	if (from->farewell) {
		s->farewell = hub_work_new(s, 0, s->code, from->reason.data,
		    from->reason.len, NULL, 0);
		if (s->farewell == NULL)
			return false;
	}
	return set_text(&s->context, &s->context_len, from->context.data,
	    from->context.len) &&
	    set_text(&s->session, &s->session_len, from->session.data,
		from->session.len) &&
	    add_bytes(hub, &s->input, from->input.data, from->input.len) == 0 &&
	    add_bytes(hub, &s->message, from->message.data,
		from->message.len) == 0;
}

/* What can be read and written is not known, so it is tried. */
static void
wake(struct hub *hub, struct hub_socket *s, int64_t due)
{
	int64_t most = hub->now + 24 * (int64_t)NEVER;

	s->readable = s->writable = true;
	s->whole = s->input != NULL;
	wheel_set(&hub->wheel, &s->timer, due == 0 || due > most ? hub->now :
	    due);
	hub->counts.open++;
	mark_dirty(hub, s);
	hub_socket_rouse(hub, s);
}

static struct hub_socket *
copy(struct hub *hub, int fd, const struct hub_state_socket *from)
{
	struct hub_socket *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		fd_close(&fd);
		return NULL;
	}
	s->watch.ready = ready;
	s->id = (uint64_t)from->id;
	s->fd = fd;
	s->state = (uint8_t)from->state;
	s->code = (uint16_t)from->code;
	s->heard = from->heard < hub->now ? from->heard : hub->now;
	s->used = from->used < hub->now ? from->used : hub->now;
	s->pinged = from->pinged;
	s->finished = from->finished;
	s->tells = from->tells;
	read_reader(&s->reader, from);
	return s;
}

struct hub_socket *
hub_socket_adopt(struct hub *hub, int fd, const struct hub_state_socket *from)
{
	struct hub_socket *s;

	if (!suits(from, fd) || hub_table_grow(hub) == -1 ||
	    hub_table_find(hub, (uint64_t)from->id) != NULL) {
		fd_close(&fd);
		return NULL;
	}
	s = copy(hub, fd, from);
	if (s == NULL)
		return NULL;
	if (!read_texts(hub, s, from) || (fd != -1 &&
	    (fd_nonblock(fd, true) == -1 ||
	    hub_watch(hub, &s->watch, fd, WATCHED) == -1))) {
		hub_socket_free(hub, s);
		return NULL;
	}
	hub_table_add(hub, s);
	if (fd != -1)
		wake(hub, s, from->due);
	return s;
}

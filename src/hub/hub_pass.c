#include "hub/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/hub_impl.h"

struct writer {
	struct buf *out;
	struct hub_fds *fds;
	struct hub_frame **frames; /* written, by their numbers */
	uint32_t nframes, cap;
	struct buf part; /* the record in hand, and one inside of it */
	struct buf inner;
	bool failed;
};

/* Its place among the descriptors; 0: there is none. */
static int64_t
put_fd(struct writer *w, int fd)
{
	struct hub_fds *fds = w->fds;
	int *grown = fd == -1 ? NULL : reallocarray(fds->fd, fds->n + 1,
	    sizeof(*grown));

	if (grown == NULL) {
		w->failed |= fd != -1;
		return 0;
	}
	fds->fd = grown;
	fds->fd[fds->n] = fd;
	return (int64_t)++fds->n;
}

static void
end_part(struct writer *w, const char *name)
{
	record_put(w->out, name, w->part.data, w->part.len);
	w->failed |= w->part.failed;
	buf_clear(&w->part);
}

/* ---- frames ------------------------------------------------------------------- */

static bool
is_known(const struct writer *w, const struct hub_frame *frame)
{
	return frame->number < w->nframes &&
	    w->frames[frame->number] == frame;
}

/* A frame that many sockets wait for is written once. */
static void
put_frame(void *arg, struct hub_frame *frame)
{
	struct writer *w = arg;
	uint32_t cap = w->cap == 0 ? 64 : w->cap * 2;
	struct hub_frame **grown;

	if (is_known(w, frame))
		return;
	if (w->nframes == w->cap) {
		grown = reallocarray(w->frames, cap, sizeof(struct hub_frame *));
		if (grown == NULL) {
			w->failed = true;
			return;
		}
		w->frames = grown;
		w->cap = cap;
	}
	frame->number = w->nframes;
	w->frames[w->nframes++] = frame;
	record_put(w->out, HUB_STATE_FRAME, frame->bytes, frame->len);
}

static void
put_waiting(void *arg, struct hub_frame *frame)
{
	struct writer *w = arg;

	record_put_number(&w->part, HUB_STATE_WAITS, frame->number);
}

/* ---- sockets ------------------------------------------------------------------- */

static struct hub_part
bytes_of(const struct hub_bytes *bytes)
{
	return bytes == NULL ? (struct hub_part){ NULL, 0 } :
	    (struct hub_part){ (const char *)bytes->at, bytes->len };
}

static void
describe_reader(const struct ws_reader *reader, struct hub_state_socket *to)
{
	uint32_t mask;

	memcpy(&mask, reader->mask, sizeof(mask));
	to->mask = mask;
	to->left = (int64_t)reader->left;
	to->length = (int64_t)reader->length;
	to->fragments = reader->fragments;
	to->need = reader->utf8.need;
	to->low = reader->utf8.low;
	to->high = reader->utf8.high;
	to->kind = reader->kind;
	to->fin = reader->fin;
}

static struct hub_state_socket
describe(const struct hub *hub, const struct hub_socket *s)
{
	int64_t due = wheel_when(&hub->wheel, &s->timer);
	struct hub_state_socket to = { .id = (int64_t)s->id,
		.state = s->state, .code = s->code, .heard = s->heard,
		.used = s->used, .due = due == -1 ? 0 : due,
		.pinged = s->pinged, .finished = s->finished,
		.tells = s->tells, .farewell = s->farewell != NULL,
		.sent = s->out.sent,
		.context = { s->context, s->context_len },
		.session = { s->session, s->session_len },
		.input = bytes_of(s->input), .message = bytes_of(s->message) };

	if (s->farewell != NULL)
		to.reason = (struct hub_part){ s->farewell->data,
			s->farewell->len };
	describe_reader(&s->reader, &to);
	return to;
}

static void
put_socket(struct writer *w, const struct hub *hub, const struct hub_socket *s)
{
	struct hub_state_socket state = describe(hub, s);
	const char *name;
	size_t len;

	state.fd = put_fd(w, s->fd);
	hub_state_put_socket(&w->part, &state);
	for (size_t i = 0; i < s->subscriber.n; i++) {
		name = hub_subscribed(&s->subscriber, i, &len);
		record_put(&w->part, HUB_STATE_CHANNEL, name, len);
	}
	hub_out_each(&s->out, put_waiting, w);
	end_part(w, HUB_STATE_SOCKET);
}

/* ---- work and workers ------------------------------------------------------------ */

static void
put_work(struct buf *out, const struct hub_work *work)
{
	const struct hub_state_work state = { .id = (int64_t)work->socket->id,
		.number = (int64_t)work->number, .code = work->code,
		.kind = work->kind, .data = { work->data, work->len } };

	hub_state_put_work(out, &state);
}

static void
put_link(struct writer *w, const struct hub_link *link)
{
	const struct hub_state_link state = { .fd = put_fd(w, link->fd),
		.claim = put_fd(w, link->claim_fd), .greeted = link->greeted,
		.away = link->away, .given = (int64_t)link->given,
		.in = { link->in.data, link->in.len },
		.out = { link->out.data, link->out.len } };

	w->failed |= link->in.failed || link->out.failed;
	hub_state_put_link(&w->part, &state);
	for (unsigned i = 0; i < link->nfds; i++)
		record_put_number(&w->part, HUB_STATE_CAME,
		    put_fd(w, link->fds[i]));
	for (const struct hub_work *k = link->queue.first; k != NULL;
	     k = k->next) {
		put_work(&w->inner, k);
		record_put(&w->part, HUB_STATE_WORK, w->inner.data,
		    w->inner.len);
		w->failed |= w->inner.failed;
		buf_clear(&w->inner);
	}
	end_part(w, HUB_STATE_LINK);
}

static void
put_publisher(struct writer *w, const struct hub_publisher *p)
{
	const struct hub_state_publisher state = { .fd = put_fd(w, p->fd),
		.kind = p->kind, .name = (int64_t)p->name,
		.in = { p->in.data, p->in.len } };

	hub_state_put_publisher(&w->part, &state);
	end_part(w, HUB_STATE_PUBLISHER);
}

static void
put_hub(struct writer *w, const struct hub *hub)
{
	const struct hub_counts *c = &hub->counts;
	const struct hub_state_hub state = { .version = HUB_VERSION,
		.full = hub->full, .opened = (int64_t)c->opened,
		.refused = (int64_t)c->refused,
		.received = (int64_t)c->received, .sent = (int64_t)c->sent,
		.slow = (int64_t)c->slow, .silent = (int64_t)c->silent,
		.faults = (int64_t)c->faults, .lost = (int64_t)c->lost };

	hub_state_put_hub(&w->part, &state);
	end_part(w, HUB_STATE);
}

int
hub_pass(const struct hub *hub, struct buf *text, struct hub_fds *fds)
{
	struct writer w = { .out = text, .fds = fds };
	const struct hub_socket *s;

	put_hub(&w, hub);
	for (s = NULL; (s = hub_table_next(hub, s)) != NULL;)
		hub_out_each(&s->out, put_frame, &w);
	for (s = NULL; !w.failed && (s = hub_table_next(hub, s)) != NULL;)
		put_socket(&w, hub, s);
	for (const struct hub_link *l = hub->links; l != NULL; l = l->next)
		put_link(&w, l);
	for (const struct hub_publisher *p = hub->publishers; p != NULL;
	     p = p->next)
		put_publisher(&w, p);
	for (const struct hub_work *k = hub->queue.first; k != NULL;
	     k = k->next) {
		put_work(&w.part, k);
		end_part(&w, HUB_STATE_WORK);
	}
	free(w.frames);
	buf_free(&w.part);
	buf_free(&w.inner);
	if (!w.failed && !text->failed)
		return 0;
	errno = ENOMEM;
	return -1;
}

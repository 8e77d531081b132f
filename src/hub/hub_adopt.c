#include "hub/hub.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "hub/hub_impl.h"

struct reader {
	struct hub *hub;
	struct hub_fds *fds; /* -1 where one has been taken */
	struct hub_frame **frames;
	size_t nframes;
	struct hub_state_hub state;
};

/* Take the descriptor of that place; -1: there is none. */
static int
take_fd(struct reader *r, int64_t place)
{
	int fd;

	if (place < 1 || (uint64_t)place > r->fds->n)
		return -1;
	fd = r->fds->fd[place - 1];
	r->fds->fd[place - 1] = -1;
	return fd;
}

/* ---- frames ----------------------------------------------------------------------- */

static const char *
take_frame(struct reader *r, const struct record *record)
{
	struct hub_frame **grown = reallocarray(r->frames, r->nframes + 1,
	    sizeof(struct hub_frame *));

	if (grown == NULL)
		return strerror(ENOMEM);
	r->frames = grown;
	r->frames[r->nframes] = hub_frame_raw(&r->hub->pile, record->value,
	    record->len);
	if (r->frames[r->nframes] == NULL)
		return strerror(ENOMEM);
	r->nframes++;
	return record->len == 0 ? "an empty frame" : NULL;
}

static void
drop_frames(struct reader *r)
{
	while (r->nframes > 0)
		hub_frame_drop(r->frames[--r->nframes]);
	free(r->frames);
}

static const char *
add_waiting(struct reader *r, struct hub_socket *s, const struct record *part)
{
	int64_t number;

	if (!record_is_number(part, &number) || number < 0 ||
	    (uint64_t)number >= r->nframes)
		return "a frame that is none";
	return hub_out_add(&s->out, &r->hub->pile, r->frames[number]) == 0 ?
	    NULL : strerror(ENOMEM);
}

/* ---- sockets ---------------------------------------------------------------------- */

static const char *
add_channel(struct reader *r, struct hub_socket *s, const struct record *part)
{
	if (part->len == 0 || part->len > HUB_CHANNEL)
		return "a channel that is none";
	return hub_subscribe(&r->hub->channels, &s->subscriber, HUB_CHANNELS,
	    part->value, part->len) == 0 ? NULL : strerror(errno);
}

static const char *
take_socket(struct reader *r, const struct record *record)
{
	const char *rest = record->value, *fault = NULL;
	size_t len = record->len;
	struct hub_state_socket state;
	struct hub_socket *s;
	struct record part;

	if (!hub_state_get_socket(record, &state))
		return "the fields of a socket";
	s = hub_socket_adopt(r->hub, take_fd(r, state.fd), &state);
	if (s == NULL)
		return "a socket";
	while (fault == NULL && record_next(&rest, &len, &part)) {
		if (s->fd == -1)
			continue;
		if (record_is(&part, HUB_STATE_CHANNEL))
			fault = add_channel(r, s, &part);
		else if (record_is(&part, HUB_STATE_WAITS))
			fault = add_waiting(r, s, &part);
	}
	if (fault == NULL && !hub_out_resume(&s->out, (size_t)state.sent))
		fault = "a frame that was sent";
	return fault;
}

/* ---- work and workers ---------------------------------------------------------------- */

/* A socket has one piece of work at a time; its end is the last one, once it is
 * closed. */
static const char *
take_work(struct reader *r, const struct record *record, uint64_t after,
    uint64_t until, struct hub_queue *queue)
{
	struct hub_state_work state;
	struct hub_socket *s;
	struct hub_work *work;

	if (!hub_state_get_work(record, &state) ||
	    (uint64_t)state.number < after || (uint64_t)state.number > until)
		return "the fields of work";
	s = hub_table_find(r->hub, (uint64_t)state.id);
	if (s == NULL || s->busy)
		return "work of no socket";
	if (state.kind == 0 && (s->state != HUB_STATE_ENDED ||
	    s->farewell != NULL || state.data.len > WS_REASON))
		return "an end";
	work = hub_work_new(s, (unsigned)state.kind, (unsigned)state.code,
	    state.data.data, state.data.len, NULL, 0);
	if (work == NULL)
		return strerror(ENOMEM);
	work->number = (uint64_t)state.number;
	s->busy = true;
	hub_queue_add(queue, work);
	return NULL;
}

static const char *
add_came(struct reader *r, struct hub_link *link, const struct record *part)
{
	int64_t place;
	int fd = record_is_number(part, &place) ? take_fd(r, place) : -1;

	if (fd == -1 || link->nfds == HUB_CAME) {
		fd_close(&fd);
		return "a descriptor";
	}
	link->fds[link->nfds++] = fd;
	return NULL;
}

static const char *
take_link(struct reader *r, const struct record *record)
{
	const char *rest = record->value, *fault = NULL;
	size_t len = record->len;
	struct hub_state_link state;
	struct hub_link *link = NULL;
	struct record part;
	uint64_t last = 0;
	int fd;

	if (!hub_state_get_link(record, &state))
		return "the fields of a worker";
	fd = take_fd(r, state.fd);
	if (fd != -1)
		link = hub_link_adopt(r->hub, fd, take_fd(r, state.claim),
		    &state);
	if (link == NULL)
		return "a worker";
	while (fault == NULL && record_next(&rest, &len, &part)) {
		if (record_is(&part, HUB_STATE_CAME))
			fault = add_came(r, link, &part);
		if (!record_is(&part, HUB_STATE_WORK))
			continue;
		fault = take_work(r, &part, last + 1, link->given,
		    &link->queue);
		if (fault == NULL)
			last = link->queue.last->number;
	}
	return fault;
}

static const char *
take_publisher(struct reader *r, const struct record *record)
{
	struct hub_state_publisher state;
	int fd;

	if (!hub_state_get_publisher(record, &state))
		return "the fields of what is published";
	fd = take_fd(r, state.fd);
	return fd != -1 && hub_publisher_adopt(r->hub, fd, &state) ? NULL :
	    "what is published";
}

/* ---- all of it -------------------------------------------------------------------------- */

static const char *
take_hub(struct reader *r, const struct record *record)
{
	struct hub_state_hub *state = &r->state;
	struct hub_counts *c = &r->hub->counts;

	if (!record_is(record, HUB_STATE))
		return "it is of another build";
	if (!hub_state_get_hub(record, state))
		return "the fields of the hub";
	r->hub->full = state->full;
	*c = (struct hub_counts){ .opened = (uint64_t)state->opened,
		.refused = (uint64_t)state->refused,
		.received = (uint64_t)state->received,
		.sent = (uint64_t)state->sent, .slow = (uint64_t)state->slow,
		.silent = (uint64_t)state->silent,
		.faults = (uint64_t)state->faults,
		.lost = (uint64_t)state->lost };
	return NULL;
}

static const char *
take(struct reader *r, const struct record *record)
{
	if (record_is(record, HUB_STATE_FRAME))
		return take_frame(r, record);
	if (record_is(record, HUB_STATE_SOCKET))
		return take_socket(r, record);
	if (record_is(record, HUB_STATE_LINK))
		return take_link(r, record);
	if (record_is(record, HUB_STATE_PUBLISHER))
		return take_publisher(r, record);
	if (record_is(record, HUB_STATE_WORK))
		return take_work(r, record, 0, INT64_MAX, &r->hub->queue);
	return NULL;
}

/* One that is closed and waits for nothing would stay for good. */
static const char *
judge_ended(const struct hub *hub)
{
	const struct hub_socket *s = NULL;

	while ((s = hub_table_next(hub, s)) != NULL)
		if (s->state == HUB_STATE_ENDED && !s->busy)
			return "a socket that has ended";
	return NULL;
}

static const char *
take_all(struct reader *r, const char *rest, size_t len)
{
	struct record record;
	const char *fault;

	if (!record_next(&rest, &len, &record))
		return "it is of another build";
	fault = take_hub(r, &record);
	while (fault == NULL && record_next(&rest, &len, &record))
		fault = take(r, &record);
	if (fault == NULL && len > 0)
		fault = "it is cut";
	return fault == NULL ? judge_ended(r->hub) : fault;
}

int
hub_adopt(struct hub *hub, const struct buf *text, struct hub_fds *fds,
    struct why *why)
{
	struct reader r = { .hub = hub, .fds = fds };
	const char *fault;

	fault = take_all(&r, text->data, text->len);
	drop_frames(&r);
	for (size_t i = 0; i < fds->n; i++)
		fd_discard(fds->fd[i]);
	hub_fds_free(fds);
	/* Workers of another build are told nothing that they would not
	 * understand. */
	if (fault == NULL && r.state.version != HUB_VERSION)
		hub_link_part(hub);
	if (fault == NULL)
		return 0;
	why_set(why, "what it has left is not as it should be: %s", fault);
	return -1;
}

void
hub_fds_free(struct hub_fds *fds)
{
	free(fds->fd);
	*fds = (struct hub_fds){ 0 };
}

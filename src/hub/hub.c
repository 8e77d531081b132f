#include "hub/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "hub/hub_impl.h"

#define BATCH 256 /* events that are taken at a time */

struct hub *
hub_new(const struct hub_options *options)
{
	struct hub *hub = calloc(1, sizeof(*hub));

	if (hub == NULL)
		return NULL;
	hub->options = *options;
	hub->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (hub->epoll == -1) {
		free(hub);
		return NULL;
	}
	hub->now = clock_ms();
	hub->random = (uint32_t)clock_us() ^ (uint32_t)getpid() << 16;
	hub->ready_end = &hub->ready;
	wheel_init(&hub->wheel, hub->now);
	return hub;
}

void
hub_configure(struct hub *hub, const struct hub_options *options)
{
	const struct hub_options old = hub->options;

	hub->options = *options;
	hub->options.links = old.links;
	hub->options.starved = old.starved;
	hub->options.arg = old.arg;
}

static void
bury(struct hub *hub)
{
	struct hub_socket *s, *next, *kept = NULL;

	for (s = hub->dead; s != NULL; s = next) {
		next = s->next;
		if (s->ready || s->dirty) {
			s->next = kept;
			kept = s;
		} else {
			hub_socket_free(hub, s);
		}
	}
	hub->dead = kept;
	hub_link_bury(hub);
}

void
hub_free(struct hub *hub)
{
	struct hub_socket *s;
	struct hub_work *work;

	hub_publishers_end(hub, "the process of WebSockets ends");
	hub_link_free_all(hub);
	while ((work = hub_queue_take(&hub->queue)) != NULL)
		free(work);
	for (size_t i = 0; i < hub->nbuckets; i++)
		while ((s = hub->table[i]) != NULL) {
			hub->table[i] = s->next;
			hub_socket_free(hub, s);
		}
	while ((s = hub->dead) != NULL) {
		hub->dead = s->next;
		hub_socket_free(hub, s);
	}
	free(hub->table);
	hub_pile_free(&hub->pile);
	close(hub->epoll);
	free(hub);
}

/* Those that are roused meanwhile are judged in the next turn. */
static void
judge_ready(struct hub *hub)
{
	struct hub_socket *s = hub->ready, *next;

	hub->ready = NULL;
	hub->ready_end = &hub->ready;
	for (; s != NULL; s = next) {
		next = s->next_ready;
		s->ready = false;
		hub_socket_judge(hub, s);
	}
}

static void
flush_dirty(struct hub *hub)
{
	struct hub_socket *s, *next;

	while ((s = hub->dirty) != NULL) {
		hub->dirty = NULL;
		for (; s != NULL; s = next) {
			next = s->next_dirty;
			s->dirty = false;
			hub_socket_flush(hub, s);
		}
	}
}

static void
expire(struct hub *hub)
{
	struct wheel_timer *timer;

	while ((timer = wheel_expired(&hub->wheel, hub->now)) != NULL)
		hub_socket_expired(hub, (struct hub_socket *)((char *)timer -
		    offsetof(struct hub_socket, timer)));
}

/* Sockets whose reading had stopped as too much waited for workers. */
static void
resume(struct hub *hub)
{
	struct hub_socket *s = NULL;

	if (!hub->paused || hub->queue.n > hub->options.waiting / 2)
		return;
	hub->paused = false;
	while ((s = hub_table_next(hub, s)) != NULL)
		if (s->paused)
			hub_socket_rouse(hub, s);
}

/* If the peers of a pool leave too much unread, those that leave most are
 * cut. */
static void
limit_output(struct hub *hub)
{
	struct hub_socket *s, *worst;

	while (hub->pile.bytes > hub->options.output) {
		worst = NULL;
		for (s = NULL; (s = hub_table_next(hub, s)) != NULL;)
			if (worst == NULL || s->out.bytes > worst->out.bytes)
				worst = s;
		if (worst == NULL || worst->out.bytes == 0)
			return;
		hub->counts.slow++;
		hub_socket_cut(hub, worst, WS_CODE_POLICY);
		bury(hub);
	}
}

static int
wait_for(const struct hub *hub, int64_t limit)
{
	int64_t due = hub->ready != NULL ? 0 : limit;

	if (due > 600 * 1000)
		due = 600 * 1000;
	return (int)due;
}

int
hub_turn(struct hub *hub, int64_t limit)
{
	struct epoll_event events[BATCH];
	struct hub_watch *watch;
	int64_t due = clock_sooner(wheel_due(&hub->wheel),
	    hub_publishers_due(hub));
	int64_t now = clock_ms();
	int n;

	if (due != -1 && (limit == -1 || due - now < limit))
		limit = due > now ? due - now : 0;
	n = epoll_wait(hub->epoll, events, BATCH, wait_for(hub, limit));
	if (n == -1 && errno != EINTR)
		return -1;
	hub->now = clock_ms();
	for (int i = 0; i < n; i++) {
		watch = events[i].data.ptr;
		watch->ready(hub, watch, events[i].events);
	}
	expire(hub);
	hub_publishers_expire(hub);
	judge_ready(hub);
	flush_dirty(hub);
	limit_output(hub);
	hub_link_tell(hub);
	hub_link_dispatch(hub);
	resume(hub);
	bury(hub);
	return 0;
}

void
hub_leave(struct hub *hub, unsigned code, int64_t drain)
{
	struct hub_socket *s = NULL;

	hub->leaving = true;
	hub->leave_code = (uint16_t)code;
	while ((s = hub_table_next(hub, s)) != NULL)
		hub_socket_leave(hub, s, drain);
}

bool
hub_is_empty(const struct hub *hub)
{
	return hub->nsockets == 0 || (hub->counts.open == 0 && hub->links == NULL);
}

void
hub_count(const struct hub *hub, struct hub_counts *counts)
{
	*counts = hub->counts;
	counts->waiting = hub->queue.n;
	counts->unsent = hub->pile.bytes;
	counts->channels = (unsigned)hub->channels.n;
}

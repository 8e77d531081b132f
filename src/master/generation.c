#include "master/generation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "ipc/channel.h"
#include "master/generation_impl.h"
#include "master/pm.h"

/* ---- made and freed ------------------------------------------------------ */

static void
timer_fired(void *arg)
{
	struct generation *g = arg;

	g->attention = true;
}

struct generation *
generation_make(const struct conf_pool *conf, const struct conf *source,
    const struct generation_options *options, unsigned nslots)
{
	struct generation *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->state = GENERATION_STARTING;
	g->setup = SETUP_DUE;
	g->conf = conf;
	g->source = source;
	g->workers = conf->workers;
	g->options = options;
	g->idle_since = -1;
	g->answer = GENERATION_CURRENT;
	g->timer.fire = timer_fired;
	g->timer.arg = g;
	g->timer_process.wake = timer_fired;
	g->timer_process.arg = g;
	g->nslots = nslots;
	g->slots = calloc(nslots, sizeof(*g->slots));
	g->queues = calloc(conf->listen.n, sizeof(*g->queues));
	if (g->slots != NULL && g->queues != NULL)
		return g;
	free(g->slots);
	free(g->queues);
	free(g);
	return NULL;
}

/* Those of another user are not shared. */
static const struct share_set *
shares_of(const struct generation *before, const struct generation *g)
{
	if (before == NULL || before->identity.uid != g->identity.uid ||
	    before->identity.gid != g->identity.gid)
		return NULL;
	return &before->shares;
}

/* Another user gets a hub of its own. */
static struct hub_process *
hub_of(const struct generation *before, const struct generation *g)
{
	if (before == NULL || before->identity.uid != g->identity.uid ||
	    before->identity.gid != g->identity.gid)
		return NULL;
	return before->hub;
}

/* 0, or -1 and why. */
static int
open_hub(struct generation *g, const struct generation *before,
    struct why *why)
{
	g->hub = hub_process_open(hub_of(before, g));
	if (g->hub != NULL)
		return 0;
	why_set(why, "%s", strerror(errno));
	return -1;
}

struct generation *
generation_new(const struct conf_pool *conf, const struct conf *source,
    const struct generation_options *options, bool trial,
    const struct generation *before, struct why *why)
{
	struct generation *g = generation_make(conf, source, options,
	    2 * (unsigned)conf->workers.max);

	if (g == NULL) {
		why_set(why, "out of memory");
		return NULL;
	}
	if (trial)
		g->state = GENERATION_TRIAL;
	g->ordinal = before == NULL ? 1 : before->ordinal + 1;
	if (before != NULL)
		g->fullness = before->fullness;
	g->board = board_new(g->nslots,
	    before == NULL ? NULL : before->board);
	why_set(why, "%s", strerror(errno));
	if (g->board != NULL &&
	    identity_find(&g->identity, conf, why) == 0 &&
	    share_set_open(&g->shares, conf, shares_of(before, g), why) == 0 &&
	    listen_set_open(&g->listens, conf,
		before == NULL ? NULL : &before->listens, false, why) == 0 &&
	    status_server_open(&g->status_server, conf, why) == 0 &&
	    timer_process_open(&g->timer_process, conf, g->board, why) == 0 &&
	    open_hub(g, before, why) == 0 &&
	    logs_open(&g->logs, conf, g->nslots, why) == 0)
		return g;
	generation_free(g);
	return NULL;
}

void
generation_free(struct generation *g)
{
	loop_timer_clear(g->options->loop, &g->timer);
	listen_set_close(&g->listens);
	share_set_close(&g->shares);
	status_server_close(&g->status_server);
	timer_process_close(&g->timer_process);
	if (g->hub != NULL)
		hub_process_use(g->hub, &g->uses_hub, false);
	hub_process_close(g->hub, g);
	logs_close(&g->logs);
	board_free(g->board);
	identity_free(&g->identity);
	for (unsigned i = 0; i < g->nslots; i++)
		slot_close(&g->slots[i]);
	free(g->slots);
	free(g->queues);
	free(g);
}

/* ---- its life ------------------------------------------------------------ */

void
generation_start(struct generation *g, unsigned successors)
{
	unsigned n = pm_initial(&g->workers);

	if (generation_serves(g->state)) {
		board_add_fact(g->board, FACT_GENERATION);
		timer_process_configure(&g->timer_process, g->conf);
	}
	if (n < successors)
		n = successors;
	if (n == 0)
		n = 1;
	if (n > (unsigned)g->workers.max)
		n = (unsigned)g->workers.max;
	g->wanted = n;
	g->successors = successors;
	g->attention = true;
}

static void
order_all(struct generation *g, enum worker_order order)
{
	for (unsigned i = 0; i < g->nslots; i++)
		if (g->slots[i].state != SLOT_FREE)
			slot_order(&g->slots[i], order);
}

void
generation_note_reload(struct generation *g, bool refused)
{
	board_add_fact(g->board, refused ? FACT_REFUSED : FACT_RELOADS);
	board_set_fact(g->board, FACT_LAST_REFUSED, refused);
}

void
generation_open(struct generation *g)
{
	if (generation_event(g, GENERATION_OPEN) != GENERATION_ADMIT)
		return;
	board_add_fact(g->board, FACT_GENERATION);
	timer_process_configure(&g->timer_process, g->conf);
	/* Before the generation that it replaces has no use for it any more. */
	hub_process_use(g->hub, &g->uses_hub, true);
	hub_process_need(g->hub, g->websocket);
	hub_process_configure(g->hub, &g->conf->websocket);
	order_all(g, ORDER_OPEN);
}

static void
note_all_leave(struct generation *g)
{
	for (unsigned i = 0; i < g->nslots; i++)
		if (g->slots[i].state != SLOT_FREE)
			board_leaving(g->board, i);
}

static void
tell_all_leave(struct generation *g, int64_t limit)
{
	note_all_leave(g);
	for (unsigned i = 0; i < g->nslots; i++)
		if (g->slots[i].state != SLOT_FREE)
			slot_tell_leave(&g->slots[i], limit);
	timer_process_leave(&g->timer_process, limit);
	if (!g->uses_hub)
		hub_process_hasten(g->hub, limit);
}

/* Workers that are replaced since they are outdated count as recycled for a
 * restart. */
static void
count_outdated(struct generation *g)
{
	unsigned n = g->answer == GENERATION_OUTDATED ?
	    generation_count(g, SLOT_UP) : 0;

	for (; n > 0; n--)
		board_add_fact(g->board, FACT_RECYCLED + CAUSE_RESTART);
}

static void
leave(struct generation *g, enum generation_action action, int64_t limit)
{
	bool last = action == GENERATION_SERVE, empty;
	bool served = action != GENERATION_DISCARD;
	int64_t now = clock_ms();

	g->drained = now + limit;
	g->attention = true;
	listen_set_unwatch(&g->listens);
	board_set_replaced(g->board, !last);
	note_all_leave(g);
	empty = listen_set_leave(&g->listens, g->options->loop,
	    served && action != GENERATION_KEEP);
	if (served && (last || empty))
		board_set_last(g->board, true);
	generation_serve_last(g, now);
	hub_process_use(g->hub, &g->uses_hub, false);
	if (last && hub_process_lingers(g->hub))
		g->farewell = now + hub_process_farewell(g->conf);
	else
		tell_all_leave(g, limit);
}

/* Workers that have waited for the ends of WebSockets leave. */
void
generation_end_farewell(struct generation *g)
{
	g->farewell = 0;
	tell_all_leave(g, g->conf->timeouts.stop);
}

void
generation_tell_room(struct generation *g)
{
	const struct fullness *f = &g->fullness;

	log_notice("pool %s: is not full any more, after %lld s; at most %u "
	    "waited", g->conf->name,
	    (long long)(f->seen - f->first + 999) / 1000, f->longest);
}

void
generation_leave(struct generation *g, enum generation_event how,
    int64_t limit)
{
	enum generation_action action = generation_event(g, how);

	switch (action) {
	case GENERATION_KEEP:
		order_all(g, ORDER_KEEP);
		count_outdated(g);
		leave(g, action, limit);
		break;
	case GENERATION_LEAVE:
		count_outdated(g);
		leave(g, action, limit);
		break;
	case GENERATION_SERVE:
		if (g->fullness.full)
			generation_tell_room(g);
		g->fullness.full = false;
		leave(g, action, limit);
		break;
	case GENERATION_DISCARD:
		leave(g, action, limit);
		break;
	case GENERATION_HASTEN:
		g->farewell = 0;
		tell_all_leave(g, limit);
		break;
	default:
		break;
	}
}

void
generation_hasten(struct generation *g, int64_t limit)
{
	if (g->farewell > 0) {
		g->farewell = 0;
		tell_all_leave(g, limit);
	}
}

void
generation_kill(struct generation *g)
{
	generation_event(g, GENERATION_KILLED);
	listen_set_end(&g->listens);
	for (unsigned i = 0; i < g->nslots; i++)
		slot_kill(&g->slots[i]);
	status_server_kill(&g->status_server);
	timer_process_kill(&g->timer_process);
	hub_process_use(g->hub, &g->uses_hub, false);
	hub_process_kill(g->hub);
}

bool
generation_is_gone(struct generation *g)
{
	return generation_leaves(g->state) &&
	    generation_count(g, SLOT_FREE) == g->nslots &&
	    listen_set_settled(&g->listens) &&
	    !generation_lacks_last(g, clock_ms()) &&
	    !status_server_lives(&g->status_server) &&
	    !timer_process_lives(&g->timer_process) &&
	    !hub_process_lingers(g->hub);
}

void
generation_wake(struct generation *g)
{
	g->attention = true;
}

bool
generation_is_due(const struct generation *g)
{
	return g->attention;
}

/* ---- sockets over a reload ----------------------------------------------- */

int
generation_adjust(struct generation *g, struct why *why)
{
	if (listen_set_adjust(&g->listens, g->conf, why) == -1)
		return -1;
	return listen_set_adjust(&g->status_server.listens, g->conf, why);
}

/* ---- what an operator does ----------------------------------------------- */

unsigned
generation_most(const struct generation *g)
{
	return 2 * (unsigned)g->conf->workers.max - 1;
}

void
generation_scale(struct generation *g, unsigned n)
{
	const struct conf_workers *given = &g->conf->workers;

	log_notice("pool %s: %s %u workers, as asked for", g->conf->name,
	    given->mode == MODE_STATIC ? "from now on" : "at most", n);
	g->workers.max = n;
	g->workers.min_spare = num_least(given->min_spare, n);
	g->workers.max_spare = num_least(given->max_spare, n);
	g->attention = true;
}

void
generation_scale_as(struct generation *g, const struct generation *other)
{
	g->workers = other->workers;
}

int
generation_reopen(struct generation *g)
{
	return logs_reopen(&g->logs, g->conf);
}

void
generation_send_logs(struct generation *g)
{
	const struct slot *server = &g->status_server.slot;

	if (status_server_lives(&g->status_server) && server->channel != -1)
		channel_send_level(server->channel, log_level_now());
	timer_process_send_level(&g->timer_process);
	hub_process_send_level(g->hub);
	for (unsigned i = 0; i < g->nslots; i++) {
		struct slot *slot = &g->slots[i];

		if (slot->state == SLOT_FREE || slot->channel == -1 ||
		    slot->foreign)
			continue;
		if (logs_send(&g->logs, i, slot->channel) == -1 &&
		    errno == EAGAIN)
			slot_is_deaf(slot);
	}
}

void
generation_share_timers(struct generation *g, const struct generation *other)
{
	timer_process_share(&g->timer_process, &other->timer_process);
}

struct timers *
generation_timers(struct generation *g)
{
	return g->timer_process.timers;
}

/* ---- what it is ---------------------------------------------------------- */

const char *
generation_name(const struct generation *g)
{
	return g->conf->name;
}

const struct conf_pool *
generation_conf(const struct generation *g)
{
	return g->conf;
}

const struct conf *
generation_source(const struct generation *g)
{
	return g->source;
}

enum generation_state
generation_state(const struct generation *g)
{
	return g->state;
}

bool
generation_is_tried(const struct generation *g)
{
	switch (g->state) {
	case GENERATION_TRIAL:
	case GENERATION_STARTING:
		return false;
	case GENERATION_BROKEN:
		return generation_count(g, SLOT_STARTING) == 0;
	case GENERATION_SERVING: /* the first one was forked alone */
		return (g->begun > 1 || g->begun == g->wanted) &&
		    hub_process_is_tried(g->hub);
	default:
		return true;
	}
}

const char *
generation_reason(const struct generation *g)
{
	return g->reason;
}

unsigned
generation_up(const struct generation *g)
{
	return generation_count(g, SLOT_UP);
}

unsigned
generation_busy(const struct generation *g)
{
	struct score_slot seen;
	unsigned n = timer_process_runs(&g->timer_process);

	for (unsigned i = 0; i < g->nslots; i++)
		n += g->slots[i].state != SLOT_FREE &&
		    board_read(g->board, i, &seen) &&
		    seen.requests > seen.done;
	return n;
}

struct listen_set *
generation_listens(struct generation *g)
{
	return &g->listens;
}

struct generation **
generation_link(struct generation *g)
{
	return &g->next;
}

struct index_entry *
generation_entry(struct generation *g)
{
	return &g->by_name;
}

#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/fd_leave.h"
#include "base/log.h"
#include "ipc/exchange.h"
#include "master/generation_impl.h"

#define SLOTS_MOST (1 << 20)

static void
put_slot(const struct generation *g, const struct slot *slot, struct buf *out)
{
	const struct sink_loan *loan =
	    &g->logs.loans[generation_number(g, slot)];
	struct buf record = { 0 };

	record_put_number(&record, "number", generation_number(g, slot));
	record_put_number(&record, "succeeds", slot->succeeds == NULL ? -1 :
	    (int64_t)generation_number(g, slot->succeeds));
	record_put_fd(&record, "access", loan->fd);
	record_put_fd(&record, "access_before", loan->before);
	slot_hand_over(slot, &record);
	record_put_records(out, "slot", &record);
}

static void
put_status_server(const struct status_server *server, struct buf *out)
{
	struct buf record = { 0 };

	status_server_hand_over(server, &record);
	record_put_records(out, "status_server", &record);
}

static void
put_timers(const struct timer_process *p, struct buf *out)
{
	struct buf record = { 0 };

	timer_process_hand_over(p, &record);
	record_put_records(out, "timer_process", &record);
}

static void
put_hub(const struct hub_process *p, struct buf *out)
{
	struct buf record = { 0 };

	hub_process_hand_over(p, &record);
	record_put_records(out, "hub", &record);
}

void
generation_hand_over(const struct generation *g, int64_t source,
    struct buf *out)
{
	struct buf board = { 0 };

	record_put_text(out, "name", g->conf->name);
	record_put_number(out, "source", source);
	record_put_number(out, "slots", g->nslots);
	board_hand_over(g->board, &board);
	record_put(out, "board", board.data, board.len);
	out->failed |= board.failed;
	buf_free(&board);
	share_set_hand_over(&g->shares, out);
	record_put_number(out, "handoff", HANDOFF_VERSION);
	record_put_fd(out, "exchange_in", g->listens.exchange[0]);
	record_put_fd(out, "exchange_out", g->listens.exchange[1]);
	record_put_fd(out, "held", g->listens.held);
	record_put_number(out, "held_protocol", g->listens.held_protocol);
	record_put_number(out, "held_since", g->listens.held_since);
	record_put_number(out, "failures", g->backoff.failures);
	record_put_number(out, "until", g->backoff.until);
	record_put_number(out, "wanted", g->wanted);
	record_put_number(out, "begun", g->begun);
	if (g->fullness.full) {
		record_put_number(out, "full_since", g->fullness.first);
		record_put_number(out, "full_seen", g->fullness.seen);
		record_put_number(out, "full_longest", g->fullness.longest);
	}
	record_put_text(out, "state", generation_state_name(g->state));
	record_put_number(out, "setup", g->setup);
	record_put_number(out, "ordinal", g->ordinal);
	record_put_number(out, "drained", g->drained);
	for (unsigned i = 0; i < g->nslots; i++)
		if (g->slots[i].state != SLOT_FREE)
			put_slot(g, &g->slots[i], out);
	if (status_server_lives(&g->status_server))
		put_status_server(&g->status_server, out);
	if (g->timer_process.timers != NULL)
		put_timers(&g->timer_process, out);
	/* Of the generations that share a hub, one hands it over. */
	if (g->uses_hub ||
	    (hub_process_lingers(g->hub) && g->hub->arg == g))
		put_hub(g->hub, out);
}

int64_t
generation_handover_source(const struct record *record)
{
	return record_number(record, "source", -1);
}

/* ---- taking over --------------------------------------------------------- */

static struct board *
take_board(const struct record *record, unsigned nslots)
{
	struct record found;
	struct board *board = NULL;

	errno = EPROTO;
	if (record_find(record, "board", &found))
		board = board_take_over(&found);
	if (board == NULL || board_slots(board) == nslots)
		return board;
	board_free(board);
	errno = EPROTO;
	return NULL;
}

/*
 * listen_set_open duplicates the exchange, so what came is closed.  Workers of
 * a build that hands connections over in another form must keep theirs: their
 * exchange is shut down, and the generation gets a new one.
 */
static int
take_listens(struct generation *g, const struct record *record, struct why *why)
{
	struct listen_set before = { .exchange = {
	    record_fd(record, "exchange_in"),
	    record_fd(record, "exchange_out") } };
	bool same = record_number(record, "handoff", 0) == HANDOFF_VERSION;
	bool leaving = generation_leaves(g->state);
	int result;

	if (!same)
		shutdown(before.exchange[1], SHUT_WR);
	result = listen_set_open(&g->listens, g->conf, same ? &before : NULL,
	    leaving, why);
	if (result == 0) {
		g->listens.held = record_fd(record, "held");
		g->listens.held_protocol = sock_protocol_from(record_number(
		    record, "held_protocol", SOCK_FCGI));
		g->listens.held_since = record_number(record, "held_since",
		    0);
	}
	if (result == 0 && leaving)
		listen_set_shut(&g->listens, g->options->loop);
	if (same) {
		fd_close(&before.exchange[0]);
		fd_close(&before.exchange[1]);
	} else {
		fd_leave(before.exchange, 2); /* in use elsewhere */
	}
	return result;
}

/* A generation that leaves listens for status no longer than its server
 * lives. */
static int
take_status_server(struct generation *g, const struct record *record,
    struct why *why)
{
	struct record unused;

	if (generation_leaves(g->state) &&
	    !record_find(record, "status_server", &unused))
		return 0;
	return status_server_open(&g->status_server, g->conf, why);
}

static int
take_timers(struct generation *g, const struct record *record, struct why *why)
{
	struct record found;

	if (record_find(record, "timer_process", &found))
		return timer_process_take_over(&g->timer_process, &found,
		    g->conf, g->board, g->options->loop, why);
	return timer_process_open(&g->timer_process, g->conf, g->board, why);
}

/* A generation that does not serve has a door at which nobody hears. */
static int
take_hub(struct generation *g, const struct record *record, struct why *why)
{
	struct record found;

	if (record_find(record, "hub", &found))
		g->hub = hub_process_take_over(&found, g->options->loop,
		    g->conf->name);
	else
		g->hub = hub_process_open(NULL);
	if (g->hub != NULL)
		return 0;
	why_set(why, "%s", strerror(errno));
	return -1;
}

/* A log that cannot be opened is logged, and the workers are kept. */
static int
take_logs(struct generation *g, struct why *why)
{
	if (logs_open(&g->logs, g->conf, g->nslots, why) == 0)
		return 0;
	log_error("pool %s: %s", g->conf->name, why->text);
	return g->logs.nslots == g->nslots ? 0 : -1;
}

static void
take_slot(struct generation *g, const struct record *record)
{
	int64_t i = record_number(record, "number", -1);
	int64_t other = record_number(record, "succeeds", -1);

	if (i < 0 || i >= g->nslots || g->slots[i].state != SLOT_FREE ||
	    slot_take_over(&g->slots[i], record, g->options->loop,
		g->conf->name, generation_heard, g) == -1)
		return;
	g->logs.loans[i].fd = record_fd(record, "access");
	g->logs.loans[i].before = record_fd(record, "access_before");
	quota_add(g->options->quota);
	if (other >= 0 && other < g->nslots && other != i)
		g->slots[i].succeeds = &g->slots[other];
}

static void
take_slots(struct generation *g, const struct record *record)
{
	const char *rest = record->value;
	size_t len = record->len;
	struct record part;

	while (record_next(&rest, &len, &part))
		if (record_is(&part, "slot"))
			take_slot(g, &part);
		else if (record_is(&part, "status_server"))
			status_server_take_over(&g->status_server, &part,
			    g->options->loop, g->conf->name);
}

/* A build that knows no setup needs none. */
static enum generation_setup
take_setup(const struct record *record)
{
	switch (record_number(record, "setup", SETUP_OVER)) {
	case SETUP_DUE:
		return SETUP_DUE;
	case SETUP_PASSED:
		return SETUP_PASSED;
	default:
		return SETUP_OVER;
	}
}

/* A generation on trial is refused: no upgrade begins during a reload. */
static int
take_state(struct generation *g, const struct record *record, struct why *why)
{
	char *name = record_text(record, "state");

	if (name != NULL)
		g->state = generation_state_find(name);
	free(name);
	if (name == NULL || g->state == GENERATION_STATES ||
	    generation_on_trial(g->state)) {
		g->state = GENERATION_DISCARDED;
		why_set(why, "its state is none");
		return -1;
	}
	g->backoff.failures = (unsigned)record_number(record, "failures",
	    0);
	g->backoff.until = record_number(record, "until", 0);
	g->fullness.first = record_number(record, "full_since", 0);
	g->fullness.full = g->fullness.first > 0;
	g->fullness.seen = record_number(record, "full_seen", 0);
	g->fullness.longest = (unsigned)record_number(record, "full_longest",
	    0);
	g->ordinal = (unsigned)record_number(record, "ordinal", 1);
	g->wanted = (unsigned)record_number(record, "wanted", 0);
	g->begun = (unsigned)record_number(record, "begun", g->wanted);
	g->setup = take_setup(record);
	g->drained = record_number(record, "drained", 0);
	g->attention = true;
	return 0;
}

static struct generation *
adopt(const struct record *record, const struct conf_pool *conf,
    const struct conf *source, const struct generation_options *options,
    struct why *why)
{
	int64_t nslots = record_number(record, "slots", 0);
	struct generation *g = NULL;

	if (nslots > 0 && nslots <= SLOTS_MOST)
		g = generation_make(conf, source, options, (unsigned)nslots);
	if (g == NULL) {
		why_set(why, "%" PRId64 " slots cannot be made", nslots);
		return NULL;
	}
	g->board = take_board(record, g->nslots);
	if (g->board == NULL)
		why_set(why, "its scoreboard: %s", strerror(errno));
	if (identity_find(&g->identity, conf, why) == 0 &&
	    take_state(g, record, why) == 0 &&
	    share_set_take_over(&g->shares, conf, record, why) == 0 &&
	    take_listens(g, record, why) == 0 && g->board != NULL &&
	    take_status_server(g, record, why) == 0 &&
	    take_logs(g, why) == 0 && take_timers(g, record, why) == 0 &&
	    take_hub(g, record, why) == 0)
		return g;
	generation_free(g);
	return NULL;
}

struct generation *
generation_take_over(const struct record *record, const struct conf *source,
    const struct generation_options *options, struct why *why)
{
	char *name = record_text(record, "name");
	const struct conf_pool *conf = source == NULL || name == NULL ? NULL :
	    conf_find(source, name);
	struct generation *g = NULL;

	why_set(why, "nothing is known of its configuration");
	free(name);
	if (conf != NULL)
		g = adopt(record, conf, source, options, why);
	if (g != NULL)
		take_slots(g, record);
	return g;
}

#include "master/pool_handover.h"

#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "share/exchange.h"

#define SLOTS_MOST (1 << 20)

static void
put_slot(const struct pool *pool, const struct slot *slot, struct buf *out)
{
	const struct sink_loan *loan =
	    &pool->logs.loans[pool_number(pool, slot)];
	struct buf record = { 0 };

	record_put_number(&record, "number", pool_number(pool, slot));
	record_put_number(&record, "succeeds", slot->succeeds == NULL ? -1 :
	    (int64_t)pool_number(pool, slot->succeeds));
	record_put_fd(&record, "access", loan->fd);
	record_put_fd(&record, "access_before", loan->before);
	slot_hand_over(slot, &record);
	record_put(out, "slot", record.data, record.len);
	out->failed |= record.failed;
	buf_free(&record);
}

static void
put_reporter(const struct reporter *reporter, struct buf *out)
{
	struct buf record = { 0 };

	reporter_hand_over(reporter, &record);
	record_put(out, "reporter", record.data, record.len);
	out->failed |= record.failed;
	buf_free(&record);
}

void
pool_hand_over(const struct pool *pool, int64_t source, struct buf *out)
{
	struct buf board = { 0 };

	record_put_text(out, "name", pool->conf->name);
	record_put_number(out, "source", source);
	record_put_number(out, "slots", pool->nslots);
	board_hand_over(pool->board, &board);
	record_put(out, "board", board.data, board.len);
	out->failed |= board.failed;
	buf_free(&board);
	record_put_number(out, "handoff", HANDOFF_VERSION);
	record_put_fd(out, "exchange_in", pool->inlet.exchange[0]);
	record_put_fd(out, "exchange_out", pool->inlet.exchange[1]);
	record_put_number(out, "failures", pool->backoff.failures);
	record_put_number(out, "until", pool->backoff.until);
	record_put_number(out, "wanted", pool->wanted);
	record_put_number(out, "begun", pool->begun);
	record_put_number(out, "draining", pool->draining);
	record_put_number(out, "last", pool->last);
	record_put_number(out, "drained", pool->drained);
	record_put_number(out, "proven", pool->proven);
	record_put_number(out, "failed", pool->failed);
	for (unsigned i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			put_slot(pool, &pool->slots[i], out);
	if (reporter_lives(&pool->reporter))
		put_reporter(&pool->reporter, out);
}

int64_t
pool_handover_source(const struct record *record)
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
 * It keeps copies of the exchange.  Workers of a build that hands connections
 * over in another form are to keep theirs: they see the end of their exchange,
 * and the others get one of their own.
 */
static int
take_inlet(struct pool *pool, const struct record *record, struct why *why)
{
	struct inlet before = { .exchange = { record_fd(record, "exchange_in"),
		record_fd(record, "exchange_out") } };
	bool same = record_number(record, "handoff", 0) == HANDOFF_VERSION;
	int result;

	if (!same)
		shutdown(before.exchange[1], SHUT_WR);
	result = inlet_open(&pool->inlet, pool->conf, same ? &before : NULL,
	    why);
	fd_close(&before.exchange[0]);
	fd_close(&before.exchange[1]);
	return result;
}

/* A log that cannot be opened is no reason to let workers go. */
static int
take_logs(struct pool *pool, struct why *why)
{
	if (logs_open(&pool->logs, pool->conf, pool->nslots, why) == 0)
		return 0;
	log_error("pool %s: %s", pool->conf->name, why->text);
	return pool->logs.nslots == pool->nslots ? 0 : -1;
}

static void
take_slot(struct pool *pool, const struct record *record)
{
	int64_t i = record_number(record, "number", -1);
	int64_t other = record_number(record, "succeeds", -1);

	if (i < 0 || i >= pool->nslots || pool->slots[i].state != SLOT_FREE ||
	    slot_take_over(&pool->slots[i], record, pool->options->loop,
		pool->conf->name, pool_heard, pool) == -1)
		return;
	pool->logs.loans[i].fd = record_fd(record, "access");
	pool->logs.loans[i].before = record_fd(record, "access_before");
	quota_add(pool->options->quota);
	if (other >= 0 && other < pool->nslots && other != i)
		pool->slots[i].succeeds = &pool->slots[other];
}

static void
take_slots(struct pool *pool, const struct record *record)
{
	const char *rest = record->value;
	size_t len = record->len;
	struct record part;

	while (record_next(&rest, &len, &part))
		if (record_is(&part, "slot"))
			take_slot(pool, &part);
		else if (record_is(&part, "reporter"))
			reporter_take_over(&pool->reporter, &part,
			    pool->options->loop, pool->conf->name);
}

static void
take_state(struct pool *pool, const struct record *record)
{
	pool->backoff.failures = (unsigned)record_number(record, "failures",
	    0);
	pool->backoff.until = record_number(record, "until", 0);
	pool->wanted = (unsigned)record_number(record, "wanted", 0);
	pool->begun = (unsigned)record_number(record, "begun", pool->wanted);
	pool->draining = record_number(record, "draining", 0) != 0;
	pool->last = record_number(record, "last", 0) != 0;
	pool->drained = record_number(record, "drained", 0);
	pool->proven = record_number(record, "proven", 1) != 0;
	pool->failed = record_number(record, "failed", 0) != 0;
	pool->attention = true;
}

static struct pool *
adopt(const struct record *record, const struct conf_pool *conf,
    const struct conf *source, const struct pool_options *options,
    struct why *why)
{
	int64_t nslots = record_number(record, "slots", 0);
	struct pool *pool = NULL;

	if (nslots > 0 && nslots <= SLOTS_MOST)
		pool = pool_make(conf, source, options, (unsigned)nslots);
	if (pool == NULL) {
		why_set(why, "%" PRId64 " slots cannot be made", nslots);
		return NULL;
	}
	pool->board = take_board(record, pool->nslots);
	if (pool->board == NULL)
		why_set(why, "its scoreboard: %s", strerror(errno));
	if (identity_find(&pool->identity, conf, why) == 0 &&
	    take_inlet(pool, record, why) == 0 && pool->board != NULL &&
	    reporter_open(&pool->reporter, conf, why) == 0 &&
	    take_logs(pool, why) == 0)
		return pool;
	pool_free(pool);
	return NULL;
}

struct pool *
pool_take_over(const struct record *record, const struct conf *source,
    const struct pool_options *options, struct why *why)
{
	char *name = record_text(record, "name");
	const struct conf_pool *conf = source == NULL || name == NULL ? NULL :
	    conf_find(source, name);
	struct pool *pool = NULL;

	why_set(why, "nothing is known of its configuration");
	free(name);
	if (conf != NULL)
		pool = adopt(record, conf, source, options, why);
	if (pool == NULL)
		return NULL;
	take_state(pool, record);
	take_slots(pool, record);
	return pool;
}

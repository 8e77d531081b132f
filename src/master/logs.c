#include "master/logs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

int
logs_open(struct logs *logs, const struct conf_pool *pool, unsigned nslots,
    struct why *why)
{
	struct why one;
	int result = 0;

	logs->nslots = 0;
	logs->own = calloc(nslots, sizeof(*logs->own));
	if (logs->own == NULL) {
		why_set(why, "%s", strerror(errno));
		result = -1;
	} else {
		for (; logs->nslots < nslots; logs->nslots++)
			logs->own[logs->nslots] = -1;
	}
	for (int id = 0; id < SINK_COUNT; id++) {
		if (sink_open(&logs->sinks[id], sink_target(pool, id),
			&one) == 0)
			continue;
		why_set(why, "%s: %s", sink_name(id), one.text);
		result = -1;
	}
	return result;
}

void
logs_close(struct logs *logs)
{
	for (int id = 0; id < SINK_COUNT; id++)
		sink_close(&logs->sinks[id]);
	for (unsigned slot = 0; slot < logs->nslots; slot++)
		fd_close(&logs->own[slot]);
	free(logs->own);
	logs->own = NULL;
	logs->nslots = 0;
}

/* ---- to workers ---------------------------------------------------------- */

void
logs_lend(struct logs *logs, unsigned slot, struct sink out[SINK_COUNT])
{
	fd_close(&logs->own[slot]);
	sink_lend(&logs->sinks[SINK_ACCESS], &out[SINK_ACCESS],
	    &logs->own[slot]);
	sink_lend(&logs->sinks[SINK_SLOW], &out[SINK_SLOW], NULL);
}

void
logs_return(struct logs *logs, unsigned slot)
{
	fd_close(&logs->own[slot]);
}

void
logs_send(struct logs *logs, unsigned slot, int channel)
{
	struct sink sinks[SINK_COUNT];

	logs_lend(logs, slot, sinks);
	for (int id = 0; id < SINK_COUNT; id++)
		sink_send(channel, id, &sinks[id]);
}

/* ---- changes ------------------------------------------------------------- */

static void
change(struct logs *logs, const struct conf_pool *pool, enum sink_id id)
{
	struct sink fresh;
	struct why why;

	if (sink_open(&fresh, sink_target(pool, id), &why) == -1) {
		log_error("pool %s: %s: %s", pool->name, sink_name(id),
		    why.text);
		return;
	}
	sink_close(&logs->sinks[id]);
	logs->sinks[id] = fresh;
}

void
logs_reopen(struct logs *logs, const struct conf_pool *pool)
{
	for (int id = 0; id < SINK_COUNT; id++)
		if (logs->sinks[id].way == SINK_FILE ||
		    logs->sinks[id].way == SINK_SYSLOG)
			change(logs, pool, id);
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The master's own stdout and stderr may lead elsewhere by now. */
void
logs_follow(struct logs *logs, const struct conf_pool *before,
    const struct conf_pool *after)
{
	for (int id = 0; id < SINK_COUNT; id++)
		if (!same(sink_target(before, id), sink_target(after, id)))
			change(logs, after, id);
	logs_reopen(logs, after);
}

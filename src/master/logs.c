#include "master/logs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/channel.h"
#include "ipc/spool.h"

int
logs_open(struct logs *logs, const struct conf_pool *pool, unsigned nslots,
    struct why *why)
{
	struct why one;
	int result = 0;

	logs->nslots = 0;
	logs->loans = calloc(nslots, sizeof(*logs->loans));
	if (logs->loans == NULL) {
		why_set(why, "%s", strerror(errno));
		result = -1;
	} else {
		for (; logs->nslots < nslots; logs->nslots++)
			logs->loans[logs->nslots] = SINK_LOAN_NONE;
	}
	if (format_compile(&logs->format, pool->logs.access_format, why) == -1)
		result = -1;
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
		sink_return(&logs->loans[slot]);
	format_free(&logs->format);
	buf_free(&logs->line);
	free(logs->loans);
	logs->loans = NULL;
	logs->nslots = 0;
}

/* ---- to workers ---------------------------------------------------------- */

void
logs_lend(struct logs *logs, unsigned slot, struct sink out[SINK_COUNT])
{
	sink_lend(&logs->sinks[SINK_ACCESS], &out[SINK_ACCESS],
	    &logs->loans[slot]);
	sink_lend(&logs->sinks[SINK_SLOW], &out[SINK_SLOW], NULL);
}

void
logs_return(struct logs *logs, unsigned slot)
{
	sink_return(&logs->loans[slot]);
}

int
logs_send(struct logs *logs, unsigned slot, int channel)
{
	struct sink_loan *loan = &logs->loans[slot];
	struct sink sinks[SINK_COUNT];

	loan->owed = true;
	if (loan->sent > 0)
		return 0;
	if (channel_send_level(channel, log_level_now()) == -1)
		return -1;
	logs_lend(logs, slot, sinks);
	for (int id = 0; id < SINK_COUNT; id++) {
		if (sink_send(channel, id, &sinks[id]) == -1)
			return -1;
		loan->sent++;
	}
	loan->owed = false;
	return 0;
}

void
logs_taken(struct logs *logs, unsigned slot, int channel)
{
	struct sink_loan *loan = &logs->loans[slot];

	if (loan->sent == 0 || --loan->sent > 0)
		return;
	fd_close(&loan->before);
	if (loan->owed)
		logs_send(logs, slot, channel);
}

/* ---- lines that are lost ------------------------------------------------- */

static void
tell_loss(enum sink_id id, const struct conf_pool *pool, struct board *board)
{
	int error;

	if (board_loses(board, id, &error))
		log_error("pool %s: %s takes no lines, they are lost: %s",
		    pool->name, sink_name(id), error == EAGAIN ?
		    "nobody reads it" : strerror(error));
}

void
logs_tell(const struct conf_pool *pool, struct board *board, bool lost)
{
	for (int id = 0; id < SINK_COUNT; id++)
		if (lost)
			tell_loss(id, pool, board);
		else if (board_is_lossy(board, id))
			log_warning("pool %s: %s takes lines again, %" PRIu64
			    " are lost", pool->name, sink_name(id),
			    board_forget_lost(board, id));
}

/* ---- for a worker that died ---------------------------------------------- */

struct dead {
	const struct score_slot *seen;
	char length[24];
};

static struct access_text
param(const void *from, const char *name, size_t len)
{
	const struct dead *dead = from;
	const struct score_slot *seen = dead->seen;
	const struct {
		const char *name;
		const char *text;
	} known[] = {
		{ "REQUEST_METHOD", seen->method },
		{ "REQUEST_URI", seen->uri },
		{ "SCRIPT_FILENAME", seen->script },
		{ "REMOTE_USER", seen->user },
		{ "REMOTE_ADDR", seen->remote },
		{ "CONTENT_LENGTH", dead->length },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len &&
		    memcmp(known[i].name, name, len) == 0 &&
		    *known[i].text != '\0')
			return (struct access_text){ known[i].text,
				strlen(known[i].text) };
	return (struct access_text){ NULL, 0 };
}

static struct access_text
no_header(const void *from, const char *name, size_t len)
{
	(void)from;
	(void)name;
	(void)len;
	return (struct access_text){ NULL, 0 };
}

/* True if the dead worker had come to the line of its request.  It notes the
 * spool's mark before it adds a line, so another mark means that it has added
 * one; -1 says that there was no mark, and then the line is most likely
 * written. */
static bool
has_line(const struct score_slot *seen, int64_t mark)
{
	if (seen->line == SCORE_NO_LINE)
		return false;
	return seen->line == -1 || seen->line != mark;
}

static void
add_line(struct logs *logs, const struct conf_pool *pool,
    const struct score_slot *seen)
{
	struct dead dead = { seen, "" };
	const struct access_record record = { .param = param,
		.header = no_header, .from = &dead, .pool = pool->name,
		.id = seen->id, .end = "killed", .pid = seen->pid,
		.parent = getpid(), .ended = clock_wall_us(),
		.status = seen->status != 0 ? seen->status : ACCESS_KILLED,
		.duration = clock_us() - seen->begun, .first = -1 };

	if (seen->length >= 0)
		snprintf(dead.length, sizeof(dead.length), "%" PRId64,
		    seen->length);
	access_line(&logs->format, &record, &logs->line);
}

static void
write_line(struct sink *sink, const char *line, size_t n,
    const struct conf_pool *pool, struct board *board)
{
	if (sink_write(sink, SINK_ACCESS, line, n) == 0)
		return;
	board_lose_line(board, SINK_ACCESS, errno);
	tell_loss(SINK_ACCESS, pool, board);
}

static void
write_lines(struct logs *logs, const struct conf_pool *pool,
    const struct score_slot *seen, struct board *board)
{
	struct sink *sink = &logs->sinks[SINK_ACCESS];
	const char *line = logs->line.data, *last;
	size_t n, left = logs->line.len;

	for (; left > 0; line += n, left -= n) {
		last = memchr(line, '\n', left);
		n = last == NULL ? left : (size_t)(last - line) + 1;
		if (sink->way != SINK_ERROR_LOG)
			write_line(sink, line, n, pool, board);
		else
			log_relay(&(struct log_entry) { .pid = seen->pid,
			    .level = LEVEL_NOTICE, .pool = pool->name,
			    .request = seen->id[0] != '\0' ? seen->id : NULL,
			    .text = line, .len = n - 1 });
	}
}

void
logs_account(struct logs *logs, unsigned slot, const struct conf_pool *pool,
    struct board *board)
{
	const void *stash = board_stash(board, slot);
	struct score_slot seen;
	int64_t mark = 0;

	buf_clear(&logs->line);
	if (stash != NULL)
		mark = spool_salvage(stash,
		    sink_loan_used(&logs->loans[slot]), &logs->line);
	if (logs->sinks[SINK_ACCESS].way == SINK_NONE ||
	    !board_read_last(board, slot, &seen))
		return;
	if (seen.requests > seen.done && !has_line(&seen, mark))
		add_line(logs, pool, &seen);
	write_lines(logs, pool, &seen, board);
}

/* ---- changes ------------------------------------------------------------- */

static int
change(struct logs *logs, const struct conf_pool *pool, enum sink_id id)
{
	struct sink fresh;
	struct why why;

	if (sink_open(&fresh, sink_target(pool, id), &why) == -1) {
		log_error("pool %s: %s: %s", pool->name, sink_name(id),
		    why.text);
		return -1;
	}
	sink_close(&logs->sinks[id]);
	logs->sinks[id] = fresh;
	return 0;
}

int
logs_reopen(struct logs *logs, const struct conf_pool *pool)
{
	int result = 0;

	for (int id = 0; id < SINK_COUNT; id++)
		if (logs->sinks[id].way == SINK_FILE ||
		    logs->sinks[id].way == SINK_SYSLOG)
			result |= change(logs, pool, id);
	return result;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A stream that stays is not opened anew: the master's own stdout and stderr
 * may lead elsewhere by now (daemon_silence). */
void
logs_follow(struct logs *logs, const struct conf_pool *before,
    const struct conf_pool *after)
{
	for (int id = 0; id < SINK_COUNT; id++)
		if (!same(sink_target(before, id), sink_target(after, id)))
			change(logs, after, id);
	logs_reopen(logs, after);
}

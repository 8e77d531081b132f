#include "base/log_fold.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/tuning.h"

#define LEVELS 8 /* the shared word is count * LEVELS + level */

static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static bool
same(const struct log_entry *a, const struct log_entry *b)
{
	return a->level == b->level && a->pid == b->pid && a->len == b->len &&
	    memcmp(a->text, b->text, a->len) == 0 &&
	    same_text(a->pool, b->pool) && same_text(a->request, b->request) &&
	    same_text(a->method, b->method) && same_text(a->uri, b->uri);
}

static void
set_count(struct log_fold *fold, uint64_t count)
{
	fold->count = count;
	if (fold->shared != NULL)
		atomic_store_explicit(fold->shared,
		    count * LEVELS + (uint64_t)fold->last.level,
		    memory_order_relaxed);
}

bool
log_fold_takes(struct log_fold *fold, const struct log_entry *entry,
    int64_t now)
{
	if (!fold->set || now >= fold->until || !same(&fold->last, entry))
		return false;
	set_count(fold, fold->count + 1);
	return true;
}

/* The buffer moves when it grows, so pointers into it are set at the end. */
static void
keep(struct buf *copy, const char *text)
{
	if (text != NULL)
		buf_add(copy, text, strlen(text) + 1);
}

static const char *
kept(const char **at, const char *text)
{
	const char *copy = *at;

	if (text == NULL)
		return NULL;
	*at += strlen(copy) + 1;
	return copy;
}

void
log_fold_begin(struct log_fold *fold, const struct log_entry *e, int64_t now)
{
	struct buf *copy = &fold->copy;
	const char *at;

	buf_clear(copy);
	buf_add(copy, e->text, e->len);
	keep(copy, e->pool);
	keep(copy, e->request);
	keep(copy, e->method);
	keep(copy, e->uri);
	fold->set = !copy->failed && e->level < LEVEL_ALERT;
	if (!fold->set)
		return;
	fold->last = *e;
	fold->last.text = copy->data;
	at = copy->data + e->len;
	fold->last.pool = kept(&at, e->pool);
	fold->last.request = kept(&at, e->request);
	fold->last.method = kept(&at, e->method);
	fold->last.uri = kept(&at, e->uri);
	fold->until = now + tuning.fold;
}

static void
tell(struct log_entry *entry, uint64_t count, char text[FOLD_TEXT])
{
	int n = snprintf(text, FOLD_TEXT, "last message repeated %" PRIu64
	    " time%s", count, count == 1 ? "" : "s");

	entry->text = text;
	entry->len = (size_t)n;
}

bool
log_fold_end(struct log_fold *fold, struct log_entry *entry,
    char text[FOLD_TEXT])
{
	uint64_t count = fold->count;

	fold->set = false;
	if (count == 0)
		return false;
	*entry = fold->last;
	tell(entry, count, text);
	set_count(fold, 0);
	return true;
}

bool
log_fold_left(uint64_t word, struct log_entry *entry, char text[FOLD_TEXT])
{
	if (word < LEVELS || word % LEVELS >= LEVEL_ALERT)
		return false;
	entry->level = (enum log_level)(word % LEVELS);
	tell(entry, word / LEVELS, text);
	return true;
}

#include "ipc/worker_args.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/image.h"
#include "base/log.h"
#include "base/sealed.h"
#include "base/why.h"
#include "ipc/pool_record.h"
#include "ipc/variables.h"

#define KIND  "lua_fpm_birth_1" /* of record; another build's may be another */

#define FDS_OF(orders) ((orders)->nlisteners + 5 + SINK_COUNT)

/* ---- giving -------------------------------------------------------------- */

static void
put_list(const char *name, const struct conf_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->n; i++)
		record_put_text(out, name, list->item[i]);
}

static void
put_pool(const struct conf_pool *pool, struct buf *out)
{
	struct conf_list inherited = { 0 }, own = { 0 };
	struct buf record = { 0 };

	if (variables_inherited(pool, &inherited) != 0 ||
	    variables_own(pool, &own) != 0)
		out->failed = true;
	put_list("inherited", &inherited, out);
	pool_record_put(pool, &own, &record);
	record_put(out, "pool", record.data, record.len);
	out->failed |= record.failed;
	conf_list_free(&inherited);
	conf_list_free(&own);
	buf_free(&record);
}

static void
put(const struct birth_orders *o, struct buf *out)
{
	struct buf all = { 0 }, identity = { 0 };

	put_pool(o->pool, &all);
	identity_put(o->identity, &identity);
	record_put(&all, "identity", identity.data, identity.len);
	all.failed |= identity.failed;
	buf_free(&identity);
	record_put_number(&all, "kind", o->kind);
	record_put_number(&all, "level", o->level);
	record_put_number(&all, "shut", o->shut);
	for (size_t i = 0; i < o->nlisteners; i++)
		record_put_number(&all, "listener", o->listeners[i]);
	record_put_number(&all, "channel", o->channel);
	record_put_number(&all, "exchange_in", o->exchange[0]);
	record_put_number(&all, "exchange_out", o->exchange[1]);
	record_put_number(&all, "head", o->head);
	record_put_number(&all, "slot", o->slot);
	record_put_number(&all, "number", o->number);
	for (int id = 0; o->sinks != NULL && id < SINK_COUNT; id++)
		sink_put(&o->sinks[id], id, &all);
	record_put(out, KIND, all.data, all.len);
	out->failed |= all.failed;
	buf_free(&all);
}

int
birth_prepare(const struct birth_orders *orders)
{
	struct buf text = { 0 };
	int fd;

	put(orders, &text);
	fd = sealed_make("lua-fpm-birth", &text);
	buf_free(&text);
	return fd;
}

void
birth_become(const struct birth_orders *o, int memory)
{
	int fds[FDS_OF(o)];
	size_t n = 0;
	char title[128];

	for (size_t i = 0; i < o->nlisteners; i++)
		fds[n++] = o->listeners[i];
	fds[n++] = o->channel;
	fds[n++] = o->exchange[0];
	fds[n++] = o->exchange[1];
	fds[n++] = o->head;
	fds[n++] = o->slot;
	for (int id = 0; o->sinks != NULL && id < SINK_COUNT; id++)
		fds[n++] = o->sinks[id].out.fd;
	snprintf(title, sizeof(title), "lua-fpm: %s %s",
	    o->kind == BIRTH_WORKER ? "pool" :
	    o->kind == BIRTH_STATUS ? "status of" : "trial of",
	    o->pool->name);
	image_become(title, memory, fds, n);
}

/* ---- taking -------------------------------------------------------------- */

static int
add_listener(struct birth *birth, const struct record *record)
{
	int *grown = reallocarray(birth->listeners, birth->nlisteners + 1,
	    sizeof(*grown));
	int fd = record_take_fd(record);

	if (grown == NULL)
		return -1;
	birth->listeners = grown;
	if (fd != -1)
		grown[birth->nlisteners++] = fd;
	return 0;
}

static int
take_lists(const struct record *all, struct birth *birth)
{
	const char *rest = all->value;
	size_t len = all->len;
	struct record part;
	char *text;
	int result = 0;

	while (result == 0 && record_next(&rest, &len, &part)) {
		if (record_is(&part, "listener"))
			result = add_listener(birth, &part);
		if (!record_is(&part, "inherited"))
			continue;
		text = strndup(part.value, part.len);
		result = text == NULL ? -1 :
		    conf_list_add(&birth->inherited, text);
		free(text);
	}
	return result;
}

static int
take_score(const struct record *all, struct birth *birth)
{
	if (birth->kind == BIRTH_TRIAL)
		return 0;
	birth->score = score_open(record_fd(all, "head"),
	    record_fd(all, "slot"),
	    (unsigned)record_number(all, "number", 0));
	return birth->score == NULL ? -1 : 0;
}

static int
take(const struct record *all, struct birth *birth)
{
	struct record pool, identity;

	birth->kind = (enum birth_kind)record_number(all, "kind",
	    BIRTH_WORKER);
	birth->shut = record_number(all, "shut", 0) != 0;
	birth->channel = record_fd(all, "channel");
	birth->exchange[0] = record_fd(all, "exchange_in");
	birth->exchange[1] = record_fd(all, "exchange_out");
	for (int id = 0; id < SINK_COUNT; id++)
		sink_get(&birth->sinks[id], id, all);
	if (birth->kind != BIRTH_TRIAL)
		log_to_master((enum log_level)record_number(all, "level",
		    LEVEL_NOTICE));
	if (record_find(all, "pool", &pool))
		birth->conf = pool_record_get(&pool);
	if (birth->conf == NULL || take_lists(all, birth) == -1 ||
	    !record_find(all, "identity", &identity) ||
	    identity_get(&birth->identity, &identity) == -1)
		return -1;
	birth->pool = &birth->conf->pools[0];
	return take_score(all, birth);
}

const struct birth *
birth_take(int memory, struct why *why)
{
	static struct sink sinks[SINK_COUNT];
	static struct birth birth = { .sinks = sinks };
	struct buf text = { 0 };
	const char *rest;
	struct record all;
	size_t len;

	if (sealed_read(memory, &text) == -1) {
		why_set(why, "the descriptor with what it was born for is no "
		    "sealed memory");
		return NULL;
	}
	close(memory);
	rest = text.data;
	len = text.len;
	if (!record_next(&rest, &len, &all) || !record_is(&all, KIND) ||
	    len != 0 || !record_is_whole(&all)) {
		why_set(why, "what it was born for is of another build");
		buf_free(&text);
		return NULL;
	}
	if (take(&all, &birth) == -1) {
		why_set(why, "what it was born with: %s", strerror(errno));
		conf_free(birth.conf);
		birth.conf = NULL;
		buf_free(&text);
		return NULL;
	}
	buf_free(&text);
	return &birth;
}

/* ---- words --------------------------------------------------------------- */

bool
birth_is_word(char byte)
{
	switch ((enum birth_word)byte) {
	case WORD_READY:
	case WORD_CROWDED:
	case WORD_REPLACE:
	case WORD_RESTARTED:
	case WORD_OUTDATED:
	case WORD_CURRENT:
	case WORD_FAILED:
	case WORD_STUCK:
	case WORD_LEAVING:
	case WORD_STATUS:
	case WORD_TAKEN:
	case WORD_LOST:
	case WORD_LOGS:
		return true;
	case WORD_CLOSED:
		return false;
	}
	return false;
}

void
birth_say(const struct birth *birth, enum birth_word word)
{
	char byte = (char)word;

	if (birth->channel != -1)
		send(birth->channel, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
birth_fail(const struct birth *birth, const char *why)
{
	char message[1 + sizeof(((struct why *)0)->text)];

	snprintf(message, sizeof(message), "%c%s", WORD_FAILED, why);
	if (birth->channel != -1)
		send(birth->channel, message, strlen(message),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

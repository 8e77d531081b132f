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

#define KIND  "lua_fpm_birth_2" /* the record's name, with its version */

#define FDS_OF(orders) \
	((orders)->nlisteners + (orders)->nshared + 6 + SINK_COUNT)

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
put_listener(int fd, enum sock_protocol protocol, struct buf *out)
{
	struct buf record = { 0 };

	record_put_number(&record, "fd", fd);
	record_put_number(&record, "protocol", protocol);
	record_put(out, "listener", record.data, record.len);
	out->failed |= record.failed;
	buf_free(&record);
}

static void
put(const struct worker_orders *o, struct buf *out)
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
	record_put_number(&all, "setup", o->setup);
	for (size_t i = 0; i < o->nlisteners; i++)
		put_listener(o->listeners[i], o->protocols[i], &all);
	for (size_t i = 0; i < o->nshared; i++)
		record_put_number(&all, "shared", o->shared[i]);
	record_put_number(&all, "channel", o->channel);
	record_put_number(&all, "exchange_in", o->exchange[0]);
	record_put_number(&all, "exchange_out", o->exchange[1]);
	record_put_number(&all, "door", o->door);
	record_put_number(&all, "head", o->head);
	record_put_number(&all, "slot", o->slot);
	record_put_number(&all, "number", o->number);
	record_put_number(&all, "generation", o->generation);
	for (int id = 0; o->sinks != NULL && id < SINK_COUNT; id++)
		sink_put(&o->sinks[id], id, &all);
	record_put(out, KIND, all.data, all.len);
	out->failed |= all.failed;
	buf_free(&all);
}

int
worker_args_prepare(const struct worker_orders *orders)
{
	struct buf text = { 0 };
	int fd;

	put(orders, &text);
	fd = sealed_make("lua-fpm-birth", &text);
	buf_free(&text);
	return fd;
}

void
worker_args_become(const struct worker_orders *o, int memory)
{
	int fds[FDS_OF(o)];
	size_t n = 0;
	char title[128];

	for (size_t i = 0; i < o->nlisteners; i++)
		fds[n++] = o->listeners[i];
	for (size_t i = 0; i < o->nshared; i++)
		fds[n++] = o->shared[i];
	fds[n++] = o->channel;
	fds[n++] = o->exchange[0];
	fds[n++] = o->exchange[1];
	fds[n++] = o->door;
	fds[n++] = o->head;
	fds[n++] = o->slot;
	for (int id = 0; o->sinks != NULL && id < SINK_COUNT; id++)
		fds[n++] = o->sinks[id].out.fd;
	snprintf(title, sizeof(title), "lua-fpm: %s %s",
	    o->kind == WORKER_KIND_APP ? "pool" :
	    o->kind == WORKER_KIND_STATUS ? "status of" :
	    o->kind == WORKER_KIND_TIMERS ? "timers of" :
	    o->kind == WORKER_KIND_HUB ? "hub of" : "trial of",
	    o->pool->name);
	image_become(title, memory, fds, n);
}

/* ---- taking -------------------------------------------------------------- */

static int
add_listener(struct worker_args *args, const struct record *record)
{
	size_t n = args->nlisteners + 1;
	int *fds = reallocarray(args->listeners, n, sizeof(*fds));
	enum sock_protocol *protocols = reallocarray(args->protocols, n,
	    sizeof(*protocols));
	int fd = record_fd(record, "fd");

	if (fds != NULL)
		args->listeners = fds;
	if (protocols != NULL)
		args->protocols = protocols;
	if (fds == NULL || protocols == NULL)
		return -1;
	if (fd == -1)
		return 0;
	fds[args->nlisteners] = fd;
	protocols[args->nlisteners++] =
	    sock_protocol_from(record_number(record, "protocol", SOCK_FCGI));
	return 0;
}

/* -1 takes its place as well: they are in the order of pool->shared. */
static int
add_shared(struct worker_args *args, const struct record *record)
{
	int *grown = reallocarray(args->shared, args->nshared + 1,
	    sizeof(*grown));

	if (grown == NULL)
		return -1;
	args->shared = grown;
	grown[args->nshared++] = record_take_fd(record);
	return 0;
}

static int
take_lists(const struct record *all, struct worker_args *args)
{
	const char *rest = all->value;
	size_t len = all->len;
	struct record part;
	char *text;
	int result = 0;

	while (result == 0 && record_next(&rest, &len, &part)) {
		if (record_is(&part, "listener"))
			result = add_listener(args, &part);
		if (record_is(&part, "shared"))
			result = add_shared(args, &part);
		if (!record_is(&part, "inherited"))
			continue;
		text = strndup(part.value, part.len);
		result = text == NULL ? -1 :
		    conf_list_add(&args->inherited, text);
		free(text);
	}
	return result;
}

static int
take_score(const struct record *all, struct worker_args *args)
{
	if (args->kind == WORKER_KIND_TRIAL)
		return 0;
	args->score = score_open(record_fd(all, "head"),
	    record_fd(all, "slot"),
	    (unsigned)record_number(all, "number", 0));
	return args->score == NULL ? -1 : 0;
}

static int
take(const struct record *all, struct worker_args *args)
{
	struct record pool, identity;

	args->kind = (enum worker_kind)record_number(all, "kind",
	    WORKER_KIND_APP);
	args->number = (unsigned)record_number(all, "number", 0);
	args->generation = (unsigned)record_number(all, "generation", 1);
	args->shut = record_number(all, "shut", 0) != 0;
	args->setup = record_number(all, "setup", 0) != 0;
	args->channel = record_fd(all, "channel");
	args->exchange[0] = record_fd(all, "exchange_in");
	args->exchange[1] = record_fd(all, "exchange_out");
	args->door = record_fd(all, "door");
	for (int id = 0; id < SINK_COUNT; id++)
		sink_get(&args->sinks[id], id, all);
	if (args->kind != WORKER_KIND_TRIAL)
		log_to_master((enum log_level)record_number(all, "level",
		    LEVEL_NOTICE));
	if (record_find(all, "pool", &pool))
		args->conf = pool_record_get(&pool);
	if (args->conf == NULL || take_lists(all, args) == -1 ||
	    !record_find(all, "identity", &identity) ||
	    identity_get(&args->identity, &identity) == -1)
		return -1;
	args->pool = &args->conf->pools[0];
	return take_score(all, args);
}

const struct worker_args *
worker_args_take(int memory, struct why *why)
{
	static struct sink sinks[SINK_COUNT];
	static struct worker_args args = { .sinks = sinks };
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
	if (take(&all, &args) == -1) {
		why_set(why, "what it was born with: %s", strerror(errno));
		conf_free(args.conf);
		args.conf = NULL;
		buf_free(&text);
		return NULL;
	}
	buf_free(&text);
	return &args;
}

/* ---- words --------------------------------------------------------------- */

bool
worker_is_word(char byte)
{
	switch ((enum worker_word)byte) {
	case WORD_NO_SETUP:
	case WORD_SET_UP:
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
	case WORD_WEBSOCKET:
	case WORD_LOST:
	case WORD_LOGS:
	case WORD_RAN:
	case WORD_RUN_FAILED:
	case WORD_RUN_LATE:
		return true;
	case WORD_CLOSED:
		return false;
	}
	return false;
}

void
worker_say(const struct worker_args *args, enum worker_word word)
{
	char byte = (char)word;

	if (args->channel != -1)
		send(args->channel, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool
worker_word_explains(char byte)
{
	return byte == WORD_FAILED || byte == WORD_RUN_FAILED ||
	    byte == WORD_RUN_LATE;
}

void
worker_explain(const struct worker_args *args, enum worker_word word,
    const char *why)
{
	char message[1 + sizeof(((struct why *)0)->text)];

	snprintf(message, sizeof(message), "%c%s", word, why);
	if (args->channel != -1)
		send(args->channel, message, strlen(message),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
worker_fail(const struct worker_args *args, const char *why)
{
	worker_explain(args, WORD_FAILED, why);
}

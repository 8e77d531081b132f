#include "ipc/pool_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_value.h"

#define NAME_ROOM 64

static void *
member_of(const struct conf_key *key, const struct conf_pool *pool)
{
	return (char *)(uintptr_t)pool + key->offset;
}

/* "workers_max"; a key outside the groups has its name only. */
static const char *
record_name(const struct conf_key *key, char out[NAME_ROOM])
{
	const char *group = conf_group_name(key->group);

	snprintf(out, NAME_ROOM, "%s%s%s", group, *group != '\0' ? "_" : "",
	    key->name);
	return out;
}

/* ---- putting ------------------------------------------------------------- */

static void
put_list(const char *name, const struct conf_list *list, struct buf *out)
{
	struct buf items = { 0 };

	for (size_t i = 0; i < list->n; i++)
		record_put_text(&items, "item", list->item[i]);
	record_put(out, name, items.data, items.len);
	out->failed |= items.failed;
	buf_free(&items);
}

static void
put_key(const struct conf_key *key, const struct conf_pool *pool,
    const struct conf_list *own, struct buf *out)
{
	const void *member = member_of(key, pool);
	const char *text;
	char name[NAME_ROOM];

	record_name(key, name);
	switch (key->type) {
	case KEY_STRING:
		text = *(char *const *)member;
		record_put_text(out, name, text != NULL ? text : "");
		break;
	case KEY_STRINGS:
	case KEY_SIZES:
	case KEY_TIMERS:
		put_list(name, member, out);
		break;
	case KEY_VARIABLES:
		put_list(name, own, out);
		break;
	case KEY_BOOL:
		record_put_number(out, name, *(const bool *)member);
		break;
	default:
		record_put_number(out, name, *(const int64_t *)member);
		break;
	}
}

void
pool_record_put(const struct conf_pool *pool, const struct conf_list *own,
    struct buf *out)
{
	record_put_text(out, "name", pool->name);
	for (const struct conf_key *key = conf_keys; key->name != NULL; key++)
		if (key->group != GROUP_TOP)
			put_key(key, pool, own, out);
}

/* ---- getting ------------------------------------------------------------- */

static int
get_list(const struct record *record, struct conf_list *list)
{
	const char *rest = record->value;
	size_t len = record->len;
	struct record item;
	char *text;
	int result = 0;

	conf_list_free(list);
	while (result == 0 && record_next(&rest, &len, &item)) {
		text = strndup(item.value, item.len);
		result = text == NULL ? -1 : conf_list_add(list, text);
		free(text);
	}
	return result;
}

static int
get_string(const struct record *record, char **member)
{
	char *text = NULL;

	if (record->len > 0 &&
	    (text = strndup(record->value, record->len)) == NULL)
		return -1;
	free(*member);
	*member = text;
	return 0;
}

static int
get_key(const struct conf_key *key, const struct record *record,
    struct conf_pool *pool)
{
	void *member = member_of(key, pool);
	int64_t number;

	switch (key->type) {
	case KEY_STRING:
		return get_string(record, member);
	case KEY_STRINGS:
	case KEY_VARIABLES:
	case KEY_SIZES:
	case KEY_TIMERS:
		return get_list(record, member);
	default:
		break;
	}
	if (!record_is_number(record, &number))
		return 0;
	if (key->type == KEY_BOOL)
		*(bool *)member = number != 0;
	else
		*(int64_t *)member = number;
	return 0;
}

static int
get(const struct record *record, struct conf_pool *pool)
{
	char name[NAME_ROOM];

	if (record_is(record, "name"))
		return get_string(record, &pool->name);
	for (const struct conf_key *key = conf_keys; key->name != NULL; key++)
		if (key->group != GROUP_TOP &&
		    record_is(record, record_name(key, name)))
			return get_key(key, record, pool);
	return 0;
}

struct conf *
pool_record_get(const struct record *record)
{
	struct conf *conf = calloc(1, sizeof(*conf));
	const char *rest = record->value;
	size_t len = record->len;
	struct record part;
	int result = -1;

	if (conf != NULL &&
	    (conf->pools = calloc(1, sizeof(*conf->pools))) != NULL) {
		conf->npools = 1;
		result = conf_value_pool_defaults(&conf->pools[0]);
	}
	while (result == 0 && record_next(&rest, &len, &part))
		result = get(&part, &conf->pools[0]);
	if (result == 0 && conf->pools[0].name != NULL)
		return conf;
	conf_free(conf);
	return NULL;
}

#include <stdlib.h>

#include "hub/hub_impl.h"

static struct hub_socket **
bucket(const struct hub *hub, uint64_t id)
{
	return &hub->table[(id ^ id >> 32) & (hub->nbuckets - 1)];
}

struct hub_socket *
hub_table_find(const struct hub *hub, uint64_t id)
{
	struct hub_socket *s = hub->nbuckets == 0 ? NULL : *bucket(hub, id);

	while (s != NULL && s->id != id)
		s = s->next;
	return s;
}

void
hub_table_add(struct hub *hub, struct hub_socket *s)
{
	struct hub_socket **at = bucket(hub, s->id);

	s->next = *at;
	*at = s;
	hub->nsockets++;
}

int
hub_table_grow(struct hub *hub)
{
	size_t old = hub->nbuckets, n = old == 0 ? 64 : old * 2;
	struct hub_socket **from = hub->table, **to, *s;

	if (hub->nsockets < old)
		return 0;
	to = calloc(n, sizeof(*to));
	if (to == NULL)
		return -1;
	hub->table = to;
	hub->nbuckets = n;
	hub->nsockets = 0;
	for (size_t i = 0; i < old; i++)
		while ((s = from[i]) != NULL) {
			from[i] = s->next;
			hub_table_add(hub, s);
		}
	free(from);
	return 0;
}

void
hub_table_remove(struct hub *hub, struct hub_socket *s)
{
	struct hub_socket **at = bucket(hub, s->id);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	hub->nsockets--;
}

struct hub_socket *
hub_table_next(const struct hub *hub, const struct hub_socket *s)
{
	struct hub_socket **at = hub->table;

	if (hub->nbuckets == 0)
		return NULL;
	if (s != NULL && s->next != NULL)
		return s->next;
	if (s != NULL)
		at = bucket(hub, s->id) + 1;
	for (; at < hub->table + hub->nbuckets; at++)
		if (*at != NULL)
			return *at;
	return NULL;
}

#include "hub/hub_channel.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/hub_record.h"

/* Each side knows where it stands on the other, so that the last entry of a list
 * can take the place of one that is removed. */
struct place {
	struct hub_subscriber *subscriber;
	uint32_t at; /* in its list */
};

struct hub_channel {
	struct place *list;
	uint32_t n, cap;
	uint16_t len;
	char name[];
};

struct hub_membership {
	struct hub_channel *channel;
	uint32_t at; /* in its list */
};

/* ---- by name ------------------------------------------------------------------ */

static int
compare(const void *one, const void *other)
{
	const struct hub_channel *a = one, *b = other;
	size_t n = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->name, b->name, n);

	return order != 0 ? order : (int)a->len - (int)b->len;
}

static struct hub_channel *
make(const char *name, size_t len)
{
	struct hub_channel *channel = malloc(sizeof(*channel) + len);

	if (channel == NULL)
		return NULL;
	*channel = (struct hub_channel){ .len = (uint16_t)len };
	memcpy(channel->name, name, len);
	return channel;
}

struct hub_channel *
hub_channel_find(const struct hub_channels *channels, const char *name,
    size_t len)
{
	union {
		struct hub_channel channel;
		char room[sizeof(struct hub_channel) + HUB_CHANNEL];
	} like;
	struct hub_channel **found;

	if (len > HUB_CHANNEL)
		return NULL;
	like.channel.len = (uint16_t)len;
	memcpy(like.channel.name, name, len);
	found = tfind(&like.channel, &channels->tree, compare);
	return found == NULL ? NULL : *found;
}

/* The channel of that name, which is made if need be; NULL without memory. */
static struct hub_channel *
provide(struct hub_channels *channels, const char *name, size_t len)
{
	struct hub_channel *fresh = make(name, len), **found;

	found = fresh == NULL ? NULL :
	    tsearch(fresh, &channels->tree, compare);
	if (found == NULL || *found != fresh)
		free(fresh);
	else
		channels->n++;
	return found == NULL ? NULL : *found;
}

static void
let_go(struct hub_channels *channels, struct hub_channel *channel)
{
	if (channel->n > 0)
		return;
	tdelete(channel, &channels->tree, compare);
	channels->n--;
	free(channel->list);
	free(channel);
}

/* ---- to join and to leave ------------------------------------------------------ */

static struct hub_membership *
membership(const struct hub_subscriber *s, const char *name, size_t len)
{
	const struct hub_channel *channel;

	for (size_t i = 0; i < s->n; i++) {
		channel = s->list[i].channel;
		if (channel->len == len &&
		    memcmp(channel->name, name, len) == 0)
			return &s->list[i];
	}
	return NULL;
}

static int
grow_subscriber(struct hub_subscriber *s)
{
	size_t cap = s->cap == 0 ? 2 : (size_t)s->cap * 2;
	struct hub_membership *list;

	if (s->n < s->cap)
		return 0;
	list = cap > UINT16_MAX ? NULL : realloc(s->list,
	    cap * sizeof(*list));
	if (list == NULL)
		return -1;
	s->list = list;
	s->cap = (uint16_t)cap;
	return 0;
}

static int
grow_channel(struct hub_channel *c)
{
	size_t cap = c->cap == 0 ? 2 : (size_t)c->cap * 2;
	struct place *list;

	if (c->n < c->cap)
		return 0;
	list = cap > UINT32_MAX ? NULL : realloc(c->list,
	    cap * sizeof(*list));
	if (list == NULL)
		return -1;
	c->list = list;
	c->cap = (uint32_t)cap;
	return 0;
}

int
hub_subscribe(struct hub_channels *channels, struct hub_subscriber *s,
    unsigned most, const char *name, size_t len)
{
	struct hub_channel *c;

	if (membership(s, name, len) != NULL)
		return 0;
	if (s->n >= most) {
		errno = ENOSPC;
		return -1;
	}
	c = grow_subscriber(s) == -1 ? NULL : provide(channels, name, len);
	if (c == NULL || grow_channel(c) == -1) {
		if (c != NULL)
			let_go(channels, c);
		errno = ENOMEM;
		return -1;
	}
	s->list[s->n] = (struct hub_membership){ c, c->n };
	c->list[c->n] = (struct place){ s, s->n };
	s->n++;
	c->n++;
	return 0;
}

static void
leave(struct hub_channels *channels, struct hub_membership *m)
{
	struct hub_channel *c = m->channel;
	struct place place = c->list[m->at];
	struct hub_subscriber *s = place.subscriber;

	c->list[m->at] = c->list[--c->n];
	c->list[m->at].subscriber->list[c->list[m->at].at].at = m->at;
	s->list[place.at] = s->list[--s->n];
	if (place.at < s->n)
		s->list[place.at].channel->list[s->list[place.at].at].at =
		    place.at;
	let_go(channels, c);
}

void
hub_unsubscribe(struct hub_channels *channels, struct hub_subscriber *s,
    const char *name, size_t len)
{
	struct hub_membership *m = membership(s, name, len);

	if (m != NULL)
		leave(channels, m);
}

void
hub_unsubscribe_all(struct hub_channels *channels, struct hub_subscriber *s)
{
	while (s->n > 0)
		leave(channels, &s->list[s->n - 1]);
	free(s->list);
	*s = (struct hub_subscriber){ 0 };
}

/* ---- what there is -------------------------------------------------------------- */

size_t
hub_channel_count(const struct hub_channel *channel)
{
	return channel->n;
}

struct hub_subscriber *
hub_channel_get(const struct hub_channel *channel, size_t i)
{
	return channel->list[i].subscriber;
}

const char *
hub_subscribed(const struct hub_subscriber *s, size_t i, size_t *len)
{
	*len = s->list[i].channel->len;
	return s->list[i].channel->name;
}

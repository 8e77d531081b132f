#ifndef HUB_HUB_CHANNEL_H
#define HUB_HUB_CHANNEL_H

/*
 * Channels and who listens to them.  A channel is there while it has a
 * subscriber.  To find one takes log(n) steps, whatever the names; to join and to
 * leave one takes no time for its other subscribers.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub_channel;

struct hub_subscriber { /* part of a socket, all zero at first */
	struct hub_membership *list;
	uint16_t n;
	uint16_t cap;
};

struct hub_channels { /* all zero: none */
	void *tree;
	size_t n;
};

/* Subscribe to a channel of len bytes, from 1 to HUB_CHANNEL.  0, also if it is
 * subscribed already; -1 with errno: ENOSPC beyond `most` channels, ENOMEM. */
int hub_subscribe(struct hub_channels *channels, struct hub_subscriber *s,
    unsigned most, const char *name, size_t len);

/* No effect if it is not subscribed; from all channels, giving the memory
 * back. */
void hub_unsubscribe(struct hub_channels *channels, struct hub_subscriber *s,
    const char *name, size_t len);
void hub_unsubscribe_all(struct hub_channels *channels,
    struct hub_subscriber *s);

/* The channel of that name; NULL: nobody listens.  Its number of subscribers;
 * one of them.  They stand in no order, which changes when one comes or goes. */
struct hub_channel *hub_channel_find(const struct hub_channels *channels,
    const char *name, size_t len);
size_t hub_channel_count(const struct hub_channel *channel);
struct hub_subscriber *hub_channel_get(const struct hub_channel *channel,
    size_t i);

/* The name of the i-th channel of a subscriber, i < s->n. */
const char *hub_subscribed(const struct hub_subscriber *s, size_t i,
    size_t *len);

#endif

#include <errno.h>

#include "hub/hub_impl.h"

struct hub_frame *
hub_message(struct hub *hub, unsigned kind, const struct hub_part *data)
{
	struct hub_frame *frame;

	errno = data->len > HUB_DATA ? EMSGSIZE :
	    kind == WS_TEXT && !ws_is_utf8(data->data, data->len) ? EILSEQ :
	    kind != WS_TEXT && kind != WS_BINARY ? EINVAL : 0;
	if (errno != 0)
		return NULL;
	frame = hub_frame_new(&hub->pile, (enum ws_opcode)kind, data->data,
	    data->len);
	if (frame == NULL)
		errno = ENOMEM;
	return frame;
}

/* From the last subscriber on: one that is cut leaves its place to one that has
 * had the frame, and with the last one the channel is gone. */
long
hub_publish(struct hub *hub, unsigned kind, const struct hub_part *name,
    const struct hub_part *data)
{
	struct hub_channel *channel = hub_channel_find(&hub->channels,
	    name->data, name->len);
	struct hub_frame *frame = hub_message(hub, kind, data);
	struct hub_subscriber *subscriber;
	long n = 0;

	if (frame == NULL)
		return -1;
	for (size_t i = channel == NULL ? 0 : hub_channel_count(channel);
	     i-- > 0;) {
		subscriber = hub_channel_get(channel, i);
		n += hub_socket_queue(hub, (struct hub_socket *)
		    ((char *)subscriber -
		    offsetof(struct hub_socket, subscriber)), frame);
	}
	hub_frame_drop(frame);
	return n;
}

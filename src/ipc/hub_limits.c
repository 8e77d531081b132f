#include "ipc/hub_limits.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "base/sealed.h"
#include "ipc/record.h"

static const struct limit {
	const char *name;
	size_t offset; /* of an int64_t */
} table[] = {
	{ "connections", offsetof(struct conf_websocket, connections) },
	{ "max_message", offsetof(struct conf_websocket, max_message) },
	{ "send_buffer", offsetof(struct conf_websocket, send_buffer) },
	{ "ping", offsetof(struct conf_websocket, ping) },
	{ "silence", offsetof(struct conf_websocket, silence) },
	{ "idle", offsetof(struct conf_websocket, idle) },
	{ "drain", offsetof(struct conf_websocket, drain) },
	{ NULL, 0 }
};

int
hub_limits_make(const struct conf_websocket *limits)
{
	struct buf text = { 0 };
	int fd;

	for (const struct limit *l = table; l->name != NULL; l++)
		record_put_number(&text, l->name,
		    *(const int64_t *)((const char *)limits + l->offset));
	fd = sealed_make("lua-fpm-limits", &text);
	buf_free(&text);
	return fd;
}

int
hub_limits_take(int memory, struct conf_websocket *limits)
{
	struct buf text = { 0 };
	struct record all;
	int64_t *number;

	if (sealed_read(memory, &text) == -1) {
		close(memory);
		buf_free(&text);
		return -1;
	}
	close(memory);
	all = (struct record){ .value = text.data, .len = text.len };
	for (const struct limit *l = table; l->name != NULL; l++) {
		number = (int64_t *)((char *)limits + l->offset);
		*number = record_number(&all, l->name, *number);
	}
	buf_free(&text);
	return 0;
}

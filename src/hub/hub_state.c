#include "hub/hub_state.h"

#include "net/ws_frame.h"

#define TIME (INT64_MAX / 4) /* of clock_ms(), at most */

struct field {
	const char *name;
	size_t offset;
	int64_t least, most; /* of a number; of a text: the longest */
	bool text;
};

#define NUMBER(TYPE, NAME, LEAST, MOST) \
	{ #NAME, offsetof(struct TYPE, NAME), LEAST, MOST, false }
#define TEXT(TYPE, NAME, MOST) \
	{ #NAME, offsetof(struct TYPE, NAME), 0, MOST, true }
#define END { NULL, 0, 0, 0, false }

static const struct field hub_fields[] = {
	NUMBER(hub_state_hub, version, 0, INT32_MAX),
	NUMBER(hub_state_hub, full, 0, 1),
	NUMBER(hub_state_hub, opened, 0, INT64_MAX),
	NUMBER(hub_state_hub, refused, 0, INT64_MAX),
	NUMBER(hub_state_hub, received, 0, INT64_MAX),
	NUMBER(hub_state_hub, sent, 0, INT64_MAX),
	NUMBER(hub_state_hub, slow, 0, INT64_MAX),
	NUMBER(hub_state_hub, silent, 0, INT64_MAX),
	NUMBER(hub_state_hub, faults, 0, INT64_MAX),
	NUMBER(hub_state_hub, lost, 0, INT64_MAX),
	END
};

static const struct field socket_fields[] = {
	NUMBER(hub_state_socket, id, INT64_MIN, INT64_MAX),
	NUMBER(hub_state_socket, fd, 0, INT32_MAX),
	NUMBER(hub_state_socket, state, 0, UINT8_MAX),
	NUMBER(hub_state_socket, code, 0, UINT16_MAX),
	NUMBER(hub_state_socket, heard, 0, TIME),
	NUMBER(hub_state_socket, used, 0, TIME),
	NUMBER(hub_state_socket, due, 0, TIME),
	NUMBER(hub_state_socket, pinged, 0, 1),
	NUMBER(hub_state_socket, finished, 0, 1),
	NUMBER(hub_state_socket, tells, 0, 1),
	NUMBER(hub_state_socket, farewell, 0, 1),
	NUMBER(hub_state_socket, sent, 0, UINT32_MAX),
	NUMBER(hub_state_socket, left, 0, INT64_MAX),
	NUMBER(hub_state_socket, length, 0, INT64_MAX),
	NUMBER(hub_state_socket, fragments, 0, UINT32_MAX),
	NUMBER(hub_state_socket, mask, 0, UINT32_MAX),
	NUMBER(hub_state_socket, need, 0, 3),
	NUMBER(hub_state_socket, low, 0, UINT8_MAX),
	NUMBER(hub_state_socket, high, 0, UINT8_MAX),
	NUMBER(hub_state_socket, kind, 0, WS_BINARY),
	NUMBER(hub_state_socket, fin, 0, 1),
	TEXT(hub_state_socket, context, HUB_CONTEXT),
	TEXT(hub_state_socket, session, HUB_SESSION),
	TEXT(hub_state_socket, input, HUB_BODY),
	TEXT(hub_state_socket, message, HUB_DATA),
	TEXT(hub_state_socket, reason, WS_REASON),
	END
};

static const struct field link_fields[] = {
	NUMBER(hub_state_link, fd, 1, INT32_MAX),
	NUMBER(hub_state_link, claim, 0, INT32_MAX),
	NUMBER(hub_state_link, greeted, 0, 1),
	NUMBER(hub_state_link, away, 0, 1),
	NUMBER(hub_state_link, given, 0, INT64_MAX),
	TEXT(hub_state_link, in, INT32_MAX),
	TEXT(hub_state_link, out, INT32_MAX),
	END
};

static const struct field publisher_fields[] = {
	NUMBER(hub_state_publisher, fd, 1, INT32_MAX),
	NUMBER(hub_state_publisher, kind, WS_TEXT, WS_BINARY),
	NUMBER(hub_state_publisher, name, 1, HUB_CHANNEL),
	TEXT(hub_state_publisher, in, HUB_CHANNEL + HUB_DATA),
	END
};

static const struct field work_fields[] = {
	NUMBER(hub_state_work, id, INT64_MIN, INT64_MAX),
	NUMBER(hub_state_work, number, 0, INT64_MAX),
	NUMBER(hub_state_work, code, 0, UINT16_MAX),
	NUMBER(hub_state_work, kind, 0, WS_BINARY),
	TEXT(hub_state_work, data, HUB_DATA),
	END
};

static void
put(struct buf *out, const struct field *fields, const void *from)
{
	const struct hub_part *text;
	int64_t number;

	for (const struct field *f = fields; f->name != NULL; f++) {
		if (f->text) {
			text = (const void *)((const char *)from + f->offset);
			if (text->len > 0)
				record_put(out, f->name, text->data,
				    text->len);
			continue;
		}
		number = *(const int64_t *)(const void *)((const char *)from +
		    f->offset);
		if (number != 0)
			record_put_number(out, f->name, number);
	}
}

static bool
set(void *to, const struct field *f, const struct record *part)
{
	struct hub_part *text = (void *)((char *)to + f->offset);
	int64_t *number = (void *)((char *)to + f->offset);

	if (!f->text)
		return record_is_number(part, number) &&
		    *number >= f->least && *number <= f->most;
	*text = (struct hub_part){ part->value, part->len };
	return part->len <= (size_t)f->most;
}

/* A number that has to be there has a least value above 0. */
static bool
lacks_none(const void *of, const struct field *fields)
{
	for (const struct field *f = fields; f->name != NULL; f++)
		if (!f->text && f->least > *(const int64_t *)(const void *)
		    ((const char *)of + f->offset))
			return false;
	return true;
}

static bool
get(const struct record *in, const struct field *fields, void *to)
{
	const char *rest = in->value;
	size_t len = in->len;
	const struct field *f;
	struct record part;

	while (record_next(&rest, &len, &part)) {
		for (f = fields; f->name != NULL; f++)
			if (record_is(&part, f->name))
				break;
		if (f->name != NULL && !set(to, f, &part))
			return false;
	}
	return len == 0 && lacks_none(to, fields);
}

void
hub_state_put_hub(struct buf *out, const struct hub_state_hub *hub)
{
	put(out, hub_fields, hub);
}

void
hub_state_put_socket(struct buf *out, const struct hub_state_socket *s)
{
	put(out, socket_fields, s);
}

void
hub_state_put_link(struct buf *out, const struct hub_state_link *link)
{
	put(out, link_fields, link);
}

void
hub_state_put_publisher(struct buf *out, const struct hub_state_publisher *p)
{
	put(out, publisher_fields, p);
}

void
hub_state_put_work(struct buf *out, const struct hub_state_work *work)
{
	put(out, work_fields, work);
}

bool
hub_state_get_hub(const struct record *in, struct hub_state_hub *hub)
{
	*hub = (struct hub_state_hub){ 0 };
	return get(in, hub_fields, hub);
}

bool
hub_state_get_socket(const struct record *in, struct hub_state_socket *s)
{
	*s = (struct hub_state_socket){ 0 };
	return get(in, socket_fields, s);
}

bool
hub_state_get_link(const struct record *in, struct hub_state_link *link)
{
	*link = (struct hub_state_link){ 0 };
	return get(in, link_fields, link);
}

bool
hub_state_get_publisher(const struct record *in,
    struct hub_state_publisher *p)
{
	*p = (struct hub_state_publisher){ 0 };
	return get(in, publisher_fields, p);
}

bool
hub_state_get_work(const struct record *in, struct hub_state_work *work)
{
	*work = (struct hub_state_work){ 0 };
	return get(in, work_fields, work);
}

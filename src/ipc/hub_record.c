#include "ipc/hub_record.h"

#include <stdio.h>
#include <string.h>

struct head { /* as it lies in a record */
	uint32_t body;
	uint8_t type;
	uint8_t kind;
	uint16_t code;
	uint64_t id;
};

_Static_assert(sizeof(struct head) == HUB_HEAD, "the head has no gaps");

void
hub_put_head(unsigned char out[HUB_HEAD], const struct hub_record *record,
    size_t body)
{
	const struct head head = { .body = (uint32_t)body,
		.type = (uint8_t)record->type, .kind = (uint8_t)record->kind,
		.code = (uint16_t)record->code, .id = record->id };

	memcpy(out, &head, sizeof(head));
}

void
hub_put_length(unsigned char out[HUB_LENGTH], size_t len)
{
	uint32_t number = (uint32_t)len;

	memcpy(out, &number, sizeof(number));
}

size_t
hub_begin(struct buf *out, enum hub_type type, unsigned kind, unsigned code,
    uint64_t id)
{
	const struct hub_record record = { .type = type, .kind = kind,
		.code = code, .id = id };
	unsigned char head[HUB_HEAD];
	size_t begun = out->len;

	hub_put_head(head, &record, 0);
	buf_add(out, head, sizeof(head));
	return begun;
}

void
hub_part(struct buf *out, const void *data, size_t len)
{
	unsigned char length[HUB_LENGTH];

	hub_put_length(length, len);
	buf_add(out, length, sizeof(length));
	buf_add(out, data, len);
}

void
hub_end(struct buf *out, size_t begun)
{
	if (!out->failed)
		hub_put_length((unsigned char *)out->data + begun,
		    out->len - begun - HUB_HEAD);
}

/* Those that a worker or the hub of this version sends. */
static bool
is_known(unsigned type)
{
	return type != 0 && strchr("VOSC+-PsDFRABMXtfr", (int)type) != NULL;
}

long
hub_take(const char *data, size_t n, struct hub_record *record, size_t *need)
{
	struct head head;

	*need = HUB_HEAD;
	if (n < HUB_HEAD)
		return 0;
	memcpy(&head, data, sizeof(head));
	if (head.body > HUB_BODY || !is_known(head.type))
		return -1;
	*need += head.body;
	if (n < *need)
		return 0;
	*record = (struct hub_record){ .type = (enum hub_type)head.type,
		.kind = head.kind, .code = head.code, .id = head.id,
		.body = data + HUB_HEAD, .len = head.body };
	return (long)*need;
}

bool
hub_take_part(struct hub_record *record, struct hub_part *part)
{
	uint32_t len;

	if (record->len < HUB_LENGTH)
		return false;
	memcpy(&len, record->body, sizeof(len));
	if (len > record->len - HUB_LENGTH)
		return false;
	part->data = record->body + HUB_LENGTH;
	part->len = len;
	record->body += HUB_LENGTH + len;
	record->len -= HUB_LENGTH + len;
	return true;
}

void
hub_id_text(uint64_t id, char out[HUB_ID + 1])
{
	snprintf(out, HUB_ID + 1, "%016llx", (unsigned long long)id);
}

bool
hub_id_read(const char *text, size_t len, uint64_t *id)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t value = 0;
	const char *digit;

	if (len != HUB_ID)
		return false;
	for (size_t i = 0; i < len; i++) {
		digit = text[i] == '\0' ? NULL : strchr(digits, text[i]);
		if (digit == NULL)
			return false;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	*id = value;
	return true;
}

#include "net/fcgi_wire.h"

#include <string.h>

#define STREAM_PIECE 65528 /* the largest content that needs no padding */

void
fcgi_get_header(const unsigned char in[FCGI_HEADER_LEN],
    struct fcgi_record *record)
{
	record->version = in[0];
	record->type = in[1];
	record->id = (unsigned)in[2] << 8 | in[3];
	record->content = (unsigned)in[4] << 8 | in[5];
	record->padding = in[6];
}

void
fcgi_put_header(unsigned char out[FCGI_HEADER_LEN], unsigned type, unsigned id,
    unsigned content, unsigned padding)
{
	out[0] = FCGI_VERSION_1;
	out[1] = type & 0xff;
	out[2] = id >> 8 & 0xff;
	out[3] = id & 0xff;
	out[4] = content >> 8 & 0xff;
	out[5] = content & 0xff;
	out[6] = padding & 0xff;
	out[7] = 0;
}

static void
put32(unsigned char out[4], uint32_t value)
{
	out[0] = value >> 24;
	out[1] = value >> 16 & 0xff;
	out[2] = value >> 8 & 0xff;
	out[3] = value & 0xff;
}

void
fcgi_put_end(unsigned char out[sizeof(FCGI_EndRequestRecord)], unsigned id,
    uint32_t app_status, unsigned protocol_status)
{
	unsigned char *body = out + FCGI_HEADER_LEN;

	fcgi_put_header(out, FCGI_END_REQUEST, id,
	    sizeof(FCGI_EndRequestBody), 0);
	memset(body, 0, sizeof(FCGI_EndRequestBody));
	put32(body, app_status);
	body[4] = protocol_status & 0xff;
}

/* Parse a length of one or four bytes.  Returns its end; NULL if it is cut. */
static const unsigned char *
get_length(const unsigned char *p, const unsigned char *end, size_t *length)
{
	if (p == end)
		return NULL;
	if (*p < 0x80) {
		*length = *p;
		return p + 1;
	}
	if (end - p < 4)
		return NULL;
	*length = (size_t)(p[0] & 0x7f) << 24 | (size_t)p[1] << 16 |
	    (size_t)p[2] << 8 | p[3];
	return p + 4;
}

int
fcgi_get_pair(const unsigned char **p, size_t n, struct fcgi_pair *pair)
{
	const unsigned char *end = *p + n, *at;
	size_t name_len, value_len;

	if ((at = get_length(*p, end, &name_len)) == NULL ||
	    (at = get_length(at, end, &value_len)) == NULL)
		return 0;
	/* Compared by subtraction: no sum of two lengths can wrap around. */
	if (name_len > (size_t)(end - at) ||
	    value_len > (size_t)(end - at) - name_len)
		return 0;
	pair->name = at;
	pair->name_len = name_len;
	pair->value = at + name_len;
	pair->value_len = value_len;
	*p = at + name_len + value_len;
	return 1;
}

static int
add_record(struct buf *out, unsigned type, unsigned id, const void *data,
    size_t n)
{
	static const unsigned char zero[8];
	unsigned char header[FCGI_HEADER_LEN];
	unsigned padding = -(unsigned)n & 7;

	fcgi_put_header(header, type, id, (unsigned)n, padding);
	if (buf_reserve(out, sizeof(header) + n + padding) == NULL)
		return -1;
	buf_add(out, header, sizeof(header));
	buf_add(out, data, n);
	return buf_add(out, zero, padding);
}

int
fcgi_add_begin(struct buf *out, unsigned id, unsigned role, unsigned flags)
{
	unsigned char body[8] = { 0 };

	body[0] = role >> 8 & 0xff;
	body[1] = role & 0xff;
	body[2] = flags & 0xff;
	return add_record(out, FCGI_BEGIN_REQUEST, id, body, sizeof(body));
}

int
fcgi_add_end(struct buf *out, unsigned id, uint32_t app_status,
    unsigned protocol_status)
{
	char *room = buf_reserve(out, sizeof(FCGI_EndRequestRecord));

	if (room == NULL)
		return -1;
	fcgi_put_end((unsigned char *)room, id, app_status, protocol_status);
	out->len += sizeof(FCGI_EndRequestRecord);
	return 0;
}

int
fcgi_add_stream(struct buf *out, unsigned type, unsigned id, const void *data,
    size_t n)
{
	const char *p = data;
	size_t piece;

	if (n == 0)
		return add_record(out, type, id, "", 0);
	for (; n > 0; p += piece, n -= piece) {
		piece = n < STREAM_PIECE ? n : STREAM_PIECE;
		if (add_record(out, type, id, p, piece) == -1)
			return -1;
	}
	return 0;
}

static size_t
put_length(unsigned char *out, size_t length)
{
	if (length < 0x80) {
		out[0] = (unsigned char)length;
		return 1;
	}
	put32(out, (uint32_t)length | UINT32_C(0x80000000));
	return 4;
}

int
fcgi_add_pair(struct buf *out, const void *name, size_t name_len,
    const void *value, size_t value_len)
{
	unsigned char lengths[8];
	size_t n;

	if (name_len > INT32_MAX || value_len > INT32_MAX) {
		out->failed = true;
		return -1;
	}
	n = put_length(lengths, name_len);
	n += put_length(lengths + n, value_len);
	if (buf_reserve(out, n + name_len + value_len) == NULL)
		return -1;
	buf_add(out, lengths, n);
	buf_add(out, name, name_len);
	return buf_add(out, value, value_len);
}

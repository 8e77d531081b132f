#include "net/ws_frame.h"

#include <string.h>

#define FIN    0x80
#define RSV    0x70
#define OPCODE 0x0f
#define MASK   0x80
#define LENGTH 0x7f

/* ---- text ------------------------------------------------------------------ */

/* The first byte of a character of several (RFC 3629, section 4). */
static bool
begin_character(struct ws_utf8 *s, unsigned char c)
{
	s->low = 0x80;
	s->high = 0xbf;
	if (c >= 0xc2 && c <= 0xdf) {
		s->need = 1;
	} else if (c >= 0xe0 && c <= 0xef) {
		s->need = 2;
		if (c == 0xe0)
			s->low = 0xa0;
		if (c == 0xed)
			s->high = 0x9f;
	} else if (c >= 0xf0 && c <= 0xf4) {
		s->need = 3;
		if (c == 0xf0)
			s->low = 0x90;
		if (c == 0xf4)
			s->high = 0x8f;
	} else {
		return false;
	}
	return true;
}

/* The number of bytes up to the first eight that are not all ASCII. */
static size_t
skip_ascii(const unsigned char *text, size_t n)
{
	size_t i;
	uint64_t word;

	for (i = 0; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, text + i, sizeof(word));
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	return i;
}

bool
ws_utf8_check(struct ws_utf8 *s, const unsigned char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s->need > 0) {
			if (text[i] < s->low || text[i] > s->high)
				return false;
			s->low = 0x80;
			s->high = 0xbf;
			s->need--;
		} else if (text[i] >= 0x80) {
			if (!begin_character(s, text[i]))
				return false;
		} else {
			i += skip_ascii(text + i, n - i);
			if (i < n && text[i] >= 0x80)
				i--;
		}
	}
	return true;
}

bool
ws_is_utf8(const char *text, size_t n)
{
	struct ws_utf8 state = { 0 };

	return ws_utf8_check(&state, (const unsigned char *)text, n) &&
	    state.need == 0;
}

/* ---- masks ----------------------------------------------------------------- */

void
ws_mask(unsigned char *data, size_t n, const unsigned char mask[4],
    size_t phase)
{
	unsigned char turned[8];
	uint64_t key, word;
	size_t i;

	for (i = 0; i < sizeof(turned); i++)
		turned[i] = mask[(phase + i) % 4];
	memcpy(&key, turned, sizeof(key));
	for (i = 0; n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, data + i, sizeof(word));
		word ^= key;
		memcpy(data + i, &word, sizeof(word));
	}
	for (; i < n; i++)
		data[i] ^= turned[i % 4];
}

/* Make the mask begin at the byte behind the next n. */
static void
turn_mask(unsigned char mask[4], size_t n)
{
	unsigned char old[4];

	memcpy(old, mask, sizeof(old));
	for (size_t i = 0; i < sizeof(old); i++)
		mask[i] = old[(n + i) % 4];
}

/* ---- a frame's header ------------------------------------------------------ */

struct header {
	bool fin;
	bool masked;
	uint8_t opcode;
	uint64_t length;
	size_t size; /* of the header */
	const unsigned char *mask;
};

static enum ws_event
bad(struct ws_piece *piece, unsigned code, const char *fault)
{
	piece->code = code;
	piece->fault = fault;
	return WS_BAD;
}

static bool
is_control(uint8_t opcode)
{
	return (opcode & 8) != 0;
}

/* What is wrong with the first byte; NULL: nothing. */
static const char *
judge_first(const struct ws_reader *reader, unsigned char byte)
{
	unsigned opcode = byte & OPCODE;

	if ((byte & RSV) != 0)
		return "a reserved bit is set";
	if (opcode > WS_PONG || (opcode > WS_BINARY && opcode < WS_CLOSE))
		return "an unknown opcode";
	if (is_control((uint8_t)opcode) && (byte & FIN) == 0)
		return "a fragmented control frame";
	if (opcode == WS_CONTINUATION && reader->kind == 0)
		return "a continuation of nothing";
	if ((opcode == WS_TEXT || opcode == WS_BINARY) && reader->kind != 0)
		return "a message within a message";
	return NULL;
}

static const char *
judge_second(const struct header *h, unsigned char byte,
    const struct ws_limits *limits)
{
	if (h->masked != limits->masked)
		return h->masked ? "a masked frame" : "a frame without a mask";
	if (is_control(h->opcode) && (byte & LENGTH) > WS_CONTROL)
		return "a control frame that is too long";
	return NULL;
}

/* The length in `size` bytes, which has to need so many (5.2). */
static const char *
read_length(struct header *h, const unsigned char *at, size_t size)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n = n << 8 | at[i];
	h->length = n;
	if (n >> 63 != 0)
		return "a length of more than 63 bits";
	if (n <= (size == 2 ? WS_CONTROL : UINT16_MAX))
		return "a length that is not in its shortest form";
	return NULL;
}

/* WS_DATA: it is whole and good. */
static enum ws_event
read_header(const struct ws_reader *reader, const struct ws_limits *limits,
    const unsigned char *at, size_t n, struct header *h,
    struct ws_piece *piece)
{
	const char *fault = n == 0 ? NULL : judge_first(reader, at[0]);
	size_t extra;

	if (fault != NULL)
		return bad(piece, WS_CODE_PROTOCOL, fault);
	if (n < 2)
		return WS_MORE;
	*h = (struct header){ .fin = (at[0] & FIN) != 0,
		.masked = (at[1] & MASK) != 0, .opcode = at[0] & OPCODE,
		.length = at[1] & LENGTH };
	extra = h->length < 126 ? 0 : h->length == 126 ? 2 : 8;
	fault = judge_second(h, at[1], limits);
	if (fault == NULL && extra > 0 && n >= 2 + extra)
		fault = read_length(h, at + 2, extra);
	if (fault != NULL)
		return bad(piece, WS_CODE_PROTOCOL, fault);
	h->mask = h->masked ? at + 2 + extra : NULL;
	h->size = 2 + extra + (h->masked ? 4 : 0);
	return n < h->size ? WS_MORE : WS_DATA;
}

/* ---- what a peer sends ------------------------------------------------------ */

static enum ws_event
take_close(struct ws_piece *piece)
{
	struct ws_utf8 utf8 = { 0 };

	piece->code = WS_CODE_NONE;
	if (piece->len == 0)
		return WS_CONTROL_FRAME;
	if (piece->len == 1)
		return bad(piece, WS_CODE_PROTOCOL, "half a close code");
	piece->code = (unsigned)piece->data[0] << 8 | piece->data[1];
	piece->data += 2;
	piece->len -= 2;
	if (!ws_code_is_valid(piece->code))
		return bad(piece, WS_CODE_PROTOCOL, "an invalid close code");
	if (!ws_utf8_check(&utf8, piece->data, piece->len) || utf8.need != 0)
		return bad(piece, WS_CODE_INVALID,
		    "a close reason that is not UTF-8");
	return WS_CONTROL_FRAME;
}

static enum ws_event
take_control(const struct header *h, unsigned char *data, size_t n, size_t *at,
    struct ws_piece *piece)
{
	size_t len = (size_t)h->length;

	if (n < h->size + len)
		return WS_MORE;
	*at += h->size + len;
	piece->kind = (enum ws_opcode)h->opcode;
	piece->data = data + h->size;
	piece->len = len;
	if (h->masked)
		ws_mask(piece->data, len, h->mask, 0);
	return h->opcode == WS_CLOSE ? take_close(piece) : WS_CONTROL_FRAME;
}

/* The header of a data frame: judged by what it declares. */
static enum ws_event
begin_frame(struct ws_reader *reader, const struct ws_limits *limits,
    const struct header *h, struct ws_piece *piece)
{
	if (h->opcode != WS_CONTINUATION) {
		reader->kind = h->opcode;
		reader->length = reader->fragments = 0;
		reader->utf8 = (struct ws_utf8){ 0 };
	}
	if (h->length > limits->message ||
	    reader->length > limits->message - h->length)
		return bad(piece, WS_CODE_TOO_BIG, "a message that is too big");
	if (reader->fragments >= limits->fragments)
		return bad(piece, WS_CODE_POLICY,
		    "a message in too many fragments");
	reader->length += h->length;
	reader->fragments++;
	reader->left = h->length;
	reader->fin = h->fin;
	memset(reader->mask, 0, sizeof(reader->mask));
	if (h->masked)
		memcpy(reader->mask, h->mask, sizeof(reader->mask));
	return WS_DATA;
}

/* Bytes of a data frame, which may be none if it is the last of a message. */
static enum ws_event
take_data(struct ws_reader *reader, unsigned char *data, size_t n, size_t *at,
    struct ws_piece *piece)
{
	size_t len = n < reader->left ? n : (size_t)reader->left;
	bool text = reader->kind == WS_TEXT, last;

	ws_mask(data, len, reader->mask, 0);
	turn_mask(reader->mask, len);
	*at += len;
	reader->left -= len;
	last = reader->fin && reader->left == 0;
	piece->data = data;
	piece->len = len;
	piece->kind = (enum ws_opcode)reader->kind;
	if (text && (!ws_utf8_check(&reader->utf8, data, len) ||
	    (last && reader->utf8.need != 0)))
		return bad(piece, WS_CODE_INVALID, "a text that is not UTF-8");
	if (!last)
		return WS_DATA;
	reader->kind = 0;
	reader->fin = false;
	return WS_MESSAGE;
}

enum ws_event
ws_next(struct ws_reader *reader, const struct ws_limits *limits,
    unsigned char *data, size_t n, size_t *at, struct ws_piece *piece)
{
	struct header h;
	enum ws_event event;

	*piece = (struct ws_piece){ 0 };
	while (reader->left == 0) {
		event = read_header(reader, limits, data + *at, n - *at, &h,
		    piece);
		if (event != WS_DATA)
			return event;
		if (is_control(h.opcode))
			return take_control(&h, data + *at, n - *at, at, piece);
		event = begin_frame(reader, limits, &h, piece);
		if (event == WS_BAD)
			return event;
		*at += h.size;
		if (h.length == 0 && h.fin)
			break;
	}
	if (reader->left > 0 && *at == n)
		return WS_MORE;
	return take_data(reader, data + *at, n - *at, at, piece);
}

/* ---- what is sent ------------------------------------------------------------ */

static size_t
put_number(unsigned char *out, uint64_t number, size_t size)
{
	for (size_t i = size; i > 0; i--, number >>= 8)
		out[i - 1] = (unsigned char)number;
	return size;
}

size_t
ws_put_header(unsigned char out[WS_HEADER], enum ws_opcode opcode, bool fin,
    uint64_t len, const unsigned char mask[4])
{
	size_t n = 2;

	out[0] = (unsigned char)((fin ? FIN : 0) | (int)opcode);
	out[1] = mask == NULL ? 0 : MASK;
	if (len < 126) {
		out[1] |= (unsigned char)len;
	} else if (len <= UINT16_MAX) {
		out[1] |= 126;
		n += put_number(out + n, len, 2);
	} else {
		out[1] |= 127;
		n += put_number(out + n, len, 8);
	}
	if (mask == NULL)
		return n;
	memcpy(out + n, mask, 4);
	return n + 4;
}

size_t
ws_put_close(unsigned char out[WS_CONTROL], unsigned code, const char *reason,
    size_t len)
{
	if (code == WS_CODE_NONE)
		return 0;
	if (len > WS_REASON) {
		len = WS_REASON;
		while (len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80)
			len--;
	}
	put_number(out, code, 2);
	if (len > 0)
		memcpy(out + 2, reason, len);
	return 2 + len;
}

bool
ws_code_is_valid(unsigned code)
{
	return (code >= 1000 && code <= 1003) ||
	    (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/*
 * The judge of WebSocket frames.  The bytes are judged as they lie and in
 * pieces, each time in memory of exactly their size; what is made of them has to
 * be the same, and nothing that is let through may break a limit.
 */

#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "net/ws_frame.h"

#define MESSAGE 3000

struct side {
	struct ws_reader reader;
	struct ws_limits limits;
	unsigned char *in; /* not judged yet, in memory of its size */
	size_t len;
	size_t message; /* bytes of the present one */
	struct ws_utf8 utf8;
	struct buf story;
	bool over;
};

static void
take(struct side *s, const struct ws_piece *piece)
{
	s->message += piece->len;
	must(s->message <= MESSAGE);
	must(piece->kind == WS_TEXT || piece->kind == WS_BINARY);
	if (piece->kind == WS_TEXT)
		must(ws_utf8_check(&s->utf8, piece->data, piece->len));
	buf_add(&s->story, piece->data, piece->len);
}

static void
tell(struct side *s, enum ws_event event, const struct ws_piece *piece)
{
	switch (event) {
	case WS_DATA:
		must(piece->len > 0);
		take(s, piece);
		break;
	case WS_MESSAGE:
		take(s, piece);
		must(s->utf8.need == 0);
		s->message = 0;
		buf_addf(&s->story, "<message %d>", piece->kind);
		break;
	case WS_CONTROL_FRAME:
		must(piece->len <= WS_CONTROL);
		must(piece->kind != WS_CLOSE || piece->code == WS_CODE_NONE ||
		    (ws_code_is_valid(piece->code) && piece->len <= WS_REASON));
		buf_addf(&s->story, "<control %d %u>", piece->kind,
		    piece->code);
		buf_add(&s->story, piece->data, piece->len);
		break;
	default:
		must(event == WS_BAD && piece->fault != NULL &&
		    ws_code_is_valid(piece->code));
		buf_addf(&s->story, "<bad %u>", piece->code);
		s->over = true;
	}
}

static void
keep(struct side *s, const unsigned char *more, size_t n, size_t at)
{
	unsigned char *in = malloc(s->len - at + n + 1);

	must(in != NULL);
	/* Against the end of the memory, so that one byte more is outside. */
	if (s->len > at)
		memcpy(in, s->in + at, s->len - at);
	if (n > 0)
		memcpy(in + s->len - at, more, n);
	free(s->in);
	s->len = s->len - at + n;
	s->in = malloc(s->len > 0 ? s->len : 1);
	must(s->in != NULL);
	memcpy(s->in, in, s->len);
	free(in);
}

static void
feed(struct side *s, const uint8_t *data, size_t n)
{
	struct ws_piece piece;
	enum ws_event event;
	size_t at = 0;

	if (s->over)
		return;
	keep(s, data, n, 0);
	while (!s->over && (event = ws_next(&s->reader, &s->limits, s->in,
		    s->len, &at, &piece)) != WS_MORE) {
		must(at <= s->len);
		must(piece.len == 0 || (piece.data >= s->in &&
		    piece.data + piece.len <= s->in + s->len));
		tell(s, event, &piece);
	}
	must(at <= s->len);
	keep(s, NULL, 0, at);
	must(s->over || s->len < WS_HEADER + WS_CONTROL);
}

/* What lies between two messages' ends is the same, however it was cut: an
 * invalid text may be known in the middle of a piece, whose beginning has been
 * taken or not. */
static void
compare(const struct buf *a, const struct buf *b)
{
	size_t n = a->len < b->len ? a->len : b->len;

	must(!a->failed && !b->failed);
	if (a->len == b->len) {
		must(n == 0 || memcmp(a->data, b->data, n) == 0);
		return;
	}
	must(memmem(a->data, a->len, "<bad 1007>", 10) != NULL &&
	    memmem(b->data, b->len, "<bad 1007>", 10) != NULL);
}

/* The first byte says how large the pieces are, and whose peer this is. */
FUZZ(ws_frame)
{
	struct side whole = { .limits = { .message = MESSAGE, .fragments = 6 } };
	struct side pieces;
	size_t at, n, seed;

	if (size == 0)
		return;
	seed = *data++;
	size--;
	whole.limits.masked = (seed & 1) == 0;
	pieces = whole;
	feed(&whole, data, size);
	for (at = 0; at < size; at += n) {
		seed = seed * 5 + 1;
		n = seed % 29 + 1;
		if (n > size - at)
			n = size - at;
		feed(&pieces, data + at, n);
	}
	compare(&whole.story, &pieces.story);
	free(whole.in);
	free(pieces.in);
	buf_free(&whole.story);
	buf_free(&pieces.story);
}

/*
 * The judge of a peer's bytes.  They are judged three times: as they lie, in
 * pieces, and in pieces with another judge for each that can be handed over;
 * each time in memory of exactly their size, so that the sanitizer sees a byte
 * read outside.  What is made of them has to be the same: which heads with
 * which parameters, which bodies, which answers, which end.
 */

#include <string.h>

#include "fuzz.h"
#include "net/fcgi_wire.h"
#include "worker/proto/fcgi/fcgi_scan.h"

#define HEAD_MAX 2048

static const struct scan_limits limits = { .head = HEAD_MAX, .capacity = 7,
	.roles = SCAN_ROLE(FCGI_RESPONDER) | SCAN_ROLE(FCGI_AUTHORIZER) |
	    SCAN_ROLE(FCGI_FILTER) };

struct side {
	struct scan scan;
	struct buf in;
	struct buf story; /* what was made of the bytes */
	struct buf reply;
	bool over;
};

/* The same content in memory of its own with nothing behind it. */
static void
tighten(struct buf *b)
{
	char *data = malloc(b->len > 0 ? b->len : 1);

	if (b->len > 0)
		memcpy(data, b->data, b->len);
	free(b->data);
	b->data = data;
	b->cap = b->len > 0 ? b->len : 1;
}

static void
drop_judged(struct side *s)
{
	buf_consume(&s->in, s->scan.at);
	s->scan.at = 0;
}

/* Whatever the application would do: take the body, then the next request. */
static void
take_content(struct side *s)
{
	size_t n = s->in.len - s->scan.at;

	if (n > s->scan.content)
		n = s->scan.content;
	must(n > 0);
	buf_add(&s->story, s->in.data + s->scan.at, n);
	s->scan.at += n;
	s->scan.content -= n;
	drop_judged(s);
}

static void
take_head(struct side *s)
{
	must(s->scan.params_len <= HEAD_MAX &&
	    s->scan.params + s->scan.params_len <= s->scan.at &&
	    s->scan.at <= s->in.len);
	buf_addf(&s->story, "<head %u %u %d ", s->scan.id, s->scan.role,
	    s->scan.keep);
	buf_add(&s->story, s->in.data + s->scan.params, s->scan.params_len);
	buf_puts(&s->story, ">");
	drop_judged(s);
}

static bool
step(struct side *s)
{
	enum scan_verdict verdict = scan_next(&s->scan, &s->in, &limits,
	    &s->reply);

	must(s->scan.at <= s->in.len);
	must(verdict != SCAN_CONTENT || s->scan.state != SCAN_DATA ||
	    s->scan.role == FCGI_FILTER);
	switch (verdict) {
	case SCAN_MORE:
		if (s->scan.state != SCAN_PARAMS)
			drop_judged(s);
		return false;
	case SCAN_HEAD:
		take_head(s);
		return true;
	case SCAN_CONTENT:
		take_content(s);
		return true;
	case SCAN_END:
		buf_addf(&s->story, "<end %d>", s->scan.state);
		drop_judged(s);
		return true;
	default:
		buf_addf(&s->story, "<verdict %d>", verdict);
		s->over = true;
		return false;
	}
}

/* A request whose bodies have ended is answered at once.  False if it is to
 * wait for more of what belongs to it. */
static bool
settle(struct side *s)
{
	bool settled;

	if (s->scan.state != SCAN_DONE)
		return true;
	settled = scan_settle(&s->scan, &s->in);
	must(s->scan.at <= s->in.len);
	drop_judged(s);
	if (settled)
		scan_reset(&s->scan);
	return settled;
}

static void
feed(struct side *s, const uint8_t *data, size_t n)
{
	if (s->over)
		return;
	buf_add(&s->in, data, n);
	do
		tighten(&s->in);
	while (settle(s) && step(s));
}

/* Another judge goes on. */
static void
move(struct side *s)
{
	struct buf packed = { 0 };

	if (s->over || scan_pack(&s->scan, &s->in, &packed) == -1)
		return;
	must(packed.len <= s->in.len + 4 * 8 + HEAD_MAX);
	buf_free(&s->in);
	s->in = packed;
	memset(&s->scan, 0, sizeof(s->scan));
	feed(s, NULL, 0);
}

static void
compare(const struct buf *a, const struct buf *b)
{
	must(!a->failed && !b->failed && a->len == b->len &&
	    (a->len == 0 || memcmp(a->data, b->data, a->len) == 0));
}

static void
let_go(struct side *s)
{
	buf_free(&s->in);
	buf_free(&s->story);
	buf_free(&s->reply);
}

/* The first byte says how large the pieces are. */
FUZZ(scan)
{
	struct side whole = { 0 }, pieces = { 0 }, moved = { 0 };
	size_t at, n, seed;

	if (size == 0)
		return;
	seed = *data++;
	size--;
	feed(&whole, data, size);
	for (at = 0; at < size; at += n) {
		seed = seed * 5 + 1;
		n = seed % 29 + 1;
		if (n > size - at)
			n = size - at;
		feed(&pieces, data + at, n);
		feed(&moved, data + at, n);
		move(&moved);
	}
	compare(&whole.story, &pieces.story);
	compare(&whole.reply, &pieces.reply);
	compare(&whole.story, &moved.story);
	compare(&whole.reply, &moved.reply);
	let_go(&whole);
	let_go(&pieces);
	let_go(&moved);
}

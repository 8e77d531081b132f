/*
 * libFuzzer against the judge of a peer's bytes.  The same bytes are judged
 * twice: as they lie, and in pieces, each in memory of exactly its size, so
 * that the sanitizer sees a byte read outside.  What is made of them has to
 * be the same: which heads with which parameters, which bodies, which answers,
 * which end.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/fcgi_scan.h"

#define HEAD_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scan_limits limits = { .head = HEAD_MAX, .capacity = 7 };

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
	if (n == 0)
		abort();
	buf_add(&s->story, s->in.data + s->scan.at, n);
	s->scan.at += n;
	s->scan.content -= n;
	drop_judged(s);
}

static void
take_head(struct side *s)
{
	if (s->scan.params_len > HEAD_MAX ||
	    s->scan.params + s->scan.params_len > s->scan.at ||
	    s->scan.at > s->in.len)
		abort();
	buf_addf(&s->story, "<head %u %d ", s->scan.id, s->scan.keep);
	buf_add(&s->story, s->in.data + s->scan.params, s->scan.params_len);
	buf_puts(&s->story, ">");
	drop_judged(s);
}

static bool
step(struct side *s)
{
	enum scan_verdict verdict = scan_next(&s->scan, &s->in, &limits,
	    &s->reply);

	if (s->scan.at > s->in.len)
		abort();
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
		buf_puts(&s->story, "<end>");
		drop_judged(s);
		if (s->scan.skip == 0)
			scan_reset(&s->scan);
		return true;
	default:
		buf_addf(&s->story, "<verdict %d>", verdict);
		s->over = true;
		return false;
	}
}

static void
feed(struct side *s, const uint8_t *data, size_t n, bool tight)
{
	if (s->over)
		return;
	buf_add(&s->in, data, n);
	do
		if (tight)
			tighten(&s->in);
	while (step(s));
}

static void
compare(const struct buf *a, const struct buf *b)
{
	if (a->failed || b->failed || a->len != b->len ||
	    (a->len > 0 && memcmp(a->data, b->data, a->len) != 0))
		abort();
}

static void
let_go(struct side *s)
{
	buf_free(&s->in);
	buf_free(&s->story);
	buf_free(&s->reply);
}

/* The first byte says how large the pieces are. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct side whole = { 0 }, pieces = { 0 };
	size_t at, n, seed;

	if (size == 0)
		return 0;
	seed = *data++;
	size--;
	feed(&whole, data, size, true);
	for (at = 0; at < size; at += n) {
		seed = seed * 5 + 1;
		n = seed % 29 + 1;
		if (n > size - at)
			n = size - at;
		feed(&pieces, data + at, n, true);
	}
	compare(&whole.story, &pieces.story);
	compare(&whole.reply, &pieces.reply);
	let_go(&whole);
	let_go(&pieces);
	return 0;
}

/*
 * What a client makes of a server's bytes: the same head, body and error text
 * and the same end, whether they come at once or in pieces; and of all that no
 * more is kept than a head and the bytes of one call.
 */

#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "net/fcgi_reply.h"

#define HEAD_MOST 200
#define PIECE	  29

struct side {
	struct fcgi_reply reply;
	struct fcgi_sink sink;
	struct buf head, body, errors;
	enum fcgi_verdict verdict;
	size_t used, most; /* bytes, of all calls and of the largest */
};

static void
take_head(void *arg, const char *head, size_t n)
{
	struct side *s = arg;

	must(s->head.len == 0 && n > 0 && n <= HEAD_MOST);
	must(s->reply.cgi.status >= 100 && s->reply.cgi.status <= 999);
	buf_add(&s->head, head, n);
}

static void
take_body(void *arg, const void *data, size_t n)
{
	struct side *s = arg;

	must(s->head.len > 0 && n > 0);
	buf_add(&s->body, data, n);
}

static void
take_errors(void *arg, const void *data, size_t n)
{
	struct side *s = arg;

	buf_add(&s->errors, data, n);
}

static void
take_warning(void *arg, const char *text)
{
	struct side *s = arg;

	must(s->verdict == REPLY_MORE && text[0] != '\0');
}

static void
begin(struct side *s)
{
	s->sink = (struct fcgi_sink){ take_head, take_body, take_errors,
		take_warning, s };
	s->verdict = REPLY_MORE;
	fcgi_reply_init(&s->reply, &s->sink, false);
	s->reply.head_most = HEAD_MOST;
}

/* In memory of exactly their size. */
static void
feed(struct side *s, const uint8_t *data, size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);
	struct why why = { .text = "" };
	size_t used;

	if (n > 0)
		memcpy(copy, data, n);
	s->verdict = fcgi_reply_feed(&s->reply, copy, n, &used, &why);
	free(copy);
	must(used <= n && (s->verdict != REPLY_MORE || used == n));
	must((s->verdict == REPLY_CUT || s->verdict == REPLY_PROTOCOL) ==
	    (why.text[0] != '\0'));
	s->most = n > s->most ? n : s->most;
	must(s->reply.head.len <= HEAD_MOST + s->most);
	s->used += used;
	must(s->reply.bytes == s->used && s->reply.body == s->body.len);
}

static void
same(const struct buf *a, const struct buf *b)
{
	must(a->len == b->len &&
	    (a->len == 0 || memcmp(a->data, b->data, a->len) == 0));
}

static void
let_go(struct side *s)
{
	fcgi_reply_free(&s->reply);
	buf_free(&s->head);
	buf_free(&s->body);
	buf_free(&s->errors);
}

/* The first byte says how large the pieces are. */
FUZZ(reply)
{
	struct side whole = { 0 }, pieces = { 0 };
	size_t at, n, seed;

	if (size == 0)
		return;
	seed = *data++;
	size--;
	begin(&whole);
	begin(&pieces);
	feed(&whole, data, size);
	for (at = 0; at < size && pieces.verdict == REPLY_MORE; at += n) {
		seed = seed * 5 + 1;
		n = seed % PIECE + 1;
		if (n > size - at)
			n = size - at;
		feed(&pieces, data + at, n);
	}
	must(whole.verdict == pieces.verdict);
	same(&whole.head, &pieces.head);
	same(&whole.body, &pieces.body);
	same(&whole.errors, &pieces.errors);
	if (whole.verdict == REPLY_DONE)
		must(whole.used == pieces.used);
	must(whole.reply.app_status == pieces.reply.app_status &&
	    whole.reply.protocol_status == pieces.reply.protocol_status);
	let_go(&whole);
	let_go(&pieces);
}

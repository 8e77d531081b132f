#ifndef TESTS_HTTP_STORY_H
#define TESTS_HTTP_STORY_H

/*
 * What the judges make of the bytes of a connection, as a line of text: a word
 * for each request, which says how long its body is, "-" for none, "5" or, if
 * it is chunked, "c5"; behind it "e" if a client waits for 100 and "u" if it
 * wants to be upgraded, which ends the story.  Then "close" if the connection
 * does not persist; the status of the answer if one is refused; "..." if it is
 * not whole.
 */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "worker/proto/http/http_chunk.h"
#include "worker/proto/http/http_scan.h"

static const struct http_limits story_limits = { .head = 4096, .target = 2048,
	.fields = 100 };

struct story {
	struct http_scan scan;
	struct http_chunk chunk;
	struct buf in;	  /* what has not been used */
	struct buf text;
	uint64_t used;	  /* bytes that made the requests so far */
	uint64_t left;	  /* of a body that has a length */
	uint64_t content; /* of a body, so far */
	bool chunked;	  /* such a body is being read */
	bool over;
	bool tight;	  /* nothing may be read behind the bytes: `in` is in
			     memory of exactly its size */
	void (*head)(const struct story *story); /* is told of each head */
	void (*end)(const struct story *story);	 /* and of each whole request */
	void *data;
};

static inline void
story_use(struct story *t, size_t n)
{
	buf_consume(&t->in, n);
	t->used += n;
}

static inline void
story_request_end(struct story *t)
{
	bool close = !t->scan.keep;

	if (t->end != NULL)
		t->end(t);
	t->chunked = false;
	if (close)
		buf_puts(&t->text, " close");
	t->over = close || t->scan.upgrade;
	http_scan_reset(&t->scan);
}

static inline bool
story_head(struct story *t)
{
	enum http_verdict verdict = http_scan_next(&t->scan, t->in.data,
	    t->in.len, &story_limits);
	const struct http_scan *scan = &t->scan;

	if (verdict == HTTP_MORE)
		return false;
	if (t->text.len > 0)
		buf_putc(&t->text, ' ');
	if (verdict == HTTP_BAD) {
		buf_addf(&t->text, "%u", scan->status);
		t->over = true;
		return false;
	}
	if (t->head != NULL)
		t->head(t);
	if (scan->chunked)
		buf_putc(&t->text, 'c');
	else if (scan->length == -1)
		buf_putc(&t->text, '-');
	else
		buf_addf(&t->text, "%lld", (long long)scan->length);
	buf_puts(&t->text, scan->expects ? "e" : scan->upgrade ? "u" : "");
	story_use(t, scan->at);
	t->left = scan->length > 0 ? (uint64_t)scan->length : 0;
	t->chunked = scan->chunked;
	t->chunk = (struct http_chunk) { 0 };
	t->content = 0;
	if (!t->chunked && t->left == 0)
		story_request_end(t);
	return !t->over;
}

static inline bool
story_chunked(struct story *t)
{
	size_t at = 0;
	enum http_chunk_verdict verdict = http_chunk_measure(&t->chunk,
	    t->in.data, t->in.len, &story_limits, &at, &t->content);

	story_use(t, at);
	if (verdict == CHUNK_BAD) {
		buf_puts(&t->text, " 400");
		t->over = true;
	} else if (verdict == CHUNK_END) {
		buf_addf(&t->text, "%llu", (unsigned long long)t->content);
		story_request_end(t);
	}
	return verdict == CHUNK_END && !t->over;
}

static inline bool
story_step(struct story *t)
{
	size_t n = t->in.len;

	if (t->chunked)
		return story_chunked(t);
	if (t->left == 0)
		return story_head(t);
	if (n > t->left)
		n = (size_t)t->left;
	story_use(t, n);
	t->content += n;
	t->left -= n;
	if (t->left == 0)
		story_request_end(t);
	return n > 0 && !t->over;
}

static inline void
story_tighten(struct buf *b)
{
	char *data = malloc(b->len > 0 ? b->len : 1);

	if (b->len > 0)
		memcpy(data, b->data, b->len);
	free(b->data);
	b->data = data;
	b->cap = b->len > 0 ? b->len : 1;
}

/* These bytes come. */
static inline void
story_feed(struct story *t, const char *data, size_t n)
{
	if (t->over)
		return;
	buf_add(&t->in, data, n);
	do
		if (t->tight)
			story_tighten(&t->in);
	while (story_step(t));
}

/* No more bytes come: the whole text.  Its memory goes with story_free. */
static inline const char *
story_end(struct story *t)
{
	if (!t->over && (t->in.len > 0 || t->chunked || t->left > 0))
		buf_puts(&t->text, t->text.len > 0 && !t->chunked &&
		    t->left == 0 ? " ..." : "...");
	return buf_string(&t->text);
}

static inline void
story_free(struct story *t)
{
	buf_free(&t->in);
	buf_free(&t->text);
}

#endif

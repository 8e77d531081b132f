/*
 * A chunked body.  It is read piece by piece, with little of its content taken
 * at a time; it is measured as it grows; and, if it is accepted, it is read by
 * the simplest means: its content and its end have to be the same.
 */

#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "worker/proto/http/http_chunk.h"

static const struct http_limits limits = { .head = 256, .target = 16,
	.fields = 5 };

/* Some bytes in memory of exactly their size. */
static char *
copy(const uint8_t *data, size_t n)
{
	char *exact = malloc(n > 0 ? n : 1);

	if (n > 0)
		memcpy(exact, data, n);
	return exact;
}

/* Of a piece, which is used up or ends the body; *at counts. */
static enum http_chunk_verdict
read_piece(struct http_chunk *k, const char *piece, size_t n, size_t most,
    struct buf *content, size_t *at)
{
	enum http_chunk_verdict verdict;
	size_t from = 0, used;

	for (;;) {
		verdict = http_chunk_next(k, piece + from, n - from, &limits,
		    &used);
		must(used <= n - from);
		from += used;
		if (verdict != CHUNK_CONTENT)
			break;
		must(from < n && k->left > 0 && k->left <= HTTP_CHUNK_MAX);
		used = n - from < most ? n - from : most;
		used = used < k->left ? used : (size_t)k->left;
		buf_add(content, piece + from, used);
		http_chunk_take(k, used);
		from += used;
	}
	must(verdict != CHUNK_MORE || from == n);
	*at += from;
	return verdict;
}

static enum http_chunk_verdict
read_pieces(const uint8_t *data, size_t size, size_t seed, struct buf *content,
    size_t *at)
{
	enum http_chunk_verdict verdict = CHUNK_MORE;
	struct http_chunk k = { 0 };
	size_t from, n;

	for (from = *at = 0; from < size && verdict == CHUNK_MORE; from += n) {
		char *piece;

		seed = seed * 5 + 1;
		n = seed % 17 + 1 < size - from ? seed % 17 + 1 : size - from;
		piece = copy(data + from, n);
		verdict = read_piece(&k, piece, n, seed % 3 + 1, content, at);
		free(piece);
	}
	must(verdict != CHUNK_BAD || k.fault != NULL);
	return verdict;
}

static enum http_chunk_verdict
measure(const uint8_t *data, size_t size, size_t seed, uint64_t *content,
    size_t *at)
{
	enum http_chunk_verdict verdict = CHUNK_MORE;
	struct http_chunk k = { 0 };
	size_t n = 0;

	*content = *at = 0;
	while (n < size && verdict == CHUNK_MORE) {
		char *all;

		seed = seed * 7 + 3;
		n = seed % 23 + 1 < size - n ? n + seed % 23 + 1 : size;
		all = copy(data, n);
		verdict = http_chunk_measure(&k, all, n, &limits, at, content);
		must(*at <= n && (verdict != CHUNK_MORE || *at == n));
		free(all);
	}
	return verdict;
}

/* A whole body that is well-formed. */
static size_t
read_simply(const char *p, struct buf *content)
{
	const char *start = p;
	unsigned long long n;

	while ((n = strtoull(p, NULL, 16)) > 0) {
		p = strstr(p, "\r\n") + 2;
		buf_add(content, p, n);
		p += n + 2;
	}
	/* The trailer is lines, the last of which is empty. */
	for (p = strstr(p, "\r\n") + 2; *p != '\r'; p = strstr(p, "\r\n") + 2)
		;
	return (size_t)(p + 2 - start);
}

/* The first byte says how large the pieces are. */
FUZZ(http_chunk)
{
	struct buf content = { 0 }, simple = { 0 }, all = { 0 };
	enum http_chunk_verdict verdict;
	uint64_t measured;
	size_t at, end;

	if (size == 0)
		return;
	verdict = read_pieces(data + 1, size - 1, data[0], &content, &at);
	must(measure(data + 1, size - 1, data[0], &measured, &end) == verdict);
	must(measured == content.len && end == at);
	if (verdict == CHUNK_END) {
		buf_add(&all, data + 1, at);
		must(read_simply(buf_string(&all), &simple) == at);
		must(simple.len == content.len && (content.len == 0 ||
		    memcmp(simple.data, content.data, content.len) == 0));
	}
	buf_free(&content);
	buf_free(&simple);
	buf_free(&all);
}

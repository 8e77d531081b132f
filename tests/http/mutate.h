#ifndef TESTS_HTTP_MUTATE_H
#define TESTS_HTTP_MUTATE_H

/*
 * The corpus of requests with damage: case N of a seed is always the same.
 */

#include <stdint.h>

#include "requests.h"

#define MUTATE_MAX 2048 /* longer cases are left alone */

struct mutate {
	struct buf *cases;
	size_t n;
	size_t *good; /* those of which the first request is not refused */
	size_t ngood;
};

static inline bool
mutate_open(struct mutate *m)
{
	struct requests r;

	memset(m, 0, sizeof(*m));
	if (!requests_open(&r))
		return false;
	while (requests_next(&r)) {
		m->cases = realloc(m->cases, (m->n + 1) * sizeof(*m->cases));
		m->good = realloc(m->good, (m->n + 1) * sizeof(*m->good));
		if (!strchr("45", r.story[0]) || strlen(r.story) != 3)
			m->good[m->ngood++] = m->n;
		memset(&m->cases[m->n], 0, sizeof(*m->cases));
		buf_add(&m->cases[m->n++], r.bytes.data, r.bytes.len);
	}
	requests_close(&r);
	return true;
}

static inline void
mutate_close(struct mutate *m)
{
	for (size_t i = 0; i < m->n; i++)
		buf_free(&m->cases[i]);
	free(m->cases);
	free(m->good);
}

/* splitmix64: any state is good, and neighbours are far from each other. */
static inline uint64_t
mutate_random(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline size_t
mutate_below(uint64_t *state, size_t n)
{
	return (size_t)(mutate_random(state) % n);
}

/* The bytes [at, at + n) of b are replaced by these, which are not b's. */
static inline void
mutate_splice(struct buf *b, size_t at, size_t n, const char *data, size_t len)
{
	struct buf out = { 0 };

	buf_add(&out, b->data, at);
	buf_add(&out, data, len);
	buf_add(&out, b->data + at + n, b->len - at - n);
	buf_free(b);
	*b = out;
}

static const char *const mutate_words[] = { "\r\n", "\r\n\r\n", "\n", "\r",
	" ", "\t", ":", ";", ",", "\"", "0", "1", "5", "a", "\v", "\x7f",
	"\x80", "\xa0", "#", "0\r\n\r\n", "0\r\n", "5\r\nabcde\r\n", "\r\n ",
	"Content-Length: 5\r\n", "Content-Length: 0\r\n", "Content-Length: 3",
	"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: identity\r\n",
	"Transfer-Encoding: gzip, chunked\r\n", "chunked", ", chunked", "Host: b\r\n",
	"Connection: close\r\n", "Connection: keep-alive\r\n",
	"Connection: Upgrade\r\nUpgrade: websocket\r\n", "Upgrade: h2c\r\n",
	"Expect: 100-continue\r\n", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0",
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST ", "HEAD ", "CONNECT ",
	"Trailer: a\r\n", ";a=\"b\"", ";a", "A: b\r\n", "fffffffffffffff0" };

/* Of the lines of b, one: where it begins; it ends at *end. */
static inline size_t
mutate_line(const struct buf *b, uint64_t *state, size_t *end)
{
	size_t at = mutate_below(state, b->len), to = at;

	while (at > 0 && b->data[at - 1] != '\n')
		at--;
	while (to < b->len && b->data[to++] != '\n')
		;
	*end = to;
	return at;
}

static inline void
mutate_lines(struct buf *b, const struct buf *from, uint64_t *state)
{
	size_t end, line, at = mutate_line(b, state, &end);
	struct buf copy = { 0 };

	line = mutate_line(from, state, &end);
	buf_add(&copy, from->data + line, end - line);
	if (mutate_below(state, 3) == 0) {
		/* In the place of another. */
		at = mutate_line(b, state, &end);
		mutate_splice(b, at, end - at, copy.data, copy.len);
	} else {
		mutate_splice(b, at, 0, copy.data, copy.len);
	}
	buf_free(&copy);
}

static inline void
mutate_once(struct buf *b, const struct buf *other, uint64_t *state)
{
	const size_t words = sizeof(mutate_words) / sizeof(mutate_words[0]);
	const char *word = mutate_words[mutate_below(state, words)];
	size_t at = mutate_below(state, b->len);
	char byte = (char)mutate_random(state);

	switch (mutate_below(state, 12)) {
	case 0:
		mutate_splice(b, at, 1, "", 0);
		break;
	case 1:
		b->data[at] = byte;
		break;
	case 2:
		b->data[at] ^= (char)(1 << mutate_below(state, 8));
		break;
	case 3:
		mutate_splice(b, at, 0, &byte, 1);
		break;
	case 4:
		mutate_splice(b, at, 1, word, strlen(word));
		break;
	case 5:
		buf_puts(b, word);
		break;
	case 6:
		if (b->data[at] >= '0' && b->data[at] < '9')
			b->data[at]++;
		else
			b->data[at] = mutate_words[10 + byte % 4][0];
		break;
	case 7:
	case 8:
		mutate_lines(b, other, state);
		break;
	case 9:
		buf_add(b, other->data, other->len);
		break;
	default:
		mutate_splice(b, at, 0, word, strlen(word));
		break;
	}
}

/* Case number i: of the corpus as it is, and behind those damaged ones. */
static inline void
mutate_case(const struct mutate *m, uint64_t seed, uint64_t i, struct buf *out)
{
	uint64_t state = seed << 40 ^ i;
	const struct buf *from;

	if (i < m->n)
		from = &m->cases[i];
	else if (mutate_below(&state, 4) > 0)
		from = &m->cases[m->good[mutate_below(&state, m->ngood)]];
	else
		from = &m->cases[mutate_below(&state, m->n)];
	buf_clear(out);
	buf_add(out, from->data, from->len);
	if (i < m->n)
		return;
	for (int times = 0; times < 5; times++) {
		const struct buf *other = &m->cases[mutate_below(&state, m->n)];

		if (out->len > 0 && out->len + other->len < MUTATE_MAX)
			mutate_once(out, other, &state);
		if (mutate_below(&state, 2) == 0)
			break;
	}
}

#endif

#include "worker/proto/http/http_chunk.h"

#include "net/http_class.h"

/* What the next byte belongs to.  A chunk's line is size, extensions, CR LF; an
 * extension is ";" name, or ";" name "=" value.  Blanks around the signs, which
 * RFC 9112 would bear with, are refused: nobody sends them. */
enum {
	SIZE,
	BEFORE_NAME, /* behind ";" */
	NAME,
	BEFORE_VALUE, /* behind "=" */
	VALUE,
	QUOTED,
	ESCAPED,    /* behind "\" in what is quoted */
	QUOTED_END,
	SIZE_LF,
	CONTENT,
	CONTENT_CR,
	CONTENT_LF,
	TRAILER,     /* a field, or the end of the body */
	FIELD_NAME,
	FIELD_VALUE,
	FIELD_LF,
	LAST_LF,
	COMPLETE,
	REFUSED
};

static void
refuse(struct http_chunk *k, const char *fault)
{
	k->state = REFUSED;
	k->fault = fault;
}

/* A byte that has to be this one. */
static void
expect(struct http_chunk *k, char c, char wanted, unsigned char next,
    const char *fault)
{
	if (c == wanted)
		k->state = next;
	else
		refuse(k, fault);
}

static unsigned
hex(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void
judge_size(struct http_chunk *k, char c)
{
	if (http_is(c, HTTP_HEX)) {
		/* In 15 digits there are 60 bits. */
		if (k->digits == HTTP_CHUNK_DIGITS ||
		    k->left > (HTTP_CHUNK_MAX - hex(c)) / 16) {
			refuse(k, "size of a chunk too large");
			return;
		}
		k->left = k->left * 16 + hex(c);
		k->digits++;
	} else if (k->digits == 0) {
		refuse(k, "chunk without a size");
	} else if (c == ';') {
		k->state = BEFORE_NAME;
	} else {
		expect(k, c, '\r', SIZE_LF, "malformed size of a chunk");
	}
}

/* What comes behind a name or a value of an extension. */
static void
judge_after(struct http_chunk *k, char c)
{
	if (c == ';')
		k->state = BEFORE_NAME;
	else if (c == '=' && k->state == NAME)
		k->state = BEFORE_VALUE;
	else
		expect(k, c, '\r', SIZE_LF, "malformed chunk extension");
}

static void
judge_quoted(struct http_chunk *k, char c)
{
	if (!http_is(c, HTTP_TEXT))
		refuse(k, "malformed chunk extension");
	else if (k->state == ESCAPED)
		k->state = QUOTED;
	else if (c == '"')
		k->state = QUOTED_END;
	else if (c == '\\')
		k->state = ESCAPED;
}

static void
judge_extension(struct http_chunk *k, char c)
{
	bool token = http_is(c, HTTP_TOKEN);

	switch (k->state) {
	case BEFORE_NAME:
	case BEFORE_VALUE:
		if (token)
			k->state = k->state == BEFORE_NAME ? NAME : VALUE;
		else if (c == '"' && k->state == BEFORE_VALUE)
			k->state = QUOTED;
		else
			refuse(k, "malformed chunk extension");
		break;
	case NAME:
	case VALUE:
		if (!token)
			judge_after(k, c);
		break;
	case QUOTED:
	case ESCAPED:
		judge_quoted(k, c);
		break;
	default: /* QUOTED_END */
		judge_after(k, c);
		break;
	}
}

static void
judge_line_end(struct http_chunk *k, char c)
{
	if (c != '\n') {
		refuse(k, "carriage return without line feed");
		return;
	}
	k->state = k->left > 0 ? CONTENT : TRAILER;
	k->digits = 0;
}

static void
judge_trailer(struct http_chunk *k, char c, const struct http_limits *limits)
{
	if (k->trailer++ == limits->head) {
		refuse(k, "trailer too long");
		return;
	}
	switch (k->state) {
	case TRAILER:
		if (!http_is(c, HTTP_TOKEN)) {
			expect(k, c, '\r', LAST_LF,
			    "name of a trailer field that is no token");
			return;
		}
		k->state = FIELD_NAME;
		if (k->fields++ == limits->fields)
			refuse(k, "too many trailer fields");
		return;
	case FIELD_NAME:
		if (!http_is(c, HTTP_TOKEN))
			expect(k, c, ':', FIELD_VALUE,
			    "name of a trailer field that is no token");
		return;
	case FIELD_VALUE:
		if (!http_is(c, HTTP_TEXT))
			expect(k, c, '\r', FIELD_LF,
			    "control character in a trailer field");
		return;
	default:
		expect(k, c, '\n', k->state == LAST_LF ? COMPLETE : TRAILER,
		    "carriage return without line feed");
		return;
	}
}

/* Judge a byte, which is no content. */
static void
step(struct http_chunk *k, char c, const struct http_limits *limits)
{
	if (k->state == SIZE) {
		judge_size(k, c);
	} else if (k->state < SIZE_LF) {
		judge_extension(k, c);
	} else if (k->state == SIZE_LF) {
		judge_line_end(k, c);
	} else if (k->state == CONTENT_CR) {
		expect(k, c, '\r', CONTENT_LF, "chunk longer than its size");
	} else if (k->state == CONTENT_LF) {
		expect(k, c, '\n', SIZE, "carriage return without line feed");
	} else {
		judge_trailer(k, c, limits);
	}
	if (k->state > SIZE && k->state < SIZE_LF &&
	    k->extensions++ == HTTP_CHUNK_EXTENSIONS)
		refuse(k, "chunk extensions too long");
}

enum http_chunk_verdict
http_chunk_next(struct http_chunk *k, const char *data, size_t n,
    const struct http_limits *limits, size_t *used)
{
	size_t i;

	for (i = 0; i < n && k->state != CONTENT && k->state < COMPLETE; i++)
		step(k, data[i], limits);
	*used = i;
	if (k->state == CONTENT)
		return i < n ? CHUNK_CONTENT : CHUNK_MORE;
	return k->state < COMPLETE ? CHUNK_MORE :
	    k->state == COMPLETE ? CHUNK_END : CHUNK_BAD;
}

void
http_chunk_take(struct http_chunk *k, size_t n)
{
	k->left -= n;
	if (k->left == 0)
		k->state = CONTENT_CR;
}

enum http_chunk_verdict
http_chunk_measure(struct http_chunk *k, const char *data, size_t n,
    const struct http_limits *limits, size_t *at, uint64_t *content)
{
	enum http_chunk_verdict verdict;
	size_t used;

	for (;;) {
		verdict = http_chunk_next(k, data + *at, n - *at, limits,
		    &used);
		*at += used;
		if (verdict != CHUNK_CONTENT)
			return verdict;
		used = n - *at;
		if (used > k->left)
			used = (size_t)k->left;
		http_chunk_take(k, used);
		*at += used;
		*content += used;
	}
}

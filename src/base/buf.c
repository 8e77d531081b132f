#include "base/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
buf_fail(struct buf *b)
{
	b->failed = true;
	errno = ENOMEM;
	return NULL;
}

/* The old size doubled until `need` fits; 0 if size_t is too small for it. */
static size_t
buf_next_cap(size_t cap, size_t need)
{
	cap = cap == 0 ? 64 : cap;
	while (cap < need && cap <= SIZE_MAX / 2)
		cap *= 2;
	return cap < need ? 0 : cap;
}

/* A buffer without memory gets some, so that NULL is only failure. */
char *
buf_grow(struct buf *b, size_t n)
{
	size_t cap;
	char *data;

	if (b->failed || n > SIZE_MAX - b->len)
		return buf_fail(b);
	if ((cap = buf_next_cap(b->cap, b->len + n)) == 0 ||
	    (data = realloc(b->data, cap)) == NULL)
		return buf_fail(b);
	b->data = data;
	b->cap = cap;
	return b->data + b->len;
}

/* volatile: without it the compiler drops the unused allocation. */
bool
buf_possible(size_t n)
{
	void *volatile room = malloc(n);

	free(room);
	return room != NULL;
}

int
buf_putc(struct buf *b, int c)
{
	char byte = (char)c;

	return buf_add(b, &byte, 1);
}

/* Format into the room at hand; if that is too little, reserve what the text
 * needs and format again. */
int
buf_addv(struct buf *b, const char *fmt, va_list ap)
{
	char *at = buf_reserve(b, 1);
	va_list again;
	int n;

	if (at == NULL)
		return -1;
	va_copy(again, ap);
	n = vsnprintf(at, b->cap - b->len, fmt, ap);
	if (n >= 0 && (size_t)n >= b->cap - b->len) {
		at = buf_reserve(b, (size_t)n + 1);
		if (at != NULL)
			vsnprintf(at, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (n < 0 || at == NULL) {
		buf_fail(b);
		return -1;
	}
	b->len += (size_t)n;
	return 0;
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int result;

	va_start(ap, fmt);
	result = buf_addv(b, fmt, ap);
	va_end(ap);
	return result;
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len);
}

const char *
buf_string(struct buf *b)
{
	char *end = buf_reserve(b, 1);

	if (end == NULL)
		return NULL;
	*end = '\0';
	return b->data;
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
}

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ 0 };
}

#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * A growable array of bytes.  All zero is a valid empty buffer.  Running out
 * of memory is sticky: the buffer keeps its content, `failed` is set and later
 * additions do nothing, so that a caller may check once, after the last one.
 * Pure; runs everywhere.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buf {
	char *data; /* not terminated; NULL while cap is 0 */
	size_t len;
	size_t cap;
	bool failed;
};

/* buf_reserve where there is no such room yet. */
char *buf_grow(struct buf *b, size_t n);

/* Make room for n more bytes behind len, which stays.  Returns where they go,
 * or NULL (ENOMEM). */
static inline char *
buf_reserve(struct buf *b, size_t n)
{
	if (b->data != NULL && !b->failed && n <= b->cap - b->len)
		return b->data + b->len;
	return buf_grow(b, n);
}

/* Append n bytes, a string, one byte, formatted text.  0 or -1 (ENOMEM). */
static inline int
buf_add(struct buf *b, const void *data, size_t n)
{
	char *room = buf_reserve(b, n);

	if (room == NULL)
		return -1;
	if (n > 0)
		memcpy(room, data, n);
	b->len += n;
	return 0;
}

static inline int
buf_puts(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_putc(struct buf *b, int c);
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int buf_addv(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* True if malloc(n) succeeds now.  For use before a call into a library that
 * ends the process when it is out of memory. */
bool buf_possible(size_t n);

/* Drop the first n bytes (n <= len), keeping the rest and the memory. */
void buf_consume(struct buf *b, size_t n);

/* Append a 0 byte that len does not count.  Returns data, or NULL. */
const char *buf_string(struct buf *b);

/* Clear: forget the content and `failed`, keep the memory.  Free: give the
 * memory back too. */
void buf_clear(struct buf *b);
void buf_free(struct buf *b);

#endif

#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * Growable bytes.  All zero is a valid empty buffer.  Running out of memory
 * is sticky: the buffer keeps what it has, `failed` is set, and later
 * additions do nothing, so a builder checks once, at its end.
 * Pure; runs everywhere.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* not terminated; NULL while cap is 0 */
	size_t len;
	size_t cap;
	bool failed;
};

/* Room for n more bytes after len.  Returns where they go, or NULL. */
char *buf_reserve(struct buf *b, size_t n);

/* Append n bytes, a string, one byte, formatted text. 0 or -1 (ENOMEM). */
int buf_add(struct buf *b, const void *data, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, int c);
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int buf_addv(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Whether n bytes can be had now: asked before a library is called that does
 * not survive it if they cannot. */
bool buf_possible(size_t n);

/* Drop the first n bytes (n <= len), keeping the rest and the memory. */
void buf_consume(struct buf *b, size_t n);

/* Append a 0 byte that len does not count.  Returns data, or NULL. */
const char *buf_string(struct buf *b);

/* Forget the content and `failed`, keep the memory.  Give the memory back. */
void buf_clear(struct buf *b);
void buf_free(struct buf *b);

#endif

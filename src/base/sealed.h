#ifndef BASE_SEALED_H
#define BASE_SEALED_H

/*
 * Memory that a descriptor leads to (memfd_create(2)), with what nobody can
 * change any more: all its bytes, which tell what one image of the program has
 * to tell another, or its size, so that who maps it is safe.  Whoever is told
 * that a descriptor is such a memory can see whether that is so.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* A close-on-exec descriptor of memory with the bytes; -1 with errno. */
int sealed_make(const char *name, const struct buf *text);

/* Append all of it to `text`.  0, or -1 with errno: there is no memory, or the
 * descriptor is none that sealed_make returns. */
int sealed_read(int fd, struct buf *text);

/* The same for memory whose bytes are written all the time, and whose size
 * nobody can change, all zero at first.  Is it that, and of that size? */
int sealed_room(const char *name, size_t size);
bool sealed_is_room(int fd, size_t size);

#endif
